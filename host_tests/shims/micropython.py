"""What the firmware needs of MicroPython's `micropython` module under CPython."""


def const(value):
    """Return `value`: on the device the compiler folds it."""
    return value


def kbd_intr(char):
    """Do nothing: on the host no character interrupts."""
