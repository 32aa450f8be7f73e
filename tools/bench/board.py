"""A board that is measured: each wake tells what it took before it sleeps.

The firmware runs on the virtual board as it does on silicon; the simulator's calendar stands and
is moved on from wake to wake.
"""

import json
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import serial

from lowtide import store
from lowtide.config import Config
from lowtide.orders import Orders
from lowtide.settings import change
from tools import image
from tools.bench.relay import Relay, Traffic
from tools.demo.bench import SLOT, Bench
from tools.virtual_board import driver

_DEVICE = Path(__file__).parent / "device"
_START = "2026-03-02T08:00:00Z"
_HANG_S = 60
_INTERVAL_S = 901
_HALF_DAY_S = 43200


@dataclass(frozen=True)
class Wake:
    """One wake: `ours` are the modules from flash with their `.mpy` bytes, `others` the rest.

    `heap`: bytes in use before the sleep, after a collection, the board's own shims included.
    `ms`: of this host, from the start of main.py. `flash`: programs and erases.
    """

    ours: dict[str, int]
    others: list[str]
    heap: int
    ms: float
    flash: int
    traffic: Traffic

    @property
    def mpy_bytes(self) -> int:
        """Bytes of `.mpy` that it loaded."""
        return sum(self.ours.values())


class Board:
    """A configured battery board, its service and the relay between them; `bench` drives both."""

    def __init__(self, folder: Path, bench: Bench, relay: Relay, main: str, notes=True):
        self.bench, self._relay = bench, relay
        device = {"model": "M", "serial": "S1", "slots": [SLOT], "test": False}
        settings = bench.settings(bench.control("POST", "/devices", device))
        settings |= {"drs.port": relay.port, "lwa.port": relay.port, "power.mode": "battery"}
        stage = folder / "stage"
        image.stage("host", stage, [Path(bench.service["ca_der"])])
        self._sizes = {
            _module(path): len(content)
            for path, content in image.contents(stage).items()
            if path.endswith(".mpy")
        }
        config = Config(store.Store(str(stage / "config.rec")))
        change(config, settings, heal=lambda name: None)
        store.Store(str(stage / "order.rec")).save(Orders(None).pack())
        noting = (_DEVICE / "noting.py").read_text() if notes else ""
        (stage / "main.py").write_text(noting + main)
        if main == gauge_only():
            (stage / "boot.py").unlink()
        driver.write_image(bench.flash, image.contents(stage))
        bench.level = 0.6
        bench.power_on()

    def talk_and_sleep(self):
        """Let the first uplink give the board time and token, then send it to sleep."""
        console = self.bench.console()
        end = time.monotonic() + _HANG_S
        while not any("uplink: done" in line for line in console.command("log")["log"]):
            if time.monotonic() > end:
                raise TimeoutError("no first uplink")
            time.sleep(0.05)
        console.command("sleep")
        console.close()
        self.slept()
        self._relay.take()

    def run_low(self):
        """Empty the bin; return the wakes until it is confirmed low and ordered, in order."""
        self.bench.level = 0.08
        return [self.next_wake() for _ in range(3)]

    def live(self):
        """Let the bin run empty, be ordered for and refilled: ten days, a wake each half day."""
        for level in (0.9, 0.7, 0.5, 0.3, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1):
            self.bench.level = level
            self.next_wake(_HALF_DAY_S)
        self.run_low()
        self.bench.level = 0.95
        for _ in range(10):
            self.next_wake(_HALF_DAY_S)

    def measure_wakes(self, count):
        """Return so many wakes in which nothing is due but a reading."""
        self.next_wake()
        return [self.next_wake() for _ in range(count)]

    def next_wake(self, after_s=_INTERVAL_S) -> Wake:
        """Let the calendar go on by so much; return the wake that comes of it."""
        # Only while a port is open does the board's output go anywhere.
        with self.port() as port:
            self.bench.advance(after_s)
            note = _note(port)
        event = self.slept()
        ours = {name: self._sizes[name] for name in note["modules"] if name in self._sizes}
        others = sorted(set(note["modules"]) - set(ours))
        flash = event["programs"] + event["erases"]
        return Wake(ours, others, note["heap"], note["us"] / 1000, flash, self._relay.take())

    def port(self):
        """Return the board's serial port, open."""
        return serial.Serial(self.bench.board["port"], timeout=0.2, exclusive=False)

    def slept(self):
        """Wait until the board sleeps; return the event of it."""
        self.bench.asleep()
        lines = (self.bench.folder / "events").read_text().splitlines()
        return next(e for e in map(json.loads, reversed(lines)) if e["event"] == "sleep")

    def orders(self):
        """Return how many orders the service's books hold."""
        return len(self.bench.books()["orders"])


def _note(port):
    """Return what the board says before it sleeps."""
    end = time.monotonic() + _HANG_S
    said = b""
    while time.monotonic() < end:
        said += port.read(max(1, port.in_waiting))
        for line in said.splitlines(keepends=True):
            if line.startswith(b'{"') and line.endswith(b"\n") and b'"modules"' in line:
                return json.loads(line)
    raise TimeoutError(f"the board said nothing before its sleep: {said[-500:]!r}")


def _module(path):
    return path.removesuffix(".mpy").removesuffix("/__init__").replace("/", ".")


def firmware():
    """Return the `main.py` that ships."""
    return (image.FIRMWARE / "main.py").read_text()


def gauge_only():
    """Return a `main.py` that reads the gauge and sleeps."""
    return (_DEVICE / "gauge_only.py").read_text()


@contextmanager
def board(main, heap="128k", notes=True):
    """Start a board that runs `main`, with its service; stop them afterwards.

    `notes`: it says before each sleep what the wake took, which takes some heap itself.
    """
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(name, _START, heap)
        try:
            bench.start_simulator()
            with Relay(int(bench.service["drs"].rpartition(":")[2])) as relay:
                yield Board(Path(name), bench, relay, main, notes)
        finally:
            bench.close()
