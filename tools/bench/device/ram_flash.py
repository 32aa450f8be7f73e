"""A flash in memory that counts what is done to it, and loses power where it is told to.

Runs in MicroPython: littlefs is the interpreter's own. It does not bear a collection in the middle
of its work, which closes the file that a cut left open; on a chip the flash driver causes none. So
a script that cuts disables the collector, and `mount()` collects.
"""

import gc

import vfs

BLOCK = 4096
BLOCKS = 16
_ERASED = b"\xff" * BLOCK
ROOT = "/lt"
_EIO = -5
_COLLECT_EVERY = 8
_mounts = 0
UNDONE, HALF, TORN = range(3)


class PowerCut(BaseException):
    """The power is gone."""


class Flash:
    """A block device; `cut_at` is the operation (from 1) at which the power goes, `kind` how."""

    def __init__(self, data=None):
        self.data = bytearray(BLOCK * BLOCKS) if data is None else bytearray(data)
        self.operations = self.programs = self.programmed = self.erases = 0
        self.worn = [0] * BLOCKS
        self.cut_at = 0
        self.kind = UNDONE
        self.dead = False

    def readblocks(self, number, buf, offset=0):
        """As MicroPython wants it."""
        if self.dead:
            # A file that the collector closes after the cut: littlefs must not go on with what
            # its buffer happens to hold.
            return _EIO
        start = number * BLOCK + offset
        buf[:] = self.data[start : start + len(buf)]

    def writeblocks(self, number, buf, offset=0):
        """As MicroPython wants it: a program."""
        if self.dead:
            return _EIO
        self._do(number * BLOCK + offset, buf)
        self.programs += 1
        self.programmed += len(buf)

    def ioctl(self, op, arg):
        """As MicroPython wants it: geometry, and erase."""
        if op == 4:
            return BLOCKS
        if op == 5:
            return BLOCK
        if op == 6:
            if self.dead:
                return _EIO
            self._do(arg * BLOCK, _ERASED)
            self.erases += 1
            self.worn[arg] += 1
        return 0

    def _do(self, start, new):
        self.operations += 1
        if self.operations == self.cut_at:
            self.dead = True
            half = len(new) // 2
            if self.kind != UNDONE:
                self.data[start : start + half] = new[:half]
            if self.kind == TORN:
                for at in range(start + half, start + len(new)):
                    self.data[at] = self.data[at] ^ (at * 151 & 0xFF)
            raise PowerCut
        self.data[start : start + len(new)] = new


def mount(flash, readsize=128):
    """Mount it where the stores look, as `hal.mount_root` does."""
    umount()
    global _mounts
    _mounts += 1
    if not gc.isenabled() and not _mounts % _COLLECT_EVERY:
        gc.collect()
    vfs.mount(vfs.VfsLfs2(flash, readsize=readsize), ROOT)


def umount():
    """Take it away, if it is there."""
    try:
        vfs.umount(ROOT)
    except OSError:
        return


def formatted():
    """Return the bytes of an empty volume."""
    flash = Flash()
    vfs.VfsLfs2.mkfs(flash, readsize=128)
    return flash.data
