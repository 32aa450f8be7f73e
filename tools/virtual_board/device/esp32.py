"""`esp32` of the ESP32 port: the `vfs` partition of 4 MB flash, in the file on descriptor 4.

On silicon a block device call is C and cannot be interrupted. Here a KeyboardInterrupt would
unwind littlefs itself, so these methods are straight-line code: MicroPython raises it at jumps.
"""

from vb_core import _link

_flash = open(4, "r+b")  # noqa: SIM115 (for as long as the board runs)
_erased = memoryview(open("/rom/erased", "rb"))  # noqa: SIM115 (a block of 0xff, not on the heap)


class Partition:
    TYPE_APP = 0
    TYPE_DATA = 1
    BOOT = 0
    RUNNING = 1

    def __init__(self, id, block_size=4096):
        if id != "vfs":
            raise OSError(2)

    @classmethod
    def find(cls, type=TYPE_APP, subtype=0xFF, label=None, block_size=4096):
        is_vfs = type == cls.TYPE_DATA and subtype in (0xFF, 0x81) and label in (None, "vfs")
        return [cls("vfs")] if is_vfs else []

    def info(self):
        return (1, 0x81, 0x200000, 0x200000, "vfs", False)

    def readblocks(self, block, buf, offset=0):
        _flash.seek(block * 4096 + offset)
        _flash.readinto(buf)

    def writeblocks(self, block, buf, offset=-1):
        """Programs; without an offset erases first, as the port's two-argument form does."""
        _flash.seek(block * 4096 + offset * (offset > 0))
        _flash.write(buf)
        _link.write((b"E\0\0\0P\0\0\0", b"P\0\0\0")[offset >= 0])

    def ioctl(self, op, arg=0):
        (abs, self._erase)[op == 6](arg)  # abs() does nothing here
        return (0, 0, 0, 0, 512, 4096, 0)[op]

    def _erase(self, block):
        _flash.seek(block * 4096)
        _flash.write(_erased)
        _link.write(b"E\0\0\0")


bdev = Partition("vfs")  # this module is `flashbdev`, too
