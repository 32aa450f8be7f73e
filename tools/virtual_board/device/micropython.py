"""`micropython` with a `kbd_intr` that also tells the tool that binary data is to come."""

import micropython as _unix
from micropython import const
from vb_core import ask

_TRANSPARENT = const(0x62)


def kbd_intr(chr):
    """Sets the interrupt character; -1 also makes the output transparent, as a UART is."""
    if chr < 0:
        _unix.kbd_intr(chr)
        ask(_TRANSPARENT, b"1")
    else:
        ask(_TRANSPARENT, b"0")
        _unix.kbd_intr(chr)


def __getattr__(name):
    return getattr(_unix, name)
