"""Tracebacks as the port prints them."""

import io
import sys


def print_exception(exc):
    """Prints without the lines of the shims: on silicon they are C."""
    text = io.StringIO()
    sys.print_exception(exc, text)
    for line in text.getvalue().split("\n")[:-1]:
        if 'File "machine"' not in line:
            print(line)
