"""The log: the last lines in memory, each printed as it comes. The one place that prints."""

from lowtide import dates


class Log:
    """Call it with a line. `lines` holds the last 24. `time_s() -> int` stamps them."""

    def __init__(self, time_s, write):
        self.time_s = time_s
        self.write = write
        self.lines = []

    def __call__(self, text):
        """Log one line, cut to 160 characters; never a secret (callers pass none)."""
        line = bytearray("%s %s" % (dates.iso(self.time_s()), text), "utf-8")[:160]
        for at, byte in enumerate(line):
            if not 32 <= byte < 127:
                line[at] = 63
        text = line.decode()
        self.lines = self.lines[-23:] + [text]
        self.write(text + "\n")
