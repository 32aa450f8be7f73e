"""The bench: simulator and virtual board as processes, and what can be read off both."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from lowtide import store
from lowtide.orders import Orders
from tools import image
from tools.device import Device
from tools.virtual_board import driver

SLOT = "PaperTowel"
_HANG_S = 60


class BenchError(Exception):
    """The bench itself failed; nothing can be said of the agent."""


class Bench:
    """Everything in one folder. `level` is the amount in the bin, 0.0 to 1.0.

    `heap`: of the board, as MicroPython's `-X heapsize` takes it.
    """

    def __init__(self, folder, start, heap="128k"):
        self.folder = Path(folder)
        self._heap = heap
        self._start = start
        self._processes = {}
        self._events_read = 0
        self._level = 0.0
        self.flash = self.folder / "flash.img"
        self._http = httpx.Client(timeout=30)

    # -- processes ------------------------------------------------------------------------------

    def _spawn(self, name, *args):
        ready = self.folder / f"{name}.json"
        ready.unlink(missing_ok=True)
        log = open(self.folder / f"{name}.log", "ab")  # noqa: SIM115 - lives as long as the process
        process = subprocess.Popen(
            [sys.executable, "-m", f"tools.{name}", *map(str, args), "--ready", str(ready)],
            stdout=log,
            stderr=log,
            cwd=image.ROOT,
        )
        log.close()
        self._processes[name] = process
        self._wait(ready.exists, f"{name} did not start; see {log.name}", process)
        return json.loads(ready.read_text())

    def _wait(self, done, why, process=None):
        end = time.monotonic() + _HANG_S
        while not done():
            if time.monotonic() > end or (process is not None and process.poll() is not None):
                raise BenchError(why)
            time.sleep(0.005)

    def start_simulator(self):
        """Start the service, its calendar stopped: it moves when `advance` moves it."""
        zero = ("--port", 0, "--control-port", 0, "--ntp-port", 0)
        state = self.folder / "sim.db"
        self.service = self._spawn(
            "drs_sim", *zero, "--time", self._start, "--paused", "--state", state
        )

    def power_on(self, *options):
        """Give the board power: a fresh start, RTC memory empty, the clock in 2000."""
        self.board = self._spawn(
            "virtual_board",
            *("--flash", self.flash, "--link", self.folder / "board"),
            *("--level", self.folder / "level", "--clock-from", self.service["control"]),
            *("--heap", self._heap, "--events", self.folder / "events"),
            *options,
        )

    def power_cut(self):
        """Take the power away, at whatever the board is doing."""
        process = self._processes.pop("virtual_board")
        os.kill(self.board["pid"], signal.SIGKILL)
        process.wait()

    def close(self):
        """Stop whatever was started."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
        self._http.close()

    # -- the world ------------------------------------------------------------------------------

    @property
    def level(self):
        """The amount in the bin."""
        return self._level

    @level.setter
    def level(self, value):
        self._level = value
        tmp = self.folder / "level.tmp"
        tmp.write_text(f"{value:.4f}\n")
        tmp.rename(self.folder / "level")

    def control(self, method, path, body=None):
        """Call the simulator's control port; raise `httpx.HTTPStatusError` if it refuses."""
        answer = self._http.request(method, self.service["control"] + path, json=body)
        answer.raise_for_status()
        return answer.json()

    def books(self):
        """Return the simulator's books (`GET /state`)."""
        return self.control("GET", "/state")

    def settings(self, keys):
        """Return what a board must be told to use this service; `keys`: what registering gave."""
        host, _, port = self.service["drs"].removeprefix("https://").rpartition(":")
        ntp_host, _, ntp_port = self.service["ntp"].rpartition(":")
        names = ("client_id", "client_secret", "refresh_token")
        return {
            "drs.host": host,
            "drs.port": port,
            "lwa.host": host,
            "lwa.port": port,
            "ntp.host": ntp_host,
            "ntp.port": ntp_port,
            "wifi.ssid": "x",
            "slot.id": SLOT,
            **{"lwa." + name: keys[name] for name in names},
        }

    def advance(self, seconds):
        """Let the calendar go on; what falls due happens in order."""
        self.control("POST", "/clock/advance", {"seconds": seconds})

    # -- the board ------------------------------------------------------------------------------

    def deploy(self):
        """Bring the firmware to the board, as to a real one."""
        command = [sys.executable, "-m", "tools.deploy", "--port", self.board["port"]]
        command += ["--board", "host", "--cert", self.service["ca_der"]]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_HANG_S, cwd=image.ROOT
        )
        if done.returncode:
            raise BenchError(f"{done.stdout}{done.stderr}")

    def console(self):
        """Return the board's console, JSON mode on."""
        return Device(self.board["port"], _HANG_S)

    def slept(self):
        """Return until when the board sleeps, if it went to sleep since the last look."""
        path = self.folder / "events"
        lines = path.read_text().splitlines() if path.exists() else []
        new = [json.loads(line) for line in lines[self._events_read :]]
        self._events_read = len(lines)
        return next((e["until"] for e in reversed(new) if e["event"] == "sleep"), None)

    def asleep(self):
        """Wait until the board sleeps; return until when (Unix seconds of the world)."""
        board = self._processes["virtual_board"]
        until = None
        end = time.monotonic() + _HANG_S
        while until is None:
            if time.monotonic() > end or board.poll() is not None:
                raise BenchError("the board does not go to sleep")
            time.sleep(0.005)
            until = self.slept()
        return until

    def record(self):
        """Return the order record as it lies in the board's flash; None if there is none."""
        data = driver.read_image(self.flash).get("order.rec")
        if data is None:
            return None
        kept = self.folder / "order.rec"
        kept.write_bytes(data)
        payload = store.Store(str(kept)).load()
        if not payload:
            raise BenchError("the order record in flash does not check out")
        return Orders(None, payload)
