"""The ordering contract: every rule by which Lowtide buys, or does not. Pure decisions.

Rule numbers are those of the README. Times are Unix seconds.
"""

from micropython import const

from lowtide.record import BLOCKS

# The numbers of `record`, again: the compiler folds a constant only in the module that has it.
_NONE = const(0)
_ATTEMPT = const(1)
_PLACED = const(2)
_IN_PROGRESS = const(3)
_RESOLUTION = const(4)
_CONFIRMED = const(5)
_SHIPPED = const(6)
_CANCELLED = const(7)
_FREE = const(0)
_UNSUBSCRIBED = const(1)
_NOT_LISTED = const(4)
_UNKNOWN_PERMILLE = const(0xFFFF)
_MAX_ID = const(255)

_DAY_S = const(86400)
# Rule 6: the resolution ends 72 h after the order; 6 h of slack each way covers a missed poll.
_LAPSE_SLACK_S = const(21600)
# What the service says, to be split: a tuple of texts takes four times the heap.
_PLACED_CODES = const("STANDARD_ORDER_PLACED TEST_ORDER_PLACED")
_OPEN_STATUS = const("Pending Authorized Processing")
_SHIPPED_STATUS = const("Shipped Closed")
_CANCELLED_STATUS = const("Cancelled Canceled")


class Verdict:
    """May a Replenish be sent? `may`, `why` in one line, `at_s` the earliest time (0: none is
    known, another event must come first), `repeat` if it would repeat an unanswered one."""

    def __init__(self, may, why, at_s=0, repeat=False):
        self.may = may
        self.why = why
        self.at_s = at_s
        self.repeat = repeat


class Orders:
    """Applies the contract to one `record.Record`. Persisting it is the caller's, at once."""

    def __init__(self, rec, config):
        self.rec = rec
        self._config = config
        self._seen_open = False
        self._before = (_NONE, 0, 0)

    # -- deciding -------------------------------------------------------------------------------

    def verdict(self, now_s, low, doubt, forced):
        """Judge whether Replenish may be sent at `now_s` (to buy: a verified time, rule 8).

        `low`: confirmed low by this wake's reading. `doubt`: None, or why nothing may be bought
        (rule 9). `forced`: a person typed `order --now` (rule 10).
        """
        rec = self.rec
        if rec.blocked:
            doubt = doubt or "blocked: %s" % BLOCKS[rec.blocked]
        if doubt:
            return Verdict(False, "rule 9: " + doubt)
        if not low:
            return Verdict(False, "rule 3: not confirmed low")
        if self._in_window(now_s):
            return Verdict(not forced, "rule 4: in the repeat window", now_s, True)
        why, at_s = self._by_state(now_s)
        if forced:
            if self._seen_open or (self.askable() and not at_s):
                return Verdict(False, "rule 10: an order is open")
            return Verdict(True, "rule 10: by hand", now_s)
        if at_s:
            at_s = max(at_s, now_s, rec.attempt_at + self._config["order.min_interval_s"])
        return Verdict(at_s == now_s, why, at_s)

    def _in_window(self, now_s):
        rec = self.rec
        return (
            rec.state == _ATTEMPT
            # After a certain refusal the horizon is the older attempt's again: no window.
            and rec.attempt_at == rec.horizon_at
            and now_s - rec.attempt_at < self._config["order.repeat_window_s"]
        )

    def _by_state(self, now_s):
        # -> (why, earliest time); 0 for not before something else happens.
        rec = self.rec
        if rec.state == _NONE:
            return "rule 2: first of this depletion", now_s
        if rec.state == _SHIPPED:
            return "rule 7: shipped; needs a refill", 0
        if rec.state == _CANCELLED:
            return self._after_cancel(now_s)
        if self.askable() and rec.state != _IN_PROGRESS:
            return "rule 2: an order is open", 0
        at_s = rec.horizon_at
        if at_s:
            at_s += self._config["order.horizon_s"]
        return "rule 7: no news of the order", at_s

    def _after_cancel(self, now_s):
        rec = self.rec
        if rec.lapsed:
            why, times, at_s = "rule 6: lapsed", rec.lapses, now_s
        else:
            hold_s = self._config["order.cancel_hold_s"]
            why, times, at_s = "rule 5: cancelled", rec.cancels, rec.cancelled_at + hold_s
        return (why, at_s) if times < 2 else (why + " twice; needs a refill", 0)

    def askable(self):
        """Whether GetOrderInfo can be asked: an open order, an id, and not refused for 3 days."""
        rec = self.rec
        return _PLACED <= rec.state <= _CONFIRMED and rec.event_id != "" and rec.bad_days < 3

    def ask_interval_s(self):
        """Return how often to ask about the open order, in seconds."""
        if self.rec.state in (_PLACED, _RESOLUTION):
            return self._config["order.poll_interval_s"]
        return _DAY_S

    # -- what happened --------------------------------------------------------------------------

    def verified(self, now_s):
        """A verified time is known: times of the future count as now; a horizon may start."""
        rec = self.rec
        rec.clamp(now_s)
        if not rec.horizon_at and rec.state in (_ATTEMPT, _IN_PROGRESS):
            rec.horizon_at = now_s

    def subscription(self, subscribed):
        """SubscriptionInfo answered: True, False, or None where it does not list the slot."""
        rec = self.rec
        if rec.blocked in (_FREE, _UNSUBSCRIBED, _NOT_LISTED):
            rec.blocked = _FREE if subscribed else _UNSUBSCRIBED
            if subscribed is None:
                rec.blocked = _NOT_LISTED

    def sending(self, now_s, verdict):
        """A Replenish goes out next: the intent, to be in flash before its first byte (rule 1)."""
        rec = self.rec
        if not verdict.repeat:
            self._before = (rec.state, rec.horizon_at, rec.attempt_at)
            rec.state = _ATTEMPT
            rec.attempt_at = rec.horizon_at = now_s

    def answered(self, code, event_id, now_s, repeat):
        """Replenish answered 200. Return False, with nothing changed, if the code is unknown."""
        rec = self.rec
        if not isinstance(event_id, str) or len(event_id.encode()) > _MAX_ID:
            event_id = ""
        if code in _PLACED_CODES.split():
            self._enter_order(_PLACED, event_id, now_s)
        elif code != "ORDER_INPROGRESS":
            return False
        elif repeat and (not event_id or event_id != rec.event_id):
            self._enter_order(_PLACED, event_id, rec.attempt_at)
        else:
            self._enter_order(_IN_PROGRESS, event_id, rec.ordered_at)
        rec.horizon_at = now_s
        return True

    def _enter_order(self, state, event_id, ordered_at):
        rec = self.rec
        self._seen_open = False
        rec.state = state
        rec.event_id = event_id
        rec.ordered_at = ordered_at
        rec.late = rec.lapsed = rec.bad_days = rec.bad_day = 0

    def refused(self, block, repeat):
        """Replenish was refused for certain (4xx). An earlier unanswered send stays unknown."""
        if block:
            self.rec.blocked = block
        if not repeat:
            self.rec.state, self.rec.horizon_at, _ = self._before

    def withdrawn(self, repeat):
        """The service did not look at the Replenish (its token was rejected): no attempt."""
        if not repeat:
            self.rec.state, self.rec.horizon_at, self.rec.attempt_at = self._before

    def order_info(self, status, has_date, now_s):
        """GetOrderInfo knows the order for this slot; `status` as sent, `has_date` delivery."""
        rec = self.rec
        rec.bad_days = rec.bad_day = 0
        self._seen_open = status in _OPEN_STATUS.split()
        lapse_s = now_s - rec.ordered_at - self._config["order.resolution_window_s"]
        if status in _CANCELLED_STATUS.split():
            if rec.state == _RESOLUTION and rec.late and lapse_s <= _LAPSE_SLACK_S:
                rec.lapsed = 1
                rec.lapses += 1
            else:
                rec.cancels += 1
            rec.state = _CANCELLED
            rec.cancelled_at = now_s
        elif rec.state == _IN_PROGRESS:
            # Not this depletion's order: shipped or open, it settles nothing for this one.
            return
        elif status in _SHIPPED_STATUS.split():
            rec.state = _SHIPPED
        elif self._seen_open:
            if has_date:
                rec.state = _CONFIRMED
            elif now_s >= rec.ordered_at + self._config["order.resolution_after_s"]:
                rec.state = _RESOLUTION
                rec.late |= lapse_s >= -_LAPSE_SLACK_S

    def order_info_refused(self, now_s):
        """GetOrderInfo refused the id: on three different days, and nothing is known (rule 7)."""
        rec = self.rec
        self._seen_open = False
        day = now_s // _DAY_S
        if not rec.bad_days and rec.state != _IN_PROGRESS:
            rec.horizon_at = now_s
        if day != rec.bad_day:
            rec.bad_day = day
            rec.bad_days += 1

    def refilled(self):
        """The depletion ended. The last id and the time of the last order stay."""
        rec = self.rec
        self._enter_order(_NONE, rec.event_id, rec.ordered_at)
        rec.cancels = rec.lapses = rec.horizon_at = rec.cancelled_at = 0
        rec.lowest_permille = _UNKNOWN_PERMILLE
