"""Runs in the board's process: becomes MicroPython. Executed by path, without site-packages.

The interpreter from PyPI is a CPython extension module, so this is the smallest CPython around it.
usage: loader.py PARENT_PID WIRE_FD FLASH_FD PACKAGES HEAP RAW SHIMS
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
    """libfaketime keeps its mapping; its names would pile up, since nobody here exits by itself."""
    for name in ("sem.faketime_sem_", "faketime_shm_"):
        try:
            os.unlink(f"/dev/shm/{name}{os.getpid()}")
        except FileNotFoundError:
            continue


def main(parent_pid, wire_fd, flash_fd, packages, heap, raw, shims):
    _die_with_parent(int(parent_pid))
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _unlink_faketime_objects()
    # The tool hands over descriptors above 4, so that neither dup2 hits the other.
    os.dup2(int(wire_fd), _WIRE_FD)
    os.dup2(int(flash_fd), _FLASH_FD)
    sys.path.insert(0, packages)
    import micropython_run

    # The REPL's mode is a C global. Set before, the prompt comes up in that mode, and read after,
    # it tells which prompt saw Ctrl-D.
    mode = ctypes.c_int.in_dll(ctypes.CDLL(micropython_run.__file__), "pyexec_mode_kind")
    mode.value = int(raw)
    start = f"import sys;sys.path.insert(0,{shims!r});__import__('vb_start').start(globals())"
    micropython_run.run_main(["micropython", "-X", f"heapsize={heap}", "-i", "-c", start])
    os._exit(EXIT_FRIENDLY + mode.value)


if __name__ == "__main__":
    main(*sys.argv[1:])
