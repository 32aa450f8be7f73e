"""Flash that fails; loaded for `--cut-after` and `--fail-reads` only."""

from vb_bus import halt
from vb_flashbdev import Flash, _image


class FaultyFlash(Flash):
    def __init__(self, left, first, last):
        """`left`: operations until the power is cut; `first`, `last`: reads that fail; or 0."""
        super().__init__()
        self._left, self._first, self._last = left, first, last
        self.reads = 0

    def readblocks(self, block, buf, offset=0):
        self.reads += 1
        if self._first <= self.reads <= self._last:
            raise OSError(5)
        super().readblocks(block, buf, offset)

    def writeblocks(self, block, buf, offset=-1):
        if offset < 0:
            self._erase(block)
            offset = 0
        if self._is_last():
            half = len(buf) // 2
            super().writeblocks(block, memoryview(buf)[:half], offset)
            halt("X")
        super().writeblocks(block, buf, offset)

    def _erase(self, block):
        if self._is_last():
            _image.seek(block * 4096)
            for _ in range(4):
                _image.write(b"\xff" * 512)
            halt("X")
        return super()._erase(block)

    def _is_last(self):
        self._left -= 1
        return self._left == 0
