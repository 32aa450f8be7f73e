"""The log: the last lines in memory, each printed as it comes. The one place that prints."""

from micropython import const

from lowtide import dates

_KEEP = const(24)
_WIDTH = const(160)


class Log:
    """Call it with a line. `lines` holds the last 24. `time_s() -> int` stamps them."""

    def __init__(self, time_s, write):
        self._time_s = time_s
        self._write = write
        self.lines = []

    def __call__(self, text):
        """Log one line, cut to 160 characters; never a secret (callers pass none)."""
        line = "%s %s" % (dates.iso(self._time_s()), text)
        line = "".join(c if " " <= c <= "~" else "?" for c in line[:_WIDTH])
        self.lines.append(line)
        if len(self.lines) > _KEEP:
            self.lines.pop(0)
        self._write(line + "\n")
