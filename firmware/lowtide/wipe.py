"""`factory-reset`: settings, order and every trace of them out of the flash.

littlefs does not erase what it gives free. So the log of the root folder is made to move to fresh
blocks, several times, and what is free is filled up; then the raw flash is read for traces.
Loaded when somebody types it.
"""

import json
import os

from micropython import const

from lowtide.config import SECRET, names, point

# Writes of 128 bytes at most until the log, two blocks, has moved twice, and as many in hand.
_WRITES = const(200)
# MicroPython's errno does not name it.
_ENOSPC = const(28)
_PIECE = const(16)
_STEP = const(64)
_LEFT = const("a secret is left in block %d: erase the whole flash")


def wipe(config, flash, feed, folder="/"):
    """Remove the settings first: without them nothing is ever ordered. Then all the rest.

    `flash`: see `hal.flash`; `feed` feeds the watchdog.

    Raises:
        OSError: the flash failed, or still holds a trace; the device is without settings.
    """
    traces = _traces(config)
    # All the room there need be, before anything is gone.
    piece = bytearray(b"\xff" * 1024)
    for name in sorted(os.listdir(folder)):
        if ".rec" in name:
            os.remove(folder + name)
            config.load()
    scratch = folder + "config.rec.tmp"
    for _ in range(_WRITES):
        with open(scratch, "wb") as f:
            f.write(b"\xff" * 100)
        feed()
    with open(scratch, "wb") as f:
        _fill(f, piece, feed)
    os.remove(scratch)
    for number in range(flash.ioctl(4, 0)):
        feed()
        # The pieces of a block overlap by more than a trace takes.
        for at in range(0, 3073, 768):
            flash.readblocks(number, piece, at)
            for trace in traces:
                if trace in piece:
                    raise OSError(_LEFT % number)


def _traces(config):
    # How a secret begins in the file, and samples of the long ones, which may go over two blocks.
    traces = []
    for name in names():
        if point(name)[0] == SECRET:
            traces.append(b'%s": "' % name.encode())
            text = json.dumps(config[name]).encode()
            for start in range(0, len(text) - _STEP, _STEP):
                traces.append(text[start : start + _PIECE])
    return traces


def _fill(f, piece, feed):
    try:
        while True:
            f.write(piece)
            feed()
    except OSError as e:
        if e.errno != _ENOSPC:
            raise
