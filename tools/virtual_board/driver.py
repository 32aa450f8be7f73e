"""Starts and drives a virtual board from a program: tests, the demo."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import littlefs

from tools import image
from tools.virtual_board import flash

_ROOT = Path(__file__).parents[2]
_HANG_S = 30


def eventually(condition, hang_s: float = _HANG_S):
    """Waits until `condition()` is true, and returns what it returned.

    Raises:
        TimeoutError: it never was; generous, so that only a hang shows.
    """
    end = time.monotonic() + hang_s
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError("hung")
        time.sleep(0.01)
    return value


def write_image(path: Path, files: Mapping[str, bytes | str]) -> None:
    """Makes a flash image that holds `files`."""
    path.write_bytes(image.volume(files))


def read_image(path: Path) -> dict[str, bytes]:
    """Returns the files in the root of a flash image, by name.

    Raises:
        littlefs.LittleFSError: it does not mount.
    """
    volume = littlefs.LittleFS(
        block_size=flash.BLOCK_SIZE, block_count=flash.BLOCK_COUNT, mount=False
    )
    volume.context.buffer = bytearray(path.read_bytes())
    volume.mount()
    files = {}
    for name in volume.listdir("/"):
        if volume.stat(name).type == 1:
            with volume.open(name, "rb") as file:
                files[name] = file.read()
    return files


class VirtualBoard:
    """One power-on of the board whose files live in `folder`."""

    def __init__(self, folder: Path, *options: str):
        self.link = folder / "tty"
        self.flash = folder / "flash.img"
        self.level = folder / "level"
        self.air = folder / "air.json"
        self._events = folder / "events.jsonl"
        self._seen = self._events.stat().st_size if self._events.exists() else 0
        ready = folder / "board.json"
        ready.unlink(missing_ok=True)
        paths = {"flash": self.flash, "link": self.link, "level": self.level, "ready": ready}
        arguments = [f"--{name}={path}" for name, path in paths.items()]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tools.virtual_board", *arguments]
            + ["--heap=128k", f"--events={self._events}", *options],
            cwd=_ROOT,
        )
        eventually(lambda: ready.exists() or self.process.poll() is not None)

    def mpremote(self, *arguments: str) -> str:
        """Returns what mpremote printed.

        Raises:
            RuntimeError: it failed.
        """
        command = [sys.executable, "-m", "mpremote", "connect", str(self.link), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_HANG_S)
        if done.returncode:
            raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
        return done.stdout.replace("\r\n", "\n")

    def execute(self, source: str) -> str:
        return self.mpremote("exec", source).strip()

    def events(self, kind: str) -> list[dict]:
        """Returns what happened since this power-on."""
        with self._events.open() as file:
            file.seek(self._seen)
            events = [json.loads(line) for line in file if line.endswith("\n")]
        return [event for event in events if event["event"] == kind]

    def wait_for(self, kind: str, count: int = 1) -> dict:
        """Returns the `count`-th event of a kind."""
        return eventually(lambda: self.events(kind)[count - 1 : count])[0]

    def interpreters(self) -> list[int]:
        pid = self.process.pid
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]

    def spoil_air(self, **what) -> None:
        """Changes the air of a board that was given `--air`; without arguments it is perfect."""
        making = self.air.with_suffix(".new")
        making.write_text(json.dumps(what))
        making.replace(self.air)

    def panic(self) -> None:
        """Crashes the chip: it restarts by itself, RTC memory kept."""
        os.kill(self.interpreters()[0], signal.SIGSEGV)

    def power_off(self, number: int = signal.SIGKILL) -> int:
        """Cuts the power; returns the exit status."""
        self.process.send_signal(number)
        return self.process.wait(_HANG_S)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
