"""The ordering contract: the record of one slot's order, and every rule by which Lowtide buys.

Rule numbers are those of the README. Times are Unix seconds. Pure decisions.
"""

import struct

from micropython import const

# Stored as their place in the list: only ever add at the end. All are lists here: in a constant
# tuple each text takes 64 bytes of the 64-bit host's heap, and not 20.
STATES = [
    "none",
    "attempt",
    "placed",
    "in_progress",
    "resolution",
    "confirmed",
    "shipped",
    "cancelled",
]
_CANCELLED = const(7)
# Not listed by SubscriptionInfo heals itself; a 404 of Replenish waits for a new slot.id.
BLOCKS = [None, "unsubscribed", "revoked", "no_such_slot", "no_such_slot"]
_FREE = const(0)
_UNSUBSCRIBED = const(1)
_REVOKED = const(2)
_NO_SUCH_SLOT = const(3)
_NOT_LISTED = const(4)
_UNKNOWN_PERMILLE = const(0xFFFF)
_MAX_ID = const(255)

# Schema 1, little-endian: the state, these, then the id in UTF-8.
_FORMAT = const("<7B2H4I")
_SIZE = const(27)
_FIELDS = [
    "blocked",
    "late",
    "lapsed",
    "cancels",
    "lapses",
    "bad_days",
    "bad_day",
    "lowest_permille",
    "attempt_at",
    "ordered_at",
    "horizon_at",
    "cancelled_at",
]
# No order yet: all zero, but for the lowest level, which is unknown.
_NEW = const(b"\0\0\0\0\0\0\0\0\0\xff\xff\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")

_DAY_S = const(86400)
# Rule 6: the resolution ends 72 h after the order; 6 h of slack each way covers a missed poll.
_LAPSE_SLACK_S = const(21600)


def left_s(now_s, since_s, wait_s):
    """Return what is left at `now_s` of a wait of `wait_s` since `since_s`."""
    # One that begins in the future is a clock that was wrong: 0, so that nothing waits for years.
    passed_s = now_s - since_s
    return wait_s - passed_s if 0 <= passed_s < wait_s else 0


class Verdict:
    """May a Replenish be sent? `may`, `why` in one line, `at_s` the earliest time (0: none is
    known, another event must come first), `repeat` if it would repeat an unanswered one."""

    def __init__(self, may, why, at_s=0, repeat=False):
        self.may, self.why = may, why
        self.at_s, self.repeat = at_s, repeat


class Orders:
    """The order record and the rules on it. Persisting a change is the caller's, at once.

    `state` is one of `STATES`. `attempt_at` first send of the latest attempt; `ordered_at` the
    order; `horizon_at` since when nothing is known (rule 7); `cancelled_at` when the cancellation
    was first seen (rule 5); 0 is never. `late`: the resolution was still seen near its end,
    `lapsed`: it ended so (rule 6). `cancels`, `lapses`: of this depletion. `bad_days`, `bad_day`:
    days on which GetOrderInfo refused the id. `lowest_permille`: lowest level of the depletion.
    `event_id`: the last id kept, at most 255 bytes.
    """

    state: str
    blocked: int
    late: int
    lapsed: int
    cancels: int
    lapses: int
    bad_days: int
    bad_day: int
    lowest_permille: int
    attempt_at: int
    ordered_at: int
    horizon_at: int
    cancelled_at: int

    def __init__(self, config, data=_NEW):
        """Take the record from what `pack()` gave.

        Raises:
            ValueError: the bytes are not a record that this firmware could have written.
        """
        self.config = config
        self._seen_open = False
        self._before = ("none", 0, 0)
        size = len(data)
        if not _SIZE <= size <= _SIZE + _MAX_ID or data[0] > _CANCELLED or data[1] > _NOT_LISTED:
            raise ValueError
        state, *values = struct.unpack(_FORMAT, data[:_SIZE])
        self.state = STATES[state]
        for name, value in zip(_FIELDS, values):  # noqa: B905
            setattr(self, name, value)
        self.event_id = data[_SIZE:].decode()

    def pack(self):
        """Return the record as bytes."""
        values = [STATES.index(self.state)]
        for name in _FIELDS:
            values.append(getattr(self, name))
        return struct.pack(_FORMAT, *values) + self.event_id.encode()

    @property
    def block(self):
        """None, or why the service would not order (rule 9); it stands beside the state."""
        return BLOCKS[self.blocked]

    def latest_s(self):
        """Return the latest time in the record: the calendar was at least there once."""
        return max(self.attempt_at, self.ordered_at, self.horizon_at, self.cancelled_at)

    # -- deciding -------------------------------------------------------------------------------

    def verdict(self, now_s, low, doubt, forced):
        """Judge whether Replenish may be sent at `now_s` (to buy: a verified time, rule 8).

        `low`: confirmed low by this wake's reading. `doubt`: None, or why nothing may be bought
        (rule 9). `forced`: a person typed `order --now` (rule 10).
        """
        if self.blocked:
            doubt = doubt or "blocked: " + self.block
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
            at_s, next_s = max(at_s, now_s), self.attempt_at + self.config["order.min_interval_s"]
            why = why if next_s <= at_s else "rule 8: too soon after the last attempt"
            at_s = max(at_s, next_s)
        return Verdict(at_s == now_s, why, at_s)

    def _in_window(self, now_s):
        return (
            self.state == "attempt"
            # After a certain refusal the horizon is the older attempt's again: no window.
            and self.attempt_at == self.horizon_at
            and now_s - self.attempt_at < self.config["order.repeat_window_s"]
        )

    def _by_state(self, now_s):
        # -> (why, earliest time); 0 for not before something else happens.
        state = self.state
        if state == "none":
            return "rule 2: first of this depletion", now_s
        if state == "shipped":
            return "rule 7: shipped; needs a refill", 0
        if state == "cancelled":
            if self.lapsed:
                why, times, at_s = "rule 6: lapsed", self.lapses, now_s
            else:
                hold_s = self.config["order.cancel_hold_s"]
                why, times, at_s = "rule 5: cancelled", self.cancels, self.cancelled_at + hold_s
            return (why, at_s) if times < 2 else (why + " twice; needs a refill", 0)
        if self.askable() and state != "in_progress":
            return "rule 2: an order is open", 0
        at_s = self.horizon_at
        if at_s:
            at_s += self.config["order.horizon_s"]
        return "rule 7: no news of the order", at_s

    def askable(self):
        """Whether GetOrderInfo can be asked: an open order, an id, and not refused for 3 days."""
        return self.state in STATES[2:6] and self.event_id and self.bad_days < 3

    def ask_in_s(self, now_s, asked_at):
        """Return the seconds until GetOrderInfo is due; over a day where it cannot be asked.

        Every 4 h or daily after `asked_at`; the first time when a date that is missing tells.
        """
        if not self.askable():
            return 2 * _DAY_S
        since_s, wait_s = self.ordered_at, self.config["order.resolution_after_s"]
        if self.state != "placed" or asked_at >= since_s + wait_s:
            since_s, wait_s = max(asked_at, since_s), _DAY_S
            if self.state in ["placed", "resolution"]:
                wait_s = self.config["order.poll_interval_s"]
        return left_s(now_s, since_s, wait_s)

    # -- what happened --------------------------------------------------------------------------

    def verified(self, now_s):
        """A verified time is known: later ones count as now (rule 8); a horizon may start."""
        for name in _FIELDS[-4:]:
            setattr(self, name, min(getattr(self, name), now_s))
        if not self.horizon_at and self.state in ["attempt", "in_progress"]:
            self.horizon_at = now_s

    def subscription(self, subscribed):
        """SubscriptionInfo answered: True, False, or None where it does not list the slot."""
        if self.blocked not in [_REVOKED, _NO_SUCH_SLOT]:
            self.blocked = _FREE if subscribed else _UNSUBSCRIBED
            if subscribed is None:
                self.blocked = _NOT_LISTED

    def sending(self, now_s, repeat, lowest_permille):
        """A Replenish goes out next: the intent, to be in flash before its first byte (rule 1)."""
        if lowest_permille is not None:
            self.lowest_permille = lowest_permille
        if not repeat:
            self._before = (self.state, self.horizon_at, self.attempt_at)
            self.state = "attempt"
            self.attempt_at = self.horizon_at = now_s

    def answered(self, code, event_id, now_s, repeat):
        """Replenish answered 200. Return False, with nothing changed, if the code is unknown."""
        if not isinstance(event_id, str) or len(event_id.encode()) > _MAX_ID:
            event_id = ""
        if code in ["STANDARD_ORDER_PLACED", "TEST_ORDER_PLACED"]:
            self._enter_order("placed", event_id, now_s)
        elif code != "ORDER_INPROGRESS":
            return False
        elif repeat and (not event_id or event_id != self.event_id):
            self._enter_order("placed", event_id, self.attempt_at)
        else:
            self._enter_order("in_progress", event_id, self.ordered_at)
        self.horizon_at = now_s
        return True

    def _enter_order(self, state, event_id, ordered_at):
        self._seen_open = False
        self.state = state
        self.event_id = event_id
        self.ordered_at = ordered_at
        self.late = self.lapsed = self.bad_days = self.bad_day = 0

    def refused(self, block, repeat):
        """Refused for certain (4xx). An earlier unanswered Replenish stays unknown: `repeat`."""
        if block:
            self.blocked = BLOCKS.index(block)
        if not repeat:
            self.state, self.horizon_at, _ = self._before

    def withdrawn(self, repeat):
        """The service did not look at the Replenish (its token was rejected): no attempt."""
        if not repeat:
            self.state, self.horizon_at, self.attempt_at = self._before

    def order_info(self, status, has_date, now_s):
        """GetOrderInfo knows the order for this slot; `status` as sent, `has_date` delivery."""
        self.bad_days = self.bad_day = 0
        self._seen_open = status in ["Pending", "Authorized", "Processing"]
        lapse_s = now_s - self.ordered_at - self.config["order.resolution_window_s"]
        if status in ["Cancelled", "Canceled"]:
            if self.state == "resolution" and self.late and lapse_s <= _LAPSE_SLACK_S:
                self.lapsed = 1
                self.lapses += 1
            else:
                self.cancels += 1
            self.state = "cancelled"
            self.cancelled_at = now_s
        elif self.state == "in_progress":
            # Not this depletion's order: shipped or open, it settles nothing for this one.
            return
        elif status in ["Shipped", "Closed"]:
            self.state = "shipped"
        elif self._seen_open:
            if has_date:
                self.state = "confirmed"
            elif now_s >= self.ordered_at + self.config["order.resolution_after_s"]:
                self.state = "resolution"
                self.late |= lapse_s >= -_LAPSE_SLACK_S

    def order_info_refused(self, now_s):
        """GetOrderInfo refused the id: on three different days, and nothing is known (rule 7)."""
        self._seen_open = False
        day = now_s // _DAY_S
        if not self.bad_days and self.state != "in_progress":
            self.horizon_at = now_s
        if day != self.bad_day:
            self.bad_day = day
            self.bad_days += 1

    def refilled(self):
        """The depletion ended. The last id and the time of the last order stay."""
        self._enter_order("none", self.event_id, self.ordered_at)
        self.cancels = self.lapses = self.horizon_at = self.cancelled_at = 0
        self.lowest_permille = _UNKNOWN_PERMILLE
