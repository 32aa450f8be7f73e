"""The lanes of the page: a device and slot each, with its order's life and its switches."""

import hashlib
import json
from collections import defaultdict
from html import escape

from tools.drs_sim.page_order import order_pill, steps, timeline
from tools.drs_sim.page_parts import button, day_time, form, pill

_DEVICES = 12
_RECENT = 200  # orders and notifications looked at; the books may hold many more
_EARLIER = 5
_NEXT_ORDERS = ((None, "None"), ("address", "Address"), ("payment", "Payment"), ("stock", "Stock"))


def lanes(sim, now_ms: int) -> str:
    """Return the lanes of the devices that were busy or new last, in the order they came."""
    store = sim.store
    orders = store.all("SELECT * FROM orders ORDER BY seq DESC LIMIT ?", _RECENT)
    serials = _busy(store, orders)
    places = ", ".join("?" * len(serials))
    slots = store.all(
        "SELECT slots.*, model, test, revoked_ms FROM slots JOIN devices USING (serial)"
        f" WHERE serial IN ({places}) ORDER BY devices.rowid, slots.rowid",
        *serials,
    )
    told = _told(store)
    drawn = "".join(_lane(slot, _orders_of(store, orders, slot), told, now_ms) for slot in slots)
    count = store.one("SELECT count(*) AS number FROM devices")["number"]
    if count > len(serials):
        drawn += f'<p class="quiet">{count - len(serials)} quieter devices are not shown.</p>'
    return drawn or _EMPTY


_EMPTY = (
    '<p class="quiet" id="no-lane">No device yet. A board gets its account when it is set up; by '
    'hand: <code>curl -d \'{"model":"feeder","serial":"unit-1","slots":["kibble"]}\' '
    "THIS-ADDRESS/devices</code></p>"
)


def _busy(store, orders):
    newest = "SELECT serial, registered_ms FROM devices ORDER BY rowid DESC LIMIT ?"
    latest = {row["serial"]: row["registered_ms"] for row in store.all(newest, _DEVICES)}
    for row in reversed(orders):
        latest[row["serial"]] = max(row["placed_ms"], latest.get(row["serial"], 0))
    return sorted(latest, key=latest.get, reverse=True)[:_DEVICES]


def _told(store):
    """Return what the maker was told, by order."""
    told = defaultdict(list)
    rows = store.all(
        "SELECT order_id, type, time_ms FROM notifications WHERE order_id IS NOT NULL"
        " ORDER BY seq DESC LIMIT ?",
        _RECENT,
    )
    for row in reversed(rows):
        told[row["order_id"]].append((row["type"].removesuffix("Notification"), row["time_ms"]))
    return told


def _orders_of(store, orders, slot):
    """Return a slot's orders, the newest first; an open one is found however old it is."""
    place = (slot["serial"], slot["slot"])
    found = [row for row in orders if (row["serial"], row["slot"]) == place]
    if not found:
        old = "SELECT * FROM orders WHERE serial = ? AND slot = ? AND outcome IS NULL"
        found = store.all(old, *place)
    return found


def _lane(slot, orders, told, now_ms):
    key = hashlib.sha256(f"{slot['serial']}/{slot['slot']}".encode()).hexdigest()[:10]
    if orders:
        body = _order(orders[0], told[orders[0]["id"]], now_ms)
    else:
        body = '<p class="quiet">No order yet. The next Replenish places one.</p>'
    state = order_pill(orders[0], now_ms) if orders else pill("none", "No order")
    badges = pill("none", "test device") if slot["test"] else ""
    badges += pill("cancelled", "app removed") if slot["revoked_ms"] is not None else ""
    return (
        f'<article class="lane" id="lane-{key}">'
        f'<header><h3 tabindex="-1">{escape(slot["slot"])}</h3>'
        f'<p class="quiet">{escape(slot["serial"])} · {escape(slot["model"])}{_level(slot)}</p>'
        f'<p class="state">{badges}{state}</p></header>'
        f'<div id="life-{key}">{body}</div>'
        f"{_switches(slot, key)}{_earlier(orders[1:], now_ms)}</article>"
    )


def _level(slot):
    """Return what the device last reported of the slot's content."""
    report = json.loads(slot["status"]) if slot["status"] else {}
    left, full = (report.get(f"{name}QuantityInUnit") for name in ("remaining", "original"))
    if left is None or full is None:
        return ""
    return f" · reports {escape(f'{left:g} of {full:g}')} left"


def _order(order, told, now_ms):
    if told:
        said = ", ".join(f"{kind} {day_time(at_ms)}" for kind, at_ms in told)
    else:
        said = "nothing yet"
    warehouse = ""
    if order["phase"] == "placed":
        warehouse = button("Ship now", "verb", "ship") + button("Deliver now", "verb", "deliver")
    elif order["phase"] == "shipped":
        warehouse = button("Deliver now", "verb", "deliver")
    if warehouse:
        warehouse = form("order", warehouse, "Warehouse", id=order["id"])
    return (
        f"{timeline(order, now_ms)}{steps(order, now_ms)}"
        f'<div class="row"><p class="told"><b>The maker was told:</b> {said}</p>{warehouse}</div>'
    )


def _switches(slot, key):
    place = {"serial": slot["serial"], "slot": slot["slot"]}
    on = bool(slot["subscribed"])
    toggle = button("Auto-reorder", "subscribed", "off" if on else "on", "switch", on)
    choices = "".join(
        button(text, "problem", problem or "none", pressed=slot["next_problem"] == problem)
        for problem, text in _NEXT_ORDERS
    )
    name = "Problem of the next order"
    return (
        f'<div class="row switches" id="switches-{key}">'
        f"{form('slot', toggle, **place)}"
        '<div class="labelled"><span class="label" aria-hidden="true">'
        f"{name}</span>"
        f'<div class="segments">{form("slot", choices, name, **place)}</div>'
        "</div></div>"
    )


def _earlier(orders, now_ms):
    if not orders:
        return ""
    rows = "".join(
        f"<li>{day_time(order['placed_ms'])} {order_pill(order, now_ms)}</li>"
        for order in orders[:_EARLIER]
    )
    return (
        f'<details class="earlier"><summary>Earlier orders ({len(orders)})</summary>'
        f"<ul>{rows}</ul></details>"
    )
