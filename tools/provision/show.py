"""What a person sees of a run: a bar for each board on a terminal, a line for each elsewhere."""

import shutil
import sys
import threading

from tqdm import tqdm

_FORMAT = "{bar:24} {desc}"


class Show:
    """Progress of boards on `ports`, `steps` each; `plain`: lines, whatever the output is."""

    def __init__(self, ports, steps, plain=False):
        self._lock = threading.Lock()
        self._bars, self._names = {}, {port: port.removeprefix("/dev/") for port in ports}
        # More bars than lines would scroll by as rubbish.
        fits = len(ports) < shutil.get_terminal_size().lines
        if sys.stderr.isatty() and fits and not plain:
            for number, port in enumerate(ports):
                self._bars[port] = tqdm(total=steps, position=number, bar_format=_FORMAT)

    def name(self, port, serial):
        """The board on that port is this one."""
        if serial:
            self._names[port] = f"{port.removeprefix('/dev/')} {serial}"

    def step(self, port, what):
        """The board begins with this."""
        bar = self._bars.get(port)
        if bar is not None:
            bar.set_description_str(f"{self._names[port]}: {what}", refresh=False)
            bar.update()

    def done(self, port, serial, result, reason):
        """This became of the board."""
        bar = self._bars.get(port)
        if bar is None:
            self.line(one_line(port, serial, result, reason))
            return
        if result == "good":
            bar.update(bar.total - bar.n)
        bar.set_description_str(f"{self._names[port]}: {result}")

    def line(self, text):
        """Print a line."""
        with self._lock:
            print(text, flush=True)

    def close(self):
        """Leave the bars as they are. Return whether there were any."""
        for bar in self._bars.values():
            bar.close()
        return bool(self._bars)


def one_line(port, serial, result, reason):
    """Return what became of a board as one line."""
    return f"{port}  {serial or '-'}  {result}" + (f": {reason}" if reason else "")
