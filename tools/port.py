"""Why a serial port cannot be opened, in one line; as a program: exit 2, and that line."""

import argparse
import errno
import os
import stat
import sys

from serial.tools import list_ports

_IN_USE = "in use by another program; close its console"
_BUSY = (errno.EAGAIN, errno.EBUSY)


def seen(port):
    """Return what is wrong with `port` as far as it shows unopened, "" if nothing does.

    Opening may reset a board.
    """
    if "://" in port:
        # Not a file: pyserial's way to a port of another computer.
        return ""
    if not os.path.exists(port) and not port.startswith("/dev/"):
        return "no such port; start 'make board' first (a real board's begins with /dev/)"
    if not os.path.exists(port):
        there = ", ".join(each.device for each in list_ports.comports()) or "none"
        return (
            "no such port; is the board plugged in? (USB of the chip's own is gone while it "
            f"sleeps); ports: {there}"
        )
    if not os.access(port, os.R_OK | os.W_OK):
        return "no permission; your user belongs in the port's group (often dialout)"
    return "" if stat.S_ISCHR(os.stat(port).st_mode) else "not a serial port"


def why(port, error=None):
    """Return why `port` was not opened; `error`: what was raised, if that tells."""
    if error is None or getattr(error, "errno", None) in _BUSY:
        return seen(port) or _IN_USE
    return seen(port) or str(error)


def main(argv=None):
    """Say what is wrong with the port that is named; return the exit status."""
    parser = argparse.ArgumentParser(prog="tools.port", description=__doc__)
    parser.add_argument("port", metavar="PORT")
    port = parser.parse_args(argv).port
    wrong = seen(port)
    if wrong:
        print(f"{port}: {wrong}", file=sys.stderr)
    return 2 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
