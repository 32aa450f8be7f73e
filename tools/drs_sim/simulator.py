"""The service as one object: calendar, books, accounts, orders, faults, moved in atomic steps."""

from contextlib import contextmanager

from tools.drs_sim.accounts import Accounts
from tools.drs_sim.books import Books
from tools.drs_sim.clock import Calendar
from tools.drs_sim.faults import Script
from tools.drs_sim.orders import Orders
from tools.drs_sim.store import Store
from tools.drs_sim.wire import Wire


class Simulator:
    """Holds the parts together; nothing in it awaits, so a step is atomic for every caller."""

    def __init__(self, store: Store, clock: Calendar):
        self.store = store
        self.clock = clock
        with store.transaction():
            self.books = Books(store)
        self.accounts = Accounts(store, self.books)
        self.orders = Orders(store, self.books, self.accounts)
        self.faults = Script(store)
        self.wire = Wire()

    @contextmanager
    def step(self):
        """One atomic step: first what fell due by now, then the caller's part, at that now."""
        now_ms = self.clock.now_ms()
        with self.store.transaction():
            self.orders.fire_due(now_ms)
            yield now_ms
            self._save_clock()

    def tick(self) -> None:
        """Fire what is due, and keep the calendar's position."""
        with self.step():
            pass

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
    return Calendar(
        row["now_ms"],
        row["speed"] if speed is None else speed,
        paused or bool(row["paused"]),
        row["version"] + 1,
    )
