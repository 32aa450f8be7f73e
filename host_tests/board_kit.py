"""A virtual board and its service, configured or still to be registered, for tests of the whole.

The calendar stands and is moved by the test; the board looks at it five times a second. So what
is waited for is an event, and nothing depends on how fast the machine is.
"""

import json
import os
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from lowtide import dates, store
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
BATTERY = {"power.mode": "battery"}


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


class Waking(Board):
    """A board that a test can hurt: in its air, in its chip, in its files."""

    def __init__(self, folder):
        super().__init__(folder)
        self.air = folder / "air.json"
        self.spoil_air()

    def start(self, *options):
        """Power on in an air that can be spoiled."""
        super().start("--air", str(self.air), *options)

    def other_program(self, source):
        """Run `source`, which starts the board anew, at MicroPython's prompt."""
        self.at_prompt("--no-follow", source)
        self.console = self.bench.console()

    def at_prompt(self, *source):
        """Run `source` at MicroPython's prompt; return what it printed."""
        self.console.close()
        port = str(self.bench.folder / "board")
        mpremote = [sys.executable, "-m", "mpremote", "connect", port, "resume", "exec"]
        return subprocess.run(
            [*mpremote, *source], check=True, timeout=60, capture_output=True, text=True
        ).stdout

    def spoil_air(self, **what):
        """Change the air, whole; the access point has the name that the board looks for."""
        driver.VirtualBoard.spoil_air(self, ssid="x", **what)

    def crash(self):
        """Have the chip panic and start again."""
        number = len(self.events("crash")) + 1
        pid = self.bench.board["pid"]
        (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        os.kill(int(child), signal.SIGSEGV)
        driver.eventually(lambda: len(self.events("crash")) == number)
        self.reopen()

    def reopen(self):
        """Open the console again: a start forgets JSON mode."""
        self.console.close()
        self.console = self.bench.console()

    def events(self, kind):
        """Return what the board did since it was made."""
        lines = (self.bench.folder / "events").read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == kind]

    def sleep(self):
        """Send it to sleep by the console; return until when."""
        self.console.command("sleep")
        return self.bench.asleep()

    def now(self):
        """Return the calendar in Unix seconds."""
        return dates.parse_iso(self.bench.books()["now"])

    def wake(self, seconds):
        """Let so much time pass and wait until it sleeps again; return until when."""
        self.bench.advance(seconds)
        return self.bench.asleep()


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


@pytest.fixture
def waking(tmp_path):
    """Give a board that a test can hurt, its flash to be written."""
    board = Waking(tmp_path)
    yield board
    board.close()
