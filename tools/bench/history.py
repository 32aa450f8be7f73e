"""A state file with a long history: 10,000 devices that placed 100,000 orders."""

import secrets
import time
from pathlib import Path

from tools.drs_sim.clock import HOUR_MS, Calendar
from tools.drs_sim.order_words import new_id
from tools.drs_sim.simulator import Simulator
from tools.drs_sim.store import Store

_DEVICES = 10_000
_ORDERS = 100_000


def write_history(path: Path) -> None:
    """Write the file: the books of years, with one order in twenty still open."""
    now_ms = round(time.time() * 1000)
    store = Store(str(path))
    sim = Simulator(store, Calendar(now_ms))
    with sim.step():
        client = sim.accounts.client_of_model("past", ["kibble"])["client_id"]
        serials = [f"past-{number}" for number in range(_DEVICES)]
        store.run_many(
            "INSERT INTO devices (serial, model, client_id, test, refresh_hash, registered_ms)"
            " VALUES (?, 'past', ?, 0, ?, ?)",
            ((serial, client, secrets.token_bytes(32), now_ms) for serial in serials),
        )
        store.run_many(
            "INSERT INTO slots (serial, slot, subscribed) VALUES (?, 'kibble', 1)",
            ((serial,) for serial in serials),
        )
        store.run_many(
            "INSERT INTO orders (id, serial, slot, detail_code, test, phase, placed_ms,"
            " due_ms, outcome) VALUES (?, ?, 'kibble', 'STANDARD_ORDER_PLACED', 0, ?, ?, ?, ?)",
            (_order(number, serials, now_ms) for number in range(_ORDERS)),
        )
        for table, columns in (
            ("told", "time_ms, type, serial, payload, kind, subject, text"),
            ("requests", "time_ms, method, serial, path"),
        ):
            names = columns.split(", ")
            marks = ", ".join("?" for _ in names)
            rows = (
                (now_ms, "x", serials[n % _DEVICES], *("x" * 300,) * (len(names) - 3))
                for n in range(_ORDERS)
            )
            store.run_many(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)
    store.close()


def _order(number, serials, now_ms):
    serial = serials[number % _DEVICES]
    placed_ms = now_ms - (_ORDERS - number) * 60_000
    if number >= _ORDERS - _ORDERS // 20:
        return new_id(), serial, "placed", placed_ms, now_ms + 1000 * HOUR_MS, None
    return new_id(), serial, "delivered", placed_ms, None, "delivered"
