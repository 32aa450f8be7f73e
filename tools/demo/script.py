"""The script: what the bin, the customer, the warehouse and the power do. Never the agent."""

import time
import urllib.parse

from tools.demo.bench import SLOT, BenchError
from tools.demo.story import moment

HOUR_S = 3600
MEASURE_S = 2 * HOUR_S
_SERIAL = "DEMO-0001"


class Script:
    """Drives the bench through the three flows; `refills` and `cuts` are what it did itself."""

    def __init__(self, bench, story):
        self._bench, self._story = bench, story
        self._until = None
        self.refills = []
        self.late_cancel = None

    # -- moving on ------------------------------------------------------------------------------

    def _now(self):
        return self._bench.control("GET", "/clock")["now_s"]

    def _wake(self, use_per_hour=0.0):
        # One sleep of the board: the calendar moves to its next wake, the bin empties meanwhile.
        bench = self._bench
        seconds = max(1, int(self._until - self._now()) + 1)
        bench.level = max(0.03, bench.level - use_per_hour * seconds / HOUR_S)
        bench.advance(seconds)
        self._until = bench.asleep()
        return self._story.follow()

    def _until_true(self, what, done, use_per_hour=0.0, hours=240):
        end_s = self._now() + hours * HOUR_S
        books = self._bench.books()
        while not done(books):
            if self._now() > end_s:
                raise BenchError(f"waited {hours} h of calendar for: {what}")
            books = self._wake(use_per_hour)
        return books

    def _hours(self, hours, use_per_hour=0.0):
        end_s = self._now() + hours * HOUR_S
        while self._now() < end_s:
            self._wake(use_per_hour)

    def _fill(self, level, what):
        self._bench.level = level
        self._story.say(self._now(), "bin", what)
        self._until_true("the refill to be seen", lambda _: self._state() == "none", hours=30)
        self.refills.append(self._now())

    def _state(self):
        return self._story.history[-1][1]

    def _order(self, order, action):
        return self._bench.control("POST", f"/orders/{urllib.parse.quote(order['id'])}/{action}")

    def _problem(self, problem):
        path = f"/devices/{_SERIAL}/slots/{SLOT}/next-order"
        self._bench.control("POST", path, {"problem": problem})

    def _new_order(self, what, hours=80):
        known = len(self._bench.books()["orders"])
        books = self._until_true(what, lambda b: len(b["orders"]) > known, 0.01, hours)
        return books["orders"][-1]

    # -- chapters -------------------------------------------------------------------------------

    def set_up(self):
        """Register the device, flash a blank board, configure it over its console."""
        bench, story = self._bench, self._story
        bench.start_simulator()
        device = {"model": "Demo", "serial": _SERIAL, "slots": [SLOT], "test": False}
        keys = bench.control("POST", "/devices", device)
        bench.level = 0.24
        bench.power_on()
        story.say(self._now(), "board", "a blank board; firmware copied with mpremote")
        bench.deploy()
        console = bench.console()
        settings = {
            **bench.settings(keys),
            "device.model": "Demo",
            "device.serial": _SERIAL,
            "measure.interval_s": MEASURE_S,
            "power.mode": "battery",
        }
        for name, value in settings.items():
            console.command(f"config {name} {value}", shown=f"config {name}")
        story.say(self._now(), "board", "configured over the serial console; goes to sleep")
        self._sleep(console)
        story.follow()

    def _sleep(self, console):
        console.command("sleep")
        console.close()
        self._until = self._bench.asleep()

    def successful(self):
        """An order without problems; a top-up and a new low while it is open."""
        self._story.title("Successful order")
        order = self._new_order("the first order")
        self._until_true("a delivery date", lambda _: self._state() == "confirmed", 0.003)
        self._fill(0.45, "topped up by hand from the cupboard")
        self._hours(max(0, (moment(order["cancel_by"]) - self._now()) / HOUR_S + 1))
        self.late_cancel = self._refused(order, "cancel")
        self._story.say(self._now(), "customer", f"tries to cancel: {self.late_cancel}")
        self._bench.level = 0.12
        self._story.say(self._now(), "bin", "spilled: low again while the order is open")
        self._until_true("an open order met", lambda _: self._state() == "in_progress", 0.001)
        self._deliver(order)
        return order

    def _refused(self, order, action):
        import httpx

        try:
            self._order(order, action)
        except httpx.HTTPStatusError as e:
            return f"refused with {e.response.status_code}"
        return None

    def _deliver(self, order):
        self._hours(4)
        self._order(order, "deliver")
        self._story.follow()
        self._fill(1.0, "the pack has come and is loaded")

    def resolution_lapses(self):
        """An order with a payment problem, a power cut before its answer; 72 h go by."""
        self._story.title("Order resolution, and Scenario 1: the customer does not act")
        bench, story = self._bench, self._story
        self._problem("payment")
        # The service acts at once and holds its answer back: time to pull the plug in between.
        bench.control("PUT", "/faults", [{"path": "/replenish", "action": "delay", "seconds": 20}])
        bench.level = 0.22
        known = len(bench.books()["orders"])
        while len(bench.books()["orders"]) == known:
            self._wake_until_order(known)
        bench.power_cut()
        story.follow()
        story.say(self._now(), "board", "POWER CUT between sending and storing")
        bench.control("PUT", "/faults", [])
        order = bench.books()["orders"][-1]
        bench.power_on()
        story.say(self._now(), "board", "power is back")
        self._sleep(bench.console())
        story.follow()
        self._until_true("the repeat", lambda _: self._state() == "placed", 0.001, 12)
        self._until_true("the resolution", lambda _: self._state() == "resolution", 0.0005)
        second = self._new_order("the order after the lapse")
        self._until_true("a delivery date", lambda _: self._state() == "confirmed", 0.0005)
        self._deliver(second)
        return order, second

    def _wake_until_order(self, known):
        # As `_wake`, but the wake that orders never ends: the answer does not come.
        bench = self._bench
        seconds = max(1, int(self._until - self._now()) + 1)
        bench.level = max(0.03, bench.level - 0.01 * seconds / HOUR_S)
        bench.advance(seconds)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if len(bench.books()["orders"]) > known:
                return
            until = bench.slept()
            if until is not None:
                self._until = until
                self._story.follow()
                return
            time.sleep(0.01)
        raise BenchError("the board neither ordered nor slept")

    def resolution_solved(self):
        """An order with an address problem whose answer is lost; the customer resolves it."""
        self._story.title("Order resolution, and Scenario 2: the customer resolves it")
        bench, story = self._bench, self._story
        self._problem("address")
        bench.control("PUT", "/faults", [{"path": "/replenish", "action": "close-after"}])
        bench.level = 0.22
        order = self._new_order("the order")
        self._until_true("the repeat", lambda _: self._state() == "placed", 0.001, 12)
        self._until_true("the resolution", lambda _: self._state() == "resolution", 0.001)
        self._hours(4)
        self._order(order, "resolve")
        story.say(self._now(), "customer", "corrects the address")
        story.follow()
        self._until_true("a delivery date", lambda _: self._state() == "confirmed", 0.001)
        self._fill(0.45, "topped up by hand from the cupboard")
        bench.level = 0.12
        story.say(self._now(), "bin", "spilled: low again while the order is open")
        self._until_true("an open order met", lambda _: self._state() == "in_progress", 0.001)
        self._deliver(order)
        return order
