"""A MicroPython image for the ESP32, read before a byte of it is written to a board.

The file is what micropython.org offers: boot loader, partition table and application in one, from
the chip's boot loader offset on. Formats: ESP-IDF, "App Image Format", "Partition Tables".
"""

import hashlib
import re
import struct
from dataclasses import dataclass

from esptool.bin_image import LoadFirmwareImage
from esptool.util import FatalError

# The oldest MicroPython that the agent was run on; `vfs` came with 1.23.
OLDEST = (1, 24)
_PARTITION_TABLE = 0x8000
_ENTRY = struct.Struct("<HBBII16sI")
_ENTRY_MAGIC = 0x50AA
_APP, _DATA = 0, 1
_IMAGE_MAGIC = 0xE9


class FirmwareError(ValueError):
    """The file is not a MicroPython that this board can run; the text says why."""


@dataclass(frozen=True)
class Firmware:
    """What a file turned out to be.

    `vfs`: `(offset, size)` of the file system; the size is None where MicroPython takes all that
    the flash has (from 1.26 on).
    """

    version: str
    sha256: str
    vfs: tuple


def read(path, chip, sha256=None):
    """Return the `Firmware` in the file `path`, checked for the chip (see `boards.chips`).

    Raises:
        FirmwareError: it is not for this chip, damaged, too old, or not the one of `sha256`.
        FileNotFoundError: there is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no firmware file {path}")
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if sha256 and digest != sha256.lower():
        raise FirmwareError(f"SHA-256 of {path} is {digest}, not the one given: download it again")
    if data[:1] != bytes((_IMAGE_MAGIC,)):
        raise FirmwareError(f"{path} is no ESP32 image: it does not begin with the byte E9")
    entries = _partitions(data, _PARTITION_TABLE - chip.flash_offset, path)
    app_at = next((at for kind, _, at, _ in entries if kind == _APP), None)
    if app_at is None:
        raise FirmwareError(f"{path} has no application in its partition table")
    app_at -= chip.flash_offset
    for name, at in (("boot loader", 0), ("application", app_at)):
        _check_image(data[at:], name, chip, path)
    found = re.search(rb"MicroPython v(\d+)\.(\d+)[\w.-]*", data[app_at:])
    if not found:
        raise FirmwareError(f"{path} holds no MicroPython")
    if (int(found[1]), int(found[2])) < OLDEST:
        raise FirmwareError(
            f"{path} is {found[0].decode()}; the agent needs v%d.%d or newer" % OLDEST
        )
    return Firmware(found[0].decode(), digest, _vfs(entries, path))


def _partitions(data, at, path):
    # -> [(type, label, offset, size)], in the table's order.
    entries = []
    while True:
        entry = data[at : at + _ENTRY.size]
        if len(entry) < _ENTRY.size or entry[:2] != _ENTRY_MAGIC.to_bytes(2, "little"):
            break
        _, kind, _, offset, size, label, _ = _ENTRY.unpack(entry)
        entries.append((kind, label.rstrip(b"\0").decode(errors="replace"), offset, size))
        at += _ENTRY.size
    if not entries:
        raise FirmwareError(
            f"{path} has no partition table: an update file (.app-bin), or another chip's"
        )
    return entries


def _check_image(data, name, chip, path):
    if data[:1] != bytes((_IMAGE_MAGIC,)):
        raise FirmwareError(f"{path}: no {name} where it should be; cut short?")
    (chip_id,) = struct.unpack_from("<H", data, 12)
    if chip_id != chip.image_id:
        raise FirmwareError(f"{path} is for another chip than {chip.name} (chip id {chip_id})")
    try:
        image = LoadFirmwareImage(chip.name.replace("-", "").lower(), data)
    except (FatalError, struct.error, TypeError) as e:
        # A file that ends too early has esptool stumble over what it did not read.
        raise FirmwareError(f"{path}: {name}: cut short, or no such image: {e}") from None
    if image.checksum != image.calculate_checksum():
        raise FirmwareError(f"{path}: {name}: its checksum is wrong; download it again")
    if image.append_digest and image.stored_digest != image.calc_digest:
        raise FirmwareError(f"{path}: {name}: its SHA-256 is wrong; download it again")


def _vfs(entries, path):
    for kind, label, offset, size in entries:
        if kind == _DATA and label == "vfs":
            return offset, size
    end = max(offset + size for kind, _, offset, size in entries if kind == _APP)
    if any(label == "ffat" for _, label, _, _ in entries):
        raise FirmwareError(f"{path} keeps its files in a FAT partition; the agent needs littlefs")
    return end, None
