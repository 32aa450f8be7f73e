"""Gauge drivers, one a file. A gauge is `read() -> permille`, or raises `GaugeFault`."""


class GaugeFault(Exception):
    """The gauge cannot be trusted now; the message says why. A fault never orders."""
