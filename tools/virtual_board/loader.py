"""Runs in the board's process: becomes MicroPython. Executed by path, without site-packages.

The interpreter from PyPI is a CPython extension module, so this is the smallest CPython around it.
usage: loader.py PARENT_PID WIRE_FD FLASH_FD ROM_FD PACKAGES HEAP RAW
"""

import ctypes
import os
import signal
import sys

EXIT_FRIENDLY = 40  # + 1 when the prompt that ended was the raw REPL
_PR_SET_PDEATHSIG = 1
_WIRE_FD, _FLASH_FD = 3, 4


def _die_with_parent(parent_pid):
    """A killed tool takes its interpreter along, as a power cut does."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        sys.exit("the virtual board is gone")


def _unlink_faketime_objects():
    """libfaketime keeps its mapping; the names would pile up, as nobody here exits normally."""
    for name in ("sem.faketime_sem_", "faketime_shm_"):
        try:
            os.unlink(f"/dev/shm/{name}{os.getpid()}")
        except FileNotFoundError:
            continue


def _start(rom):
    """Returns the first lines of MicroPython; they leave no name behind."""
    return (
        "__import__('vfs').umount('/')\n"
        "__import__('vfs').mount(__import__('vfs').VfsRom(__import__('uctypes')"
        f".bytearray_at({ctypes.addressof(rom)}, {len(rom)})), '/rom')\n"
        "__import__('start').start()(globals())\n"
    )


def main(parent_pid, wire_fd, flash_fd, rom_fd, packages, heap, raw):
    _die_with_parent(int(parent_pid))
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _unlink_faketime_objects()
    os.dup2(int(wire_fd), _WIRE_FD)
    os.dup2(int(flash_fd), _FLASH_FD)
    rom_fd = int(rom_fd)
    rom = ctypes.create_string_buffer(os.pread(rom_fd, os.fstat(rom_fd).st_size, 0))
    sys.path.insert(0, packages)
    import micropython_run

    # The REPL's mode is a C global. Set before, the prompt comes up in that mode, and read after,
    # it tells which prompt saw Ctrl-D.
    mode = ctypes.c_int.in_dll(ctypes.CDLL(micropython_run.__file__), "pyexec_mode_kind")
    mode.value = int(raw)
    options = ["-X", f"heapsize={heap}", "-i", "-c", _start(rom)]
    micropython_run.run_main(["micropython", *options])
    os._exit(EXIT_FRIENDLY + mode.value)


if __name__ == "__main__":
    main(*sys.argv[1:])
