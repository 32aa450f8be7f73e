"""Flash that does not mount: loaded then only."""

import time

import vfs
from micropython import const
from vb_core import ask

_UP = const(0x55)
_CORRUPT = """\
The filesystem appears to be corrupted. If you had important data there, you
may want to make a flash snapshot to try to recover it. Otherwise, perform
factory reprogramming of MicroPython firmware (completely erase flash, followed
by firmware programming).
"""


def mkfs(bdev):
    """Formats the flash if it was erased; else says, as the stock image does, what is wrong."""
    block = bytearray(bdev.ioctl(5, 0))
    bdev.readblocks(0, block)
    if block == b"\xff" * len(block):
        print("Performing initial setup")
        vfs.VfsLfs2.mkfs(bdev)
        vfs.mount(vfs.VfsLfs2(bdev), "/")
        return
    ask(_UP)  # Ctrl-C ends it
    while True:
        print(_CORRUPT)
        time.sleep(3)
