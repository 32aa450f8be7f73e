"""What a board does before boot.py: shims in, flash mounted. It is gone when they run."""

import os
import sys

import vfs
from micropython import const
from vb_bus import ask, load

_HELLO = const(0x68)


def start():
    """Runs once after every reset; returns what is to run then, with the prompt's namespace."""
    vfs.umount("/rom")
    vfs.umount("/")
    sys.path[:] = ("", ".frozen", "/lib")
    del sys.modules["vb_start"]
    has_air, *faults = map(int, ask(_HELLO).split())
    for name in ("time", "machine", "network", "esp32"):
        load(name)
    sys.modules["micropython"] = load("vb_micropython")
    if any(faults):
        load("vb_fault").spoil(*faults)
    if has_air:
        load("socket")
    sys.modules["flashbdev"] = flash = sys.modules["esp32"]
    run = load("vb_run").run
    try:
        try:
            vfs.mount(vfs.VfsLfs2(flash.bdev), "/")
        except OSError:
            load("vb_set_up").set_up(flash.bdev)
        os.chdir("/")
    except (KeyboardInterrupt, OSError) as exc:
        load("vb_trace").print_exception(exc)
    return run
