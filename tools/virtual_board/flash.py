"""The flash image: what the `vfs` partition of a 4 MB ESP32 holds, byte for byte."""

import fcntl
import os
import time
from pathlib import Path

import littlefs

BLOCK_SIZE = 4096
BLOCK_COUNT = 512
SIZE = BLOCK_SIZE * BLOCK_COUNT
_LOCK_S = 3
_ERASED = b"\xff" * BLOCK_SIZE


def _empty_volume() -> bytes:
    volume = littlefs.LittleFS(block_size=BLOCK_SIZE, block_count=BLOCK_COUNT)
    return bytes(volume.context.buffer)


def prepare(path: Path) -> None:
    """Makes the image of a new board if there is none, or formats an erased one.

    Raises:
        ValueError: the file is no image of this size.
    """
    if path.exists() and path.stat().st_size:
        if path.stat().st_size != SIZE:
            raise ValueError(f"flash image {path} is not {SIZE} bytes long")
        with path.open("rb") as image:
            if image.read(2 * BLOCK_SIZE) != 2 * _ERASED:
                return
    # Aside and renamed: a tool killed at its start must not leave half an image.
    making = path.with_name(f"{path.name}.{os.getpid()}.new")
    making.write_bytes(_empty_volume())
    making.replace(path)


def open_alone(path: Path) -> int:
    """Opens the image for this board only; returns the descriptor.

    Raises:
        ValueError: another board runs on it.
    """
    fd = os.open(path, os.O_RDWR)
    # A board that was just killed takes a moment to let go.
    end = time.monotonic() + _LOCK_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return fd
        except BlockingIOError:
            if time.monotonic() > end:
                os.close(fd)
                raise ValueError(f"flash image {path} is in use by another board") from None
            time.sleep(0.01)
