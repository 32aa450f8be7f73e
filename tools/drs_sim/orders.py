"""The life of an order: resolution, placed, shipped, delivered or cancelled.

An order whose `outcome` is open locks its slot. `due_ms` is when it next moves by itself.
"""

import math

from tools.drs_sim import letters
from tools.drs_sim.accounts import UnknownThing
from tools.drs_sim.clock import HOUR_MS, iso
from tools.drs_sim.order_words import (
    CANCELLED,
    DELIVERED,
    LAPSED,
    PLACED,
    RESOLUTION,
    SHIPPED,
    new_id,
)

CANCEL_WINDOW_MS = 24 * HOUR_MS
RESOLUTION_WINDOW_MS = 72 * HOUR_MS


class WrongPhase(Exception):
    """The order cannot do that now; the message says why."""


class Orders:
    """Places orders and moves them along; the caller holds the transaction."""

    def __init__(self, store, books, accounts, options):
        self._store = store
        self._books = books
        self._accounts = accounts
        self._options = options
        self._first_due_ms = None

    def replenish(self, device, slot, now_ms: int) -> tuple[str, str | None]:
        """Place an order unless one is open. Return (detailCode, eventInstanceId)."""
        open_order = self._store.one(
            "SELECT id FROM orders WHERE serial = ? AND slot = ? AND outcome IS NULL",
            *(device["serial"], slot["slot"]),
        )
        if open_order is not None:
            return "ORDER_INPROGRESS", self._id_in_progress(open_order["id"])
        detail_code = "TEST_ORDER_PLACED" if device["test"] else "STANDARD_ORDER_PLACED"
        order = {
            "id": new_id(),
            "serial": device["serial"],
            "slot": slot["slot"],
            "detail_code": detail_code,
            "test": device["test"],
            "problem": slot["next_problem"],
            "placed_ms": now_ms,
        }
        if slot["next_problem"] is None:
            order |= self._confirmed(now_ms)
            self._insert(order)
            self._tell_confirmed(order, device, now_ms)
        else:
            by_ms = now_ms + RESOLUTION_WINDOW_MS
            order |= {"phase": RESOLUTION, "resolve_by_ms": by_ms, "due_ms": by_ms}
            self._insert(order)
            self._accounts.set_next_problem(device["serial"], slot["slot"], None)
            self._books.mail(order, now_ms, letters.needs_attention(order))
        return detail_code, order["id"]

    def find(self, order_id: str):
        """Return an order's row. Raises UnknownThing."""
        row = self._store.one("SELECT * FROM orders WHERE id = ?", order_id)
        if row is None:
            raise UnknownThing(f"no such order: {order_id}")
        return row

    def resolve(self, order_id: str, now_ms: int) -> None:
        """The customer solves the problem: the order is placed after all."""
        order = self.find(order_id)
        _require(order, RESOLUTION)
        order = self._update(order_id, **self._confirmed(now_ms))
        self._tell_confirmed(order, self._accounts.device(order["serial"]), now_ms)

    def cancel(self, order_id: str, now_ms: int) -> None:
        """The customer cancels, within the window; a test order at any time."""
        order = self.find(order_id)
        _require(order, RESOLUTION, PLACED, *((SHIPPED,) if order["test"] else ()))
        if order["phase"] == PLACED and not order["test"] and now_ms >= order["cancel_by_ms"]:
            raise WrongPhase(f"the cancel window closed at {iso(order['cancel_by_ms'])}")
        self._cancel(order_id, now_ms, CANCELLED, "As you asked, your order was cancelled.")

    def cancel_test(self, serial: str, slot: str, now_ms: int) -> None:
        """CancelTestOrder: free a slot that a test order locks."""
        for order_id in self._open(serial, slot, test=True):
            order = self._close(order_id, now_ms, CANCELLED)
            if self._options["cancel_test_notifies"] == "yes":
                self._tell("OrderCancelled", order, now_ms)

    def abandon(self, serial: str, slot: str | None, now_ms: int) -> None:
        """The slot, or with None the device, is given up: cancel what was not shipped."""
        for order_id in self._open(serial, slot):
            if self.find(order_id)["phase"] != SHIPPED:
                text = "Reordering was turned off: your order was cancelled."
                self._cancel(order_id, now_ms, CANCELLED, text)

    def expected_ms(self, order) -> int | None:
        """Return when an order should arrive, as GetOrderInfo tells it."""
        if order["expected_ms"] is None and self._options["status_vocabulary"] != "newest":
            return order["placed_ms"] + self._hours("ship") + self._hours("deliver")
        return order["expected_ms"]

    def ship(self, order_id: str, now_ms: int) -> None:
        """The warehouse ships before its time."""
        _require(self.find(order_id), PLACED)
        self._ship(order_id, now_ms)

    def deliver(self, order_id: str, now_ms: int) -> None:
        """The parcel arrives before its time; a placed order is shipped first."""
        order = self.find(order_id)
        _require(order, PLACED, SHIPPED)
        if order["phase"] == PLACED:
            self._ship(order_id, now_ms)
        self._deliver(order_id, now_ms)

    def fire_due(self, now_ms: int) -> None:
        """Do what has fallen due by now, in order, each at its own time."""
        if not self.is_due(now_ms):
            return
        while (order := self._next(now_ms)) is not None:
            due_ms = order["due_ms"]
            if order["phase"] == RESOLUTION:
                text = "The problem was not solved within 72 hours: your order was cancelled."
                self._cancel(order["id"], due_ms, LAPSED, text)
            elif order["phase"] == PLACED:
                self._ship(order["id"], due_ms)
            else:
                self._deliver(order["id"], due_ms)
        self._first_due_ms = None

    def is_due(self, now_ms: int) -> bool:
        """Say whether `fire_due` would do anything."""
        if self._first_due_ms is None:  # otherwise it may be too early, never too late
            row = self._store.one("SELECT min(due_ms) AS due_ms FROM orders WHERE due_ms NOT NULL")
            self._first_due_ms = math.inf if row["due_ms"] is None else row["due_ms"]
        return self._first_due_ms <= now_ms

    def _next(self, now_ms):
        return self._store.one(
            "SELECT id, phase, due_ms FROM orders WHERE due_ms <= ? ORDER BY due_ms, seq LIMIT 1",
            now_ms,
        )

    def _open(self, serial, slot, test=False):
        rows = self._store.all(
            "SELECT id FROM orders WHERE serial = ? AND outcome IS NULL"
            " AND (? IS NULL OR slot = ?) AND test >= ? ORDER BY seq",
            *(serial, slot, slot, test),
        )
        return [row["id"] for row in rows]

    def _id_in_progress(self, open_id):
        wanted = self._options["inprogress_id"]
        if wanted == "fresh":
            return new_id()
        return open_id if wanted == "open" else None

    def _hours(self, step):
        return self._options[f"{step}_after_hours"] * HOUR_MS

    def _confirmed(self, now_ms):
        """Return what becomes of an order once nothing is in its way."""
        ships_ms = now_ms + self._hours("ship")
        return {
            "phase": PLACED,
            "confirmed_ms": now_ms,
            "cancel_by_ms": now_ms + CANCEL_WINDOW_MS,
            "expected_ms": ships_ms + self._hours("deliver"),
            "due_ms": ships_ms,
        }

    def _tell_confirmed(self, order, device, now_ms):
        self._books.tell_order("OrderPlaced", device, order, now_ms, letters.created(order))
        if order["test"]:
            self._ship(order["id"], now_ms)

    def _ship(self, order_id, now_ms):
        due_ms = expected_ms = now_ms + self._hours("deliver")
        if self.find(order_id)["test"]:
            # Never delivered: it locks its slot until someone, or the option, ends it.
            free_ms = self._options["test_order_hours"] * HOUR_MS
            due_ms = now_ms + free_ms if free_ms else None
        order = self._update(
            order_id,
            phase=SHIPPED,
            shipped_ms=now_ms,
            expected_ms=expected_ms,
            due_ms=due_ms,
        )
        self._tell("ItemShipped", order, now_ms, letters.shipped(order))

    def _deliver(self, order_id, now_ms):
        self._update(
            order_id, phase=DELIVERED, delivered_ms=now_ms, due_ms=None, outcome=DELIVERED
        )

    def _cancel(self, order_id, now_ms, outcome, text):
        order = self._close(order_id, now_ms, outcome)
        self._tell("OrderCancelled", order, now_ms, letters.cancelled(text))

    def _close(self, order_id, now_ms, outcome):
        return self._update(
            order_id,
            phase=CANCELLED,
            cancelled_ms=now_ms,
            expected_ms=None,
            due_ms=None,
            outcome=outcome,
        )

    def _tell(self, kind, order, now_ms, letter=None):
        device = self._accounts.device(order["serial"])
        self._books.tell_order(kind, device, order, now_ms, letter)

    def _insert(self, order):
        self._expect(order["due_ms"])
        names, marks = ", ".join(order), ", ".join("?" * len(order))
        self._store.run(f"INSERT INTO orders ({names}) VALUES ({marks})", *order.values())

    def _expect(self, due_ms):
        if due_ms is not None and self._first_due_ms is not None:
            self._first_due_ms = min(self._first_due_ms, due_ms)

    def _update(self, order_id, **columns):
        self._expect(columns.get("due_ms"))
        names = ", ".join(f"{name} = ?" for name in columns)
        query = f"UPDATE orders SET {names} WHERE id = ? RETURNING *"
        return self._store.one(query, *columns.values(), order_id)


def _require(order, *phases):
    if order["phase"] not in phases:
        now = order["outcome"] or order["phase"]
        raise WrongPhase(f"the order is {now}, not {' or '.join(phases)}")
