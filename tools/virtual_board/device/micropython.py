"""`micropython` with a `kbd_intr` that also tells the tool that binary data is to come."""

import micropython as _builtin
from vb_bus import ask


def kbd_intr(char):
    """Sets the interrupt character; -1 also makes the output transparent, as a UART is."""
    if char < 0:
        _builtin.kbd_intr(char)
        ask("b", b"1")
    else:
        ask("b", b"0")
        _builtin.kbd_intr(char)


def __getattr__(name):
    return getattr(_builtin, name)
