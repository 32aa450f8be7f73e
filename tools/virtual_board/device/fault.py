"""Flash that fails; loaded for `--cut-after` and `--fail-reads` only."""

import esp32
from esp32 import Partition, _flash
from micropython import const
from vb_core import end

_CUT = const(0x58)


def start(left, first, last):
    """`left`: operations until the power is cut; `first`, `last`: reads that fail; or 0."""
    cls = esp32.Partition = FaultyPartition
    cls.left, cls.first, cls.last = left, first, last
    esp32.bdev = cls("vfs")


class FaultyPartition(Partition):
    # Every object is the same flash.
    reads = left = first = last = 0

    def readblocks(self, block, buf, offset=0):
        cls = FaultyPartition
        cls.reads += 1
        if cls.first <= cls.reads <= cls.last:
            raise OSError(5)
        super().readblocks(block, buf, offset)

    def writeblocks(self, block, buf, offset=-1):
        if offset < 0:
            self._erase(block)
            offset = 0
        if self._is_last():
            half = len(buf) // 2
            super().writeblocks(block, memoryview(buf)[:half], offset)
            end(_CUT)
        super().writeblocks(block, buf, offset)

    def _erase(self, block):
        if self._is_last():
            _flash.seek(block * 4096)
            for _ in range(4):
                _flash.write(b"\xff" * 512)
            end(_CUT)
        super()._erase(block)

    def _is_last(self):
        FaultyPartition.left -= 1
        return FaultyPartition.left == 0
