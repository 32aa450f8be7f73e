"""A virtual board and its service, configured or still to be registered, for tests of the whole.

The calendar stands and is moved by the test; the board looks at it five times a second. So what
is waited for is an event, and nothing depends on how fast the machine is.
"""

import ssl
import time
from pathlib import Path

import httpx
import pytest

from lowtide import store
from lowtide.config import Config
from lowtide.orders import Orders
from lowtide.settings import change
from tools import image
from tools.demo.bench import SLOT, Bench
from tools.device import DeviceError
from tools.virtual_board import driver

START = "2026-03-02T08:00:00Z"
HOUR_S = 3600
HANG_S = 40
BACK = "http://localhost:8765/"
MODEL = "Dispenser1"


def wait(holds, why):
    """Wait until `holds()` is true; return what it returned. `why()` says what hangs."""
    end = time.monotonic() + HANG_S
    while not (found := holds()):
        assert time.monotonic() < end, why()
        time.sleep(0.05)
    return found


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
            change(config, {name: value}, len)
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

        def shown():
            status = self.status()
            return all(status[name] == value for name, value in wanted.items()) and status

        return wait(shown, lambda: f"waited for {wanted}; {self.status()}\n{self.log()}")

    def log(self):
        return self.console.command("log")["log"]

    def until_logged(self, text):
        """Wait until a log line holds `text`; return the line."""
        return wait(
            lambda: next((line for line in self.log() if text in line), None),
            lambda: f"waited for {text!r} in {self.log()}",
        )

    def reading(self):
        """Let the calendar go on to the next reading and wait until it was taken."""
        self.bench.advance(901)
        now = self.bench.books()["now"]
        wait(
            lambda: (self.console.command("why")["measured"] or "") >= now,
            lambda: "no reading was taken",
        )

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
        wait(
            lambda: self.status()["time"] >= START,
            lambda: f"the board has no time: {self.log()}",
        )

    def orders(self):
        return self.bench.books()["orders"]

    def requests(self, path):
        return [r for r in self.bench.books()["requests"] if r["path"].startswith(path)]

    def until_ordered(self):
        """Wait until the service has an order, whatever the board knows of it."""
        wait(self.orders, lambda: "no order came")

    def until_requested(self, path):
        """Wait until the service was asked for this."""
        wait(lambda: self.requests(path), lambda: f"no request for {path} came")

    def close(self):
        """Stop everything."""
        if self.console:
            self.console.close()
        self.bench.close()


class Unregistered(Board):
    """A board with everything but what registering brings."""

    def __init__(self, folder, slots=(SLOT,)):
        super().__init__(folder)
        client = {"model": MODEL, "slots": list(slots)}
        self.client = self.bench.control("POST", "/clients", client)
        for name in ("lwa.client_secret", "lwa.refresh_token", "slot.id"):
            del self.settings[name]
        self.settings |= {
            "lwa.client_id": self.client["client_id"],
            "lwa.page": self.bench.service["drs"] + "/ap/oa",
            "device.model": MODEL,
            "device.serial": "A0001",
        }

    def consent(self, link, **answer):
        """Answer the page as the customer; return where the browser is sent."""
        with httpx.Client(
            verify=ssl.create_default_context(cafile=self.bench.service["ca_pem"])
        ) as browser:
            assert browser.get(link).status_code == 200
            form = {"answer": "allow", "slot": [SLOT], **answer}
            return browser.post(link, data=form).headers["Location"]

    def begin(self):
        """Begin to register; return the link."""
        return self.idle("register " + BACK)["link"]

    def register(self):
        """Register as far as the answer."""
        return self.idle("register " + self.consent(self.begin()))

    def refused(self, line):
        """Type a line that is refused; return the error."""
        with pytest.raises(DeviceError) as refused:
            self.idle(line)
        return str(refused.value).partition(": ")[2]

    def idle(self, line):
        """Type a line while no uplink is under way; return the answer."""
        end = time.monotonic() + HANG_S
        while True:
            try:
                return self.console.command(line)
            except DeviceError as e:
                if "under way" not in str(e) or time.monotonic() > end:
                    raise


@pytest.fixture
def board(tmp_path):
    """Give a board with its settings, its flash still to be written."""
    board = Board(tmp_path)
    yield board
    board.close()


@pytest.fixture
def unregistered(tmp_path):
    """Give a board that is still to be registered, its flash to be written."""
    board = Unregistered(tmp_path)
    yield board
    board.close()
