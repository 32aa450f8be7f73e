"""What a board does before boot.py: shims in, flash mounted. It is gone when they run."""

import os
import sys

import vfs
from micropython import const
from vb_core import ask, load, run

_HELLO = const(0x68)


def start():
    """Runs once after every reset; returns what is to run then, with the prompt's namespace."""
    has_air, *faults = map(int, ask(_HELLO).split())
    for name in ("time", "machine", "network", "socket")[: 3 + has_air]:
        __import__(name)
    import esp32

    sys.modules["micropython"] = __import__("vb_micropython")
    sys.modules["flashbdev"] = esp32
    del sys.modules["start"]
    vfs.umount("/rom")
    sys.path[:] = ("", ".frozen", "/lib")
    if any(faults):
        load("fault").start(*faults)
    try:
        try:
            vfs.mount(vfs.VfsLfs2(esp32.bdev), "/")
        except OSError:
            load("mkfs").mkfs(esp32.bdev)
        os.chdir("/")
    except (KeyboardInterrupt, OSError) as exc:
        load("print_exception").print_exception(exc)
    return run
