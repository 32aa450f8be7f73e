"""The seed's 19 numbered steps, each judged by the service's books and the record in flash."""

from itertools import pairwise

from tools.demo.story import moment

_DAY_S = 86400


class Evidence:
    """What there is to judge by. Every method returns `(seen, what was seen)`."""

    def __init__(self, books, history):
        self._books, self._history = books, history

    def order(self, order_id):
        """Return the order as the books have it at the end."""
        return next(o for o in self._books["orders"] if o["id"] == order_id)

    def received(self, order):
        """The service received the Replenish that placed this order."""
        calls = self._calls(order["placed_at"], order["placed_at"])
        return bool(calls), f"{len(calls)} Replenish received at {order['placed_at']}"

    def placed(self, order):
        """It was answered (or would have been) with STANDARD_ORDER_PLACED; the id is in flash."""
        code = [c["detailCode"] for c in self._calls(order["placed_at"], order["placed_at"])]
        kept = any(event_id == order["id"] for _, _, event_id in self._history)
        seen = "STANDARD_ORDER_PLACED" in code and kept
        return seen, f"{', '.join(map(str, code))}; its id {'is' if kept else 'is NOT'} in flash"

    def notified(self, order, kind):
        """The maker was sent a notification of this kind about the order."""
        times = [
            n["time"]
            for n in self._books["notifications"]
            if n["order_id"] == order["id"] and n["type"].startswith(kind)
        ]
        return bool(times), f"{kind} at {times[0]}" if times else f"no {kind}"

    def not_notified_in_time(self, order):
        """No OrderPlaced before the customer acted, if ever."""
        late = order["confirmed_at"]
        seen, what = self.notified(order, "OrderPlaced")
        if not seen:
            return True, "no OrderPlaced for it, ever"
        waited = moment(late) - moment(order["placed_at"])
        return waited > 0, f"{what}: {waited / 3600:.0f} h late, only when resolved"

    def mailed(self, order, kind):
        """The customer got an e-mail of this kind about the order."""
        found = [
            e for e in self._books["emails"] if e["order_id"] == order["id"] and e["kind"] == kind
        ]
        if not found:
            return False, f"no {kind} e-mail"
        return True, f"e-mail at {found[0]['time']}: {found[0]['subject']}"

    def window(self, start, end, seconds, what):
        """A window of this length runs between two times of the books."""
        if not (start and end):
            return False, f"no {what}"
        length = moment(end) - moment(start)
        return length == seconds, f"{what}: {length / 3600:.0f} h, until {end}"

    def state(self, name, order):
        """The device kept this state for the order in its flash."""
        times = [
            t for t, state, event_id in self._history if (state, event_id) == (name, order["id"])
        ]
        return bool(times), f"flash {'said' if times else 'never said'} {name}"

    def in_progress(self, order):
        """A further Replenish, while the order was open, was answered ORDER_INPROGRESS."""
        return self._met(order, order["placed_at"])

    def in_progress_after_resolution(self, order):
        """As `in_progress`, after the customer had resolved it."""
        return self._met(order, order["confirmed_at"])

    def _met(self, order, start):
        end = order["delivered_at"] or order["cancelled_at"]
        calls = self._calls(start, end, "ORDER_INPROGRESS")
        calls = [c for c in calls if c["status"] == 200]
        if not calls:
            return False, "no Replenish met the open order"
        return True, f"200 ORDER_INPROGRESS at {calls[0]['time']}, nothing new placed"

    def _calls(self, start, end, code=None):
        return [
            r
            for r in self._books["requests"]
            if r["path"].startswith("/replenish")
            and moment(start) <= moment(r["time"]) <= moment(end)
            and code in (None, r["detailCode"])
        ]


def _both(*pairs):
    return all(seen for seen, _ in pairs), "; ".join(what for _, what in pairs)


def judge(evidence, ids, late_cancel):
    """Yield `(step, seen, what)` for each numbered step of the seed.

    `ids`: the orders of the flows, `good`, `lapsed`, `after` and `solved`; `late_cancel`: what
    the service said to a cancellation after the window.
    """
    e = evidence
    good, lapsed, after, solved = (e.order(ids[k]) for k in ("good", "lapsed", "after", "solved"))
    cancel = e.window(good["confirmed_at"], good["cancel_by"], _DAY_S, "cancel window")
    late = (bool(late_cancel), f"a cancellation after it was {late_cancel}")
    yield "successful.1", *e.received(good)
    yield "successful.2", *e.placed(good)
    yield "successful.3", *e.notified(good, "OrderPlaced")
    yield "successful.4", *e.mailed(good, "order_created")
    yield "successful.5", *_both(cancel, late)
    yield "successful.6", *e.in_progress(good)
    window = e.window(lapsed["placed_at"], lapsed["resolve_by"], 3 * _DAY_S, "resolution timer")
    yield "resolution.1", *_both(e.received(lapsed), e.received(solved))
    yield "resolution.2", *_both(e.placed(lapsed), e.placed(solved))
    yield "resolution.3", *_both(e.not_notified_in_time(lapsed), e.not_notified_in_time(solved))
    yield (
        "resolution.4",
        *_both(e.mailed(lapsed, "order_resolution"), e.mailed(solved, "order_resolution")),
    )
    yield "resolution.5", *_both(window, e.state("resolution", lapsed))
    yield "resolution.6", *e.in_progress(lapsed)
    yield "scenario1.1", *e.mailed(lapsed, "order_cancelled")
    yield (
        "scenario1.2",
        *_both(
            e.notified(lapsed, "OrderCancelled"),
            e.window(lapsed["placed_at"], lapsed["cancelled_at"], 3 * _DAY_S, "it lapsed after"),
        ),
    )
    yield "scenario1.3", *_both(e.placed(after), e.state("confirmed", after))
    yield "scenario2.1", *e.mailed(solved, "order_created")
    yield "scenario2.2", *e.notified(solved, "OrderPlaced")
    yield (
        "scenario2.3",
        *e.window(solved["confirmed_at"], solved["cancel_by"], _DAY_S, "fresh cancel window"),
    )
    yield "scenario2.4", *e.in_progress_after_resolution(solved)


def count(books, history, refills):
    """Return `(orders, duplicates, lost)` by the design's terms.

    A depletion ends with a real refill (`refills`, Unix seconds): one order each, and one more
    for each that lapsed. Lost: an order whose id never reached the flash.
    """
    duplicates = 0
    bounds = [0, *refills, float("inf")]
    for start, end in pairwise(bounds):
        orders = [o for o in books["orders"] if start < moment(o["placed_at"]) <= end]
        lapsed = sum(o["outcome"] == "lapsed" for o in orders)
        duplicates += max(0, len(orders) - 1 - lapsed)
    kept = {event_id for _, _, event_id in history}
    lost = sum(o["id"] not in kept for o in books["orders"])
    return len(books["orders"]), duplicates, lost
