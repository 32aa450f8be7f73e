"""The service as one object: calendar, books, accounts, orders, faults, moved in atomic steps."""

from contextlib import contextmanager

from tools.drs_sim.accounts import Accounts
from tools.drs_sim.books import Books
from tools.drs_sim.clock import Calendar
from tools.drs_sim.faults import Script
from tools.drs_sim.options import Options
from tools.drs_sim.orders import Orders
from tools.drs_sim.sns import Topic
from tools.drs_sim.store import Store
from tools.drs_sim.wire import Wire


class Simulator:
    """Holds the parts together; nothing in it awaits, so a step is atomic for every caller."""

    def __init__(self, store: Store, clock: Calendar):
        self.store = store
        self.clock = clock
        self.options = Options(store)
        self.topic = Topic(store, self.options)
        with store.transaction():
            self.books = Books(store, self.options, self.topic)
        self.accounts = Accounts(store, self.books, self.options)
        self.orders = Orders(store, self.books, self.accounts, self.options)
        self.faults = Script(store)
        self.wire = Wire()

    @contextmanager
    def step(self, keep_clock: bool = True):
        """One atomic step: first what fell due by now, then the caller's part, at that now."""
        now_ms = self.clock.now_ms()
        with self.store.transaction():
            self.orders.fire_due(now_ms)
            yield now_ms
            if keep_clock:
                self._save_clock()

    def tick(self) -> None:
        """Fire what is due, and keep the calendar's position."""
        with self.step():
            pass

    def subscribe(self, serial: str, slot: str, subscribed: bool, now_ms: int):
        """The customer turns a slot on or off; an option says what becomes of its order."""
        row = self.accounts.subscribe(serial, slot, subscribed, now_ms)
        if not subscribed and self.options["unsubscribe_order"] == "cancels":
            self.orders.abandon(serial, slot, now_ms)
        return row

    def deregister(self, serial: str, now_ms: int) -> None:
        """Unlink a device: its tokens and codes are void; an option says what its orders do."""
        if self.options["deregister_order"] == "cancels":
            self.orders.abandon(serial, None, now_ms)
        self.accounts.revoke(serial, now_ms)

    def _save_clock(self):
        clock = self.clock
        self.store.run(
            "INSERT OR REPLACE INTO clock VALUES (1, ?, ?, ?, ?)",
            *(clock.now_ms(), clock.speed, clock.paused, clock.version),
        )


def open_calendar(store: Store, start_ms: int, speed: float | None, paused: bool) -> Calendar:
    """Return the calendar of a state file, or a new one that starts at `start_ms`.

    A kept calendar goes on where it was; a speed given anew replaces the one it had.
    """
    row = store.one("SELECT * FROM clock")
    if row is None:
        return Calendar(start_ms, 1.0 if speed is None else speed, paused)
    last = store.one("SELECT time_ms FROM requests ORDER BY seq DESC LIMIT 1")
    return Calendar(
        max(row["now_ms"], last["time_ms"] if last else 0),
        row["speed"] if speed is None else speed,
        paused or bool(row["paused"]),
        row["version"] + 1,
    )
