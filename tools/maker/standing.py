"""Where an order stands, told from its events alone; the sequence they came in is no matter."""

from dataclasses import dataclass

from tools.maker.payload import ORDER_KINDS

HOUR_MS = 3_600_000
CANCEL_WINDOW_MS = 24 * HOUR_MS
RESOLUTION_WINDOW_MS = 72 * HOUR_MS
LAPSE_SLACK_MS = 6 * HOUR_MS  # SNS may be late, and the two clocks may differ

ASKED = "the customer is being asked"
OVERDUE = "no word since the 72 hours to solve it are over"
PLACED = "placed; the customer can cancel for 24 hours"
FIRM = "placed; can no longer be cancelled"
SHIPPED = "shipped"
CANCELLED = "cancelled by the customer"
UNSOLVED = "cancelled by the customer, who was being asked"
LAPSED = "cancelled: not solved within 72 hours"
CANCELLED_UNPLACED = "cancelled before it was placed"

# At one and the same time: a test order is placed and shipped in a moment.
_RANK = {kind: rank for rank, kind in enumerate(("OrderPlaced", "ItemShipped", "OrderCancelled"))}


@dataclass(frozen=True)
class Event:
    """One notification about an order."""

    kind: str
    time_ms: int
    delivery: str | None = None


def of_order(told_ms: int | None, events: list[Event], now_ms: int) -> dict:
    """Return where an order stands and until when.

    `told_ms` is when the device placed it, or None where the device cloud never said so. `now_ms`
    is the newest time that anyone told: the ledger has no clock of its own.
    """
    times = {kind: None for kind in ORDER_KINDS}
    last = None
    for event in sorted(events, key=lambda event: (event.time_ms, _RANK[event.kind])):
        times[event.kind] = event.time_ms
        last = event
    placed_ms = times["OrderPlaced"]
    until_ms = None
    if last is None:
        until_ms = told_ms + RESOLUTION_WINDOW_MS
        text = ASKED if now_ms <= until_ms + LAPSE_SLACK_MS else OVERDUE
    elif last.kind == "OrderPlaced":
        until_ms = placed_ms + CANCEL_WINDOW_MS
        text = PLACED if now_ms < until_ms else FIRM
    elif last.kind == "ItemShipped":
        text = SHIPPED
    else:
        text = _cancelled(told_ms, placed_ms, last.time_ms)
    return {
        "standing": text,
        "until_ms": until_ms,
        "since_ms": told_ms if last is None else last.time_ms,
        "expected_delivery": _newest_delivery(events),
    }


def _cancelled(told_ms, placed_ms, cancelled_ms):
    if placed_ms is not None:
        return CANCELLED
    if told_ms is None:
        return CANCELLED_UNPLACED
    lapsed = cancelled_ms - told_ms >= RESOLUTION_WINDOW_MS - LAPSE_SLACK_MS
    return LAPSED if lapsed else UNSOLVED


def _newest_delivery(events):
    known = [event for event in events if event.delivery is not None]
    return max(known, key=lambda event: event.time_ms).delivery if known else None
