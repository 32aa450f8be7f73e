"""The board of the wire proof: `device/wire_wakes.py` in one of the interpreters."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

from host_tests.prove import FIRMWARE, ROOT
from host_tests.prove.interpreter import DEVICE

CPYTHON, MICROPYTHON = "cpython", "micropython"


class Board:
    """A process that wakes when told. `fileno()` is readable when it has said something."""

    def __init__(self, interpreter, folder, build=""):
        command, path = [sys.executable], [FIRMWARE, DEVICE, ROOT / "host_tests" / "shims"]
        if interpreter == MICROPYTHON:
            command = [Path(sys.executable).parent / "micropython", "-X", "heapsize=1m"]
            path = [FIRMWARE, DEVICE, ".frozen"]
        text = ":".join(map(str, path))
        self._interpreter = interpreter
        self._errors = open(folder / "stderr", "w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [*command, DEVICE / "wire_wakes.py", folder, *([build] if build else [])],
            env={**os.environ, "PYTHONPATH": text, "MICROPYPATH": text},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self._heard = b""
        self.log = []

    def fileno(self):
        """For select."""
        return self._process.stdout.fileno()

    def wake(self, **order):
        """Begin a wake."""
        self.log = []
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()

    def said(self):
        """Take what it has said; return how the wake ended, None while it has not.

        Raises:
            RuntimeError: the interpreter has ended.
        """
        data = os.read(self.fileno(), 65536)
        if not data:
            self._errors.seek(0)
            raise RuntimeError("the board's interpreter ended: " + self._errors.read()[-2000:])
        *lines, self._heard = (self._heard + data).split(b"\n")
        for line in lines:
            if line.startswith(b"{"):
                return json.loads(line)
            self.log.append(line.decode(errors="replace"))
        return None

    def open_sockets(self):
        """Return how many sockets MicroPython holds; CPython closes its own when it pleases."""
        if self._interpreter == CPYTHON:
            return 0
        folder = Path(f"/proc/{self._process.pid}/fd")
        return sum(os.readlink(link).startswith("socket:") for link in folder.iterdir())

    def close(self):
        """End the process."""
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._errors.close()
