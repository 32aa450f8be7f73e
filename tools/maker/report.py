"""What the ledger says: as JSON, as a page for people, and as lines for a terminal."""

import json
from collections import defaultdict
from datetime import UTC, datetime
from html import escape

from tools.maker import standing
from tools.maker.ledger import Ledger

_ORDERS = 200
_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; max-width: 70rem; margin: 2rem auto;
  padding: 0 1rem; font-variant-numeric: tabular-nums; }
h1 { font-size: 1.3rem; } h2 { font-size: 1rem; margin-top: 2rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .9rem .35rem 0; vertical-align: top;
  border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
.asked { font-weight: 650; } .time { white-space: nowrap; }
code { overflow-wrap: anywhere; font-size: .8rem; }
"""


def overview(ledger: Ledger) -> dict:
    """Return topic, counters, and where every order, slot and device stands."""
    now_ms = _now_ms(ledger)
    orders = _orders(ledger, now_ms)
    return {
        "topic": ledger.topic,
        "as_of": _iso(now_ms),
        "counters": ledger.counters(),
        "orders": orders,
        "slots": _slots(ledger, orders),
        "devices": _devices(ledger),
    }


def text(ledger: Ledger) -> str:
    """Return the overview as lines for a terminal."""
    seen = overview(ledger)
    lines = [
        f"topic {seen['topic'] or '(not confirmed yet)'}",
        f"as of {seen['as_of'] or 'never'}",
    ]
    for order in seen["orders"]:
        until = f", until {order['until']}" if order["until"] else ""
        lines.append(f"{order['serial']} {order['slot']}: {order['standing']}{until}")
        lines.append(f"    since {order['since']}, order {order['instanceId']}")
    for slot in seen["slots"]:
        lines.append(f"{slot['serial']} {slot['slot']}: {_subscribed_text(slot)}")
    counted = ", ".join(f"{name} {number}" for name, number in seen["counters"].items() if number)
    return "\n".join([*lines, f"messages: {counted or 'none'}"]) + "\n"


def page(ledger: Ledger) -> str:
    """Return the overview as a page."""
    seen = overview(ledger)
    orders = "".join(_order_row(order) for order in seen["orders"])
    slots = "".join(
        _row(slot["serial"], slot["slot"], _subscribed_text(slot), slot["standing"] or "no order")
        for slot in seen["slots"]
    )
    counters = "".join(_row(name, number) for name, number in seen["counters"].items())
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="5"><title>Orders</title><style>{_STYLE}</style></head><body>
<h1>Orders</h1><p>As of {escape(seen["as_of"] or "the beginning")}.
Topic <code>{escape(seen["topic"] or "not confirmed yet")}</code></p>
{_table("Device|Slot|Where it stands|Since|Until|Order", orders)}
<h2>Slots</h2>{_table("Device|Slot|Auto-reorder|Last order", slots)}
<h2>Messages</h2>{_table("What became of them|Number", counters)}</body></html>
"""


def _orders(ledger, now_ms):
    """Return the newest orders, the newest first."""
    ids = ledger.all(
        "SELECT order_id, max(time_ms) AS last_ms FROM ("
        " SELECT order_id, time_ms FROM events WHERE order_id IS NOT NULL"
        " UNION ALL SELECT order_id, time_ms FROM placed)"
        " GROUP BY order_id ORDER BY last_ms DESC, order_id LIMIT ?",
        _ORDERS,
    )
    return [_order(ledger, row["order_id"], now_ms) for row in ids]


def _order(ledger, order_id, now_ms):
    query = "SELECT * FROM events WHERE order_id = ? ORDER BY time_ms, seq"
    rows = ledger.all(query, order_id)
    told = ledger.all("SELECT * FROM placed WHERE order_id = ?", order_id)
    events = [standing.Event(row["kind"], row["time_ms"], row["delivery"]) for row in rows]
    told_ms = told[0]["time_ms"] if told else None
    found = standing.of_order(told_ms, events, now_ms)
    first = (told or rows)[0]
    return {
        "instanceId": order_id,
        "serial": first["serial"],
        "slot": next((row["slot"] for row in [*told, *rows] if row["slot"]), None),
        "standing": found["standing"],
        "since": _iso(found["since_ms"]),
        "until": _iso(found["until_ms"]),
        "expectedDelivery": found["expected_delivery"],
        "toldByDevice": _iso(told_ms),
        "notifications": [{"type": row["kind"], "time": _iso(row["time_ms"])} for row in rows],
    }


def _slots(ledger, orders):
    """Return every slot that anyone told of, whether it is on, and its newest order."""
    flags = defaultdict(dict)
    changed = "SELECT serial, subscribed FROM events WHERE kind = 'SubscriptionChanged'"
    for row in ledger.all(f"{changed} ORDER BY time_ms, seq"):
        flags[row["serial"]].update(json.loads(row["subscribed"]))
    known = {
        (serial, slot): flag for serial, slots in flags.items() for slot, flag in slots.items()
    }
    newest = {}
    for order in orders:
        newest.setdefault((order["serial"], order["slot"]), order)
    return [
        {
            "serial": serial,
            "slot": slot,
            "subscribed": known.get((serial, slot)),
            "instanceId": newest.get((serial, slot), {}).get("instanceId"),
            "standing": newest.get((serial, slot), {}).get("standing"),
        }
        for serial, slot in sorted(known.keys() | newest.keys(), key=repr)
    ]


def _devices(ledger):
    kinds = "kind IN ('DeviceRegistered', 'DeviceDeregistered')"
    rows = ledger.all(f"SELECT * FROM events WHERE {kinds} ORDER BY time_ms, seq")
    last = {row["serial"]: row for row in rows}
    return [
        {
            "serial": serial,
            "registered": row["kind"] == "DeviceRegistered",
            "since": _iso(row["time_ms"]),
            "client_id": row["client_id"],
        }
        for serial, row in last.items()
    ]


def _now_ms(ledger):
    newest = "SELECT max(time_ms) AS time_ms FROM"
    times = [ledger.all(f"{newest} {table}")[0]["time_ms"] for table in ("events", "placed")]
    return max((time_ms for time_ms in times if time_ms is not None), default=None)


def _iso(at_ms):
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _subscribed_text(slot):
    return {True: "on", False: "off", None: "not known"}[slot["subscribed"]]


def _order_row(order):
    kind = ' class="asked"' if order["standing"] == standing.ASKED else ""
    cells = "".join(f"<td>{escape(order[n] or '')}</td>" for n in ("serial", "slot", "standing"))
    cells += "".join(f"<td class=time>{order[name] or ''}</td>" for name in ("since", "until"))
    return f"<tr{kind}>{cells}<td><code>{escape(order['instanceId'])}</code></td></tr>"


def _row(*values):
    return f"<tr>{''.join(f'<td>{escape(str(value))}</td>' for value in values)}</tr>"


def _table(names, rows):
    heads = "".join(f"<th scope=col>{name}</th>" for name in names.split("|"))
    return f'<div class="scroll"><table><tr>{heads}</tr>{rows}</table></div>'
