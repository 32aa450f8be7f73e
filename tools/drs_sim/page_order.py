"""One order of the page: its life as a timeline to scale, and the same in words."""

from html import escape

from tools.drs_sim.orders import (
    CANCELLED,
    DELIVERED,
    LAPSED,
    PLACED,
    RESOLUTION,
    SHIPPED,
)
from tools.drs_sim.page_parts import DAY_MS, day_name, day_time, pill, span

_BAR_TOP, _BAR_HEIGHT = 8, 14
_MIDDLE = _BAR_TOP + _BAR_HEIGHT // 2


def order_pill(order, now_ms: int) -> str:
    """Return where an order stands, in a few words."""
    phase = order["phase"]
    if phase == PLACED:
        open_window = now_ms < order["cancel_by_ms"]
        return pill("placed", "Placed, can be cancelled" if open_window else "Being packed")
    if phase == CANCELLED:
        lapsed = order["outcome"] == LAPSED
        return pill("cancelled", "Cancelled: not solved in time" if lapsed else "Cancelled")
    kind, text = {
        RESOLUTION: ("resolution", "The customer is being asked"),
        SHIPPED: ("shipped", "On its way"),
        DELIVERED: ("delivered", "Delivered"),
    }[phase]
    return pill(kind, text)


def timeline(order, now_ms: int) -> str:
    """Return the order's life as a drawing to scale; what is still to come is pale."""
    scale = _Scale(order["placed_ms"], _end(order))
    veil = ""
    if order["outcome"] is None:
        left = scale.percent(now_ms)
        veil = (
            f'<rect class="veil" data-from="{scale.begin}" data-to="{scale.end}" '
            f'x="{left}" y="{_BAR_TOP - 1}" width="{scale.rest(now_ms)}" '
            f'height="{_BAR_HEIGHT + 2}"/>'
        )
    bars = "".join(scale.bar(kind, begin, end) for kind, begin, end in _spans(order))
    marks = "".join(scale.mark(kind, at_ms) for kind, at_ms in _marks(order))
    line = ""
    if veil:
        line = (
            f'<line class="now" data-from="{scale.begin}" data-to="{scale.end}" '
            f'x1="{left}" x2="{left}" y1="2" y2="{_BAR_TOP + _BAR_HEIGHT + 6}"/>'
        )
    return (
        '<svg class="timeline" aria-hidden="true" width="100%" height="46">'
        f'<rect class="track" x="0" y="{_BAR_TOP}" width="100%" height="{_BAR_HEIGHT}" rx="7"/>'
        f"{bars}{veil}{scale.days()}{line}{marks}</svg>"
    )


def steps(order, now_ms: int) -> str:
    """Return the order's life as a list: what happened, what is next, what will not be."""
    rows = [_step("placed", "Placed", "done", day_time(order["placed_ms"]))]
    rows.append(_resolution_step(order, now_ms))
    rows.append(_cancel_step(order, now_ms))
    if order["phase"] == CANCELLED:
        rows.append(_step("cancelled", "Cancelled", "done", day_time(order["cancelled_ms"])))
        rows.append(_step("delivered", "Slot is free", "done", "the next Replenish orders again"))
    else:
        rows.append(_ship_step(order, now_ms))
        rows.append(_deliver_step(order, now_ms))
    return f'<ol class="steps">{"".join(rows)}</ol>'


class _Scale:
    """Places moments on a drawing that is as wide as the page lets it be."""

    def __init__(self, begin, end):
        self.begin, self.end = begin, end

    def percent(self, at_ms):
        part = (at_ms - self.begin) / (self.end - self.begin)
        return f"{100 * min(1, max(0, part)):.2f}%"

    def rest(self, at_ms):
        return f"{100 - float(self.percent(at_ms)[:-1]):.2f}%"

    def bar(self, kind, begin, end):
        width = (min(end, self.end) - begin) / (self.end - self.begin)
        return (
            f'<rect class="{kind}" x="{self.percent(begin)}" y="{_BAR_TOP}" '
            f'width="{100 * max(0, width):.2f}%" height="{_BAR_HEIGHT}"/>'
        )

    def mark(self, kind, at_ms):
        x = self.percent(at_ms)
        return f'<circle class="mark {kind}" cx="{x}" cy="{_MIDDLE}" r="6"/>'

    def days(self):
        """Return a tick and a name for each midnight."""
        drawn = []
        first = self.begin - self.begin % DAY_MS + DAY_MS
        for at_ms in range(first, self.end, DAY_MS):
            x = self.percent(at_ms)
            name = day_name(at_ms) if 0.05 < self._part(at_ms) < 0.95 else ""
            drawn.append(
                f'<line class="day" x1="{x}" x2="{x}" y1="{_BAR_TOP}" y2="28"/>'
                f'<text x="{x}" y="42">{name}</text>'
            )
        return "".join(drawn)

    def _part(self, at_ms):
        return (at_ms - self.begin) / (self.end - self.begin)


def _end(order):
    """Return where the drawing ends: the last moment that is known or planned, and a little."""
    known = [order[name] for name in ("resolve_by_ms", "cancel_by_ms", "delivered_ms")]
    known += [order["cancelled_ms"], order["expected_ms"]]
    if order["confirmed_ms"] is not None:
        known[0] = order["confirmed_ms"]
    last = max((at_ms for at_ms in known if at_ms is not None), default=order["placed_ms"])
    return last + max(DAY_MS // 8, (last - order["placed_ms"]) // 30)


def _spans(order):
    """Yield what fills the bar: kind, begin, end."""
    placed, confirmed, cancelled = (order[f"{n}_ms"] for n in ("placed", "confirmed", "cancelled"))
    if order["problem"] is not None:
        yield "resolution", placed, confirmed or cancelled or order["resolve_by_ms"]
    if confirmed is None:
        return
    shipped = order["shipped_ms"] or cancelled or order["due_ms"] or order["cancel_by_ms"]
    window_end = min(order["cancel_by_ms"], shipped)
    yield "placed", confirmed, window_end
    yield "packing", window_end, shipped
    if cancelled is None:
        arrives = order["delivered_ms"] or order["expected_ms"]
        yield "shipped", shipped, arrives


def _marks(order):
    names = ("placed", "confirmed", "shipped", "delivered", "cancelled")
    for name in names:
        at_ms = order[f"{name}_ms"]
        if at_ms is not None and not (name == "confirmed" and at_ms == order["placed_ms"]):
            yield name, at_ms


def _resolution_step(order, now_ms):
    name = "Customer is asked"
    if order["problem"] is None:
        return _step("resolution", name, "skipped", "not needed")
    if order["confirmed_ms"] is not None:
        return _step("resolution", name, "done", f"solved {day_time(order['confirmed_ms'])}")
    if order["phase"] == CANCELLED:
        return _step("resolution", name, "done", "not solved")
    by_ms = order["resolve_by_ms"]
    text = f"{escape(order['problem'])}; until {day_time(by_ms)}, {span(by_ms - now_ms)} left"
    return _step("resolution", name, "current", text)


def _cancel_step(order, now_ms):
    name = "Can be cancelled"
    by_ms = order["cancel_by_ms"]
    if by_ms is None:
        skipped = order["phase"] == CANCELLED
        text = "never came to it" if skipped else "for 24 h, once solved"
        return _step("placed", name, "skipped" if skipped else "later", text)
    if order["phase"] == PLACED and now_ms < by_ms:
        text = f"until {day_time(by_ms)}, {span(by_ms - now_ms)} left"
        return _step("placed", name, "current", text)
    return _step("placed", name, "done", f"until {day_time(by_ms)}")


def _ship_step(order, now_ms):
    if order["shipped_ms"] is not None:
        return _step("packing", "Shipped", "done", day_time(order["shipped_ms"]))
    if order["phase"] == PLACED and order["due_ms"] is not None:
        current = "current" if now_ms >= order["cancel_by_ms"] else "later"
        return _step("packing", "Shipped", current, f"planned {day_time(order['due_ms'])}")
    return _step("packing", "Shipped", "later", "once the order is placed")


def _deliver_step(order, now_ms):
    if order["delivered_ms"] is not None:
        return _step("delivered", "Delivered", "done", day_time(order["delivered_ms"]))
    if order["test"]:
        return _step("delivered", "Delivered", "skipped", "not for a test order")
    if order["expected_ms"] is None:
        return _step("delivered", "Delivered", "later", "no date yet")
    current = "current" if order["phase"] == SHIPPED else "later"
    text = f"expected {day_time(order['expected_ms'])}"
    return _step("delivered", "Delivered", current, text)


def _step(kind, name, state, text):
    now = ' aria-current="step"' if state == "current" else ""
    return f'<li class="{kind} {state}"{now}><b>{name}</b> <span>{text}</span></li>'
