"""Flash that stops the board in the middle of an operation; loaded for `--cut-after` only."""

from vb_bus import halt
from vb_flashbdev import Flash, _image


class CutFlash(Flash):
    def __init__(self, left):
        super().__init__()
        self._left = left

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
