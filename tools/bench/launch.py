"""Becomes MicroPython with a read-only file system beside its heap; started by `interpreter`.

usage: launch.py ROM HEAP FOLDER PROGRAM

ROM is mounted from memory outside the Python heap: what is imported from it runs in place, as
frozen code does. FOLDER, if not empty, is searched first; code from there is loaded into the heap.
"""

import ctypes
import sys

import micropython_run

_START = """\
import gc, sys, uctypes, vfs
vfs.mount(vfs.VfsRom(uctypes.bytearray_at({address}, {size})), "/rom")
sys.path[:] = [{folder!r}, "/rom", ".frozen"]
gc.threshold(4096)
__import__({program!r}).main()
"""


def main(rom, heap, folder, program):
    """Run `program`, a module with a `main()`, in `heap` bytes; end as it ends."""
    with open(rom, "rb") as file:
        data = file.read()
    kept = ctypes.create_string_buffer(data, len(data))
    start = _START.format(
        address=ctypes.addressof(kept), size=len(data), folder=folder or "/rom", program=program
    )
    sys.exit(micropython_run.run_main(["micropython", "-X", f"heapsize={heap}", "-c", start]))


if __name__ == "__main__":
    main(*sys.argv[1:])
