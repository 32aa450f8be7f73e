"""The flash: the `vfs` partition of a 4 MB ESP32, in the file on descriptor 4.

On silicon a block device call is C and cannot be interrupted. Here a KeyboardInterrupt would
unwind littlefs itself, so the methods are straight-line code: MicroPython raises it at jumps.
"""

from vb_bus import _wire

_image = open(4, "r+b")  # noqa: SIM115 (for as long as the board runs)
_BLOCK = 4096
_BLOCKS = 512
_ERASED = b"\xff" * 512
_NOTE_ERASE = b"E\0\0\0"
_NOTES_PROGRAM = (b"E\0\0\0P\0\0\0", b"P\0\0\0")


class Flash:
    def __init__(self):
        none = self._none
        self._ioctl = (none, none, none, none, self._count, self._size, self._erase)

    def readblocks(self, block, buf, offset=0):
        _image.seek(block * _BLOCK + offset)
        _image.readinto(buf)

    def writeblocks(self, block, buf, offset=-1):
        """Programs; without an offset erases first, as the port's two-argument form does."""
        _image.seek(block * _BLOCK + offset * (offset > 0))
        _image.write(buf)
        _wire.write(_NOTES_PROGRAM[offset >= 0])

    def ioctl(self, op, arg=0):
        return self._ioctl[op](arg)

    def _none(self, arg):
        return 0

    def _count(self, arg):
        return _BLOCKS

    def _size(self, arg):
        return _BLOCK

    def _erase(self, block):
        _image.seek(block * _BLOCK)
        write = _image.write
        write(_ERASED)
        write(_ERASED)
        write(_ERASED)
        write(_ERASED)
        write(_ERASED)
        write(_ERASED)
        write(_ERASED)
        write(_ERASED)
        _wire.write(_NOTE_ERASE)
        return 0


bdev = Flash()
