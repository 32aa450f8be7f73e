"""The books as `GET /state` shows them. No secret is in it."""

import json

from tools.drs_sim.clock import iso
from tools.drs_sim.order_words import CANCELLED, status_of


def snapshot(sim) -> dict:
    """Return everything that happened so far."""
    store, now_ms = sim.store, sim.clock.now_ms()
    orders = [order_view(row) for row in store.all("SELECT * FROM orders ORDER BY seq")]
    return {
        "now": iso(now_ms),
        "now_s": now_ms // 1000,
        "speed": sim.clock.speed,
        "paused": sim.clock.paused,
        "devices": [_device(row) for row in store.all("SELECT * FROM devices ORDER BY rowid")],
        "slots": [slot_view(sim, row) for row in store.all("SELECT * FROM slots ORDER BY rowid")],
        "orders": orders,
        "purchases": [order for order in orders if order["phase"] != CANCELLED],
        "notifications": [
            {
                **_timed(row, "type", "serial", "order_id", "slot"),
                "payload": sim.books.payload(row),
            }
            for row in store.all("SELECT * FROM notifications ORDER BY seq")
        ],
        "emails": [
            _timed(row, "kind", "serial", "order_id", "subject", "text")
            for row in store.all("SELECT * FROM emails ORDER BY seq")
        ],
        "requests": [
            {
                **_timed(row, "method", "path", "status", "serial", "fault"),
                "detailCode": row["detail_code"],
            }
            for row in store.all("SELECT * FROM requests ORDER BY seq")
        ],
    }


def order_view(row) -> dict:
    """Return an order as the control API shows it."""
    return {
        "id": row["id"],
        "serial": row["serial"],
        "slot": row["slot"],
        "detailCode": row["detail_code"],
        "status": status_of(row),
        "phase": row["phase"],
        "problem": row["problem"],
        "placed_at": iso(row["placed_ms"]),
        "confirmed_at": iso(row["confirmed_ms"]),
        "resolve_by": iso(row["resolve_by_ms"]),
        "cancel_by": iso(row["cancel_by_ms"]),
        "shipped_at": iso(row["shipped_ms"]),
        "delivered_at": iso(row["delivered_ms"]),
        "cancelled_at": iso(row["cancelled_ms"]),
        "outcome": row["outcome"],
    }


def slot_view(sim, row) -> dict:
    """Return a slot as the control API shows it, with the order that locks it."""
    locked_by = sim.store.one(
        "SELECT id FROM orders WHERE serial = ? AND slot = ? AND outcome IS NULL",
        *(row["serial"], row["slot"]),
    )
    return {
        "serial": row["serial"],
        "slot": row["slot"],
        "subscribed": bool(row["subscribed"]),
        "next_problem": row["next_problem"],
        "open_order": locked_by and locked_by["id"],
        "last_status": _json(row["status"]),
    }


def _device(row):
    return {
        "serial": row["serial"],
        "model": row["model"],
        "client_id": row["client_id"],
        "test": bool(row["test"]),
        "registered_at": iso(row["registered_ms"]),
        "revoked_at": iso(row["revoked_ms"]),
        "last_status": _json(row["status"]),
    }


def _timed(row, *names):
    return {"time": iso(row["time_ms"]), **{name: row[name] for name in names}}


def _json(text):
    return None if text is None else json.loads(text)
