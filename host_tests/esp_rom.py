"""An ESP32 in its boot loader, as much of it as esptool needs without its stub.

The protocol is Espressif's "Serial Protocol" page of esptool's documentation: SLIP frames, a
command each. It stands on a pty and has a flash that can be looked at.
"""

import hashlib
import os
import struct
import threading
import tty

# Registers that esptool reads: what they hold on an ESP32.
_CHIP_MAGIC_AT, _CHIP_MAGIC = 0x40001000, 0x00F01D83
_UART_CLKDIV_AT = 0x3FF40014
_SPI_W0_AT = 0x3FF42080
_EXT_MAGIC = {"esp32": _CHIP_MAGIC, "esp8266": 0xFFF0C101}


class Rom(threading.Thread):
    """The chip; `flash` is what it holds, `commands` the names of what it was told."""

    def __init__(self, link, flash_mib=4, chip="esp32"):
        super().__init__(daemon=True, name="esp-rom")
        self.flash = bytearray(b"\xff" * (flash_mib * 1024 * 1024))
        self.commands = []
        self._magic = _EXT_MAGIC[chip]
        # JEDEC: Winbond, and the size as a power of two.
        self._jedec = 0xEF | 0x40 << 8 | (flash_mib * 1024 * 1024).bit_length() - 1 << 16
        self._fd, self._slave = os.openpty()
        tty.setraw(self._slave)
        link.symlink_to(os.ttyname(self._slave))
        self._at = 0
        self._handlers = {
            0x02: ("flash_begin", self._flash_begin),
            0x03: ("flash_data", self._flash_data),
            0x04: ("flash_end", lambda _: (0, b"")),
            0x08: ("sync", lambda _: (0, b"")),
            0x09: ("write_reg", lambda _: (0, b"")),
            0x0A: ("read_reg", self._read_reg),
            0x0B: ("spi_set_params", lambda _: (0, b"")),
            0x0D: ("spi_attach", lambda _: (0, b"")),
            0x0F: ("change_baudrate", lambda _: (0, b"")),
            0x13: ("flash_md5", self._flash_md5),
        }

    def run(self):
        """Serve until the process ends."""
        pending = b""
        while True:
            try:
                pending += os.read(self._fd, 65536)
            except OSError:
                return
            while pending.count(b"\xc0") >= 2:
                frame, _, pending = pending.partition(b"\xc0")[2].partition(b"\xc0")
                if frame:
                    self._serve(frame.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb"))
                else:
                    pending = b"\xc0" + pending

    def close(self):
        """Let the port go."""
        os.close(self._slave)
        os.close(self._fd)

    def _serve(self, frame):
        _, op, _, _ = struct.unpack("<BBHI", frame[:8])
        name, handle = self._handlers.get(op, ("unknown", None))
        self.commands.append(name)
        # "Status bytes": two of them, and two that are reserved, on the ESP32.
        value, data = handle(frame[8:]) if handle else (0, b"")
        body = data + (b"\0\0\0\0" if handle else b"\x01\x05\0\0")
        answer = struct.pack("<BBHI", 1, op, len(body), value) + body
        answer = answer.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
        for _ in range(8 if name == "sync" else 1):
            os.write(self._fd, b"\xc0" + answer + b"\xc0")

    def _read_reg(self, data):
        (at,) = struct.unpack("<I", data[:4])
        known = {_CHIP_MAGIC_AT: self._magic, _UART_CLKDIV_AT: 347, _SPI_W0_AT: self._jedec}
        return known.get(at, 0), b""

    def _flash_begin(self, data):
        size, _, _, self._at = struct.unpack("<IIII", data[:16])
        end = -(-(self._at + size) // 4096) * 4096
        self.flash[self._at : end] = b"\xff" * (end - self._at)
        return 0, b""

    def _flash_data(self, data):
        size, _ = struct.unpack("<II", data[:8])
        block = data[16 : 16 + size]
        self.flash[self._at : self._at + size] = block
        self._at += size
        return 0, b""

    def _flash_md5(self, data):
        at, size = struct.unpack("<II", data[:8])
        return 0, hashlib.md5(self.flash[at : at + size]).hexdigest().encode()
