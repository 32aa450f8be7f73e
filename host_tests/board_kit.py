"""A configured virtual board and its service, for tests of the whole.

The calendar stands and is moved by the test; the board looks at it five times a second. So what
is waited for is an event, and nothing depends on how fast the machine is.
"""

import time
from pathlib import Path

from lowtide import store
from lowtide.config import Config
from lowtide.orders import Orders
from tools import image
from tools.demo.bench import SLOT, Bench
from tools.virtual_board import driver

START = "2026-03-02T08:00:00Z"
HOUR_S = 3600
HANG_S = 40


class Board:
    """A configured board and its service."""

    def __init__(self, folder):
        self.bench = Bench(folder, START)
        self.bench.start_simulator()
        device = {"model": "M", "serial": "S1", "slots": [SLOT], "test": False}
        self.keys = self.bench.control("POST", "/devices", device)
        self.bench.level = 0.6
        self.console = None
        self.settings = self.bench.settings(self.keys)
        self.certificates = [Path(self.bench.service["ca_der"])]

    def flash(self, rec=None, damage=None, **more):
        """Write a flash image with firmware, settings and record; `damage` edits its files."""
        folder = self.bench.folder / "stage"
        image.stage("host", folder, self.certificates)
        config = Config(store.Store(str(folder / "config.rec")))
        for name, value in {**self.settings, **more}.items():
            config.set(name, value)
        store.Store(str(folder / "order.rec")).save((rec or Orders(None)).pack())
        if damage:
            damage(folder)
        driver.write_image(self.bench.flash, image.layout(image.contents(folder)))

    def start(self, *options):
        """Power on, with more options for the board, and open the console."""
        self.bench.power_on(*options)
        self.console = self.bench.console()

    def status(self):
        return self.console.command("status")

    def until(self, **wanted):
        """Wait until `status` shows all this; return it."""
        end = time.monotonic() + HANG_S
        while True:
            status = self.status()
            if all(status[name] == value for name, value in wanted.items()):
                return status
            assert time.monotonic() < end, f"waited for {wanted}; {status}\n{self.log()}"
            time.sleep(0.05)

    def log(self):
        return self.console.command("log")["log"]

    def until_logged(self, text):
        """Wait until a log line holds `text`; return the line."""
        end = time.monotonic() + HANG_S
        while True:
            for line in self.log():
                if text in line:
                    return line
            assert time.monotonic() < end, f"waited for {text!r} in {self.log()}"
            time.sleep(0.05)

    def reading(self):
        """Let the calendar go on to the next reading and wait until it was taken."""
        self.bench.advance(901)
        now = self.bench.books()["now"]
        end = time.monotonic() + HANG_S
        while (self.console.command("why")["measured"] or "") < now:
            assert time.monotonic() < end, "no reading was taken"
            time.sleep(0.05)

    def pass_days(self, days):
        """Let days go by, a reading in each."""
        for _ in range(days):
            self.bench.advance(24 * HOUR_S - 901)
            self.reading()

    def run_low(self):
        """Empty the bin and let the three readings go by that confirm it."""
        self.until_clock()
        self.bench.level = 0.08
        for _ in range(3):
            self.reading()

    def until_clock(self):
        """Wait until the board has the time."""
        end = time.monotonic() + HANG_S
        while self.status()["time"] < START:
            assert time.monotonic() < end, f"the board has no time: {self.log()}"
            time.sleep(0.05)

    def orders(self):
        return self.bench.books()["orders"]

    def requests(self, path):
        return [r for r in self.bench.books()["requests"] if r["path"].startswith(path)]

    def close(self):
        """Stop everything."""
        if self.console:
            self.console.close()
        self.bench.close()
