"""The books of the proof: what happened, what the device was told, and the contract over both.

Written from design.md's contract, not from the firmware: it looks at Replenish calls as they
arrive at the service and at answers once they are in flash, never at the agent's own reasoning.
"""

from host_tests.prove.service import CANCELLED, DAY, DELIVERED, HOUR, LAPSED, PHASES, name_of

HORIZON = 10 * DAY
_WINDOW = 12 * HOUR
_HOLD = 5 * DAY
_LATE = 66 * HOUR
_LAPSE_END = 78 * HOUR


class Violation(Exception):
    """The contract is broken; the text says which promise and how."""


class Ledger:
    """The history that the contract speaks of."""

    def __init__(self, now):
        self.depletion = 0
        self.attempt_at = 0
        self.settled = True
        self.unknown_since = 0
        self.kept_id = ""
        self.record_lost = False
        # Cancellations and lapses it was told of, and whether of a shipped order, since the refill
        # that its own readings confirmed (rules 5 to 7).
        self.row = self.low_row = 0
        self.ends_seen = [0, 0]
        self.shipped_told = False
        # The last time at which something was in the way, or something was sent.
        self.idle_since = now
        self.sends = self.bought = 0
        self.by_rule = {}
        self.pending = None

    def copy(self):
        """Return a copy that shares nothing that changes."""
        other = Ledger.__new__(Ledger)
        other.__dict__.update(self.__dict__)
        other.by_rule = dict(self.by_rule)
        other.ends_seen = list(self.ends_seen)
        return other

    # -- an attempt, and a Replenish arrives -----------------------------------------------------

    def is_repeat(self, now):
        """Whether a send now repeats an attempt whose outcome never reached flash."""
        return not self.settled and now - self.attempt_at < _WINDOW

    def intended(self, now):
        """An attempt is in flash: from here on a Replenish may have been sent (rule 1)."""
        if self.attempt_at and now - self.attempt_at < DAY:
            hours = (now - self.attempt_at) / HOUR
            raise Violation(f"rule 8: a new attempt {hours:.1f} h after the one before")
        self.attempt_at = self.idle_since = now
        self.settled = False

    def sending(self, now, stored_state, is_low, under_way):
        """Judge a Replenish as it arrives. `stored_state`: the state in flash at that moment;
        `under_way`: it repeats an attempt, or belongs to one that began in this wake."""
        self.sends += 1
        if stored_state != "attempt":
            raise Violation(f"rule 1: Replenish was sent while flash says {stored_state}")
        if not is_low:
            raise Violation("rule 3: Replenish was sent while the bin is not confirmed low")
        if not under_way:
            self.intended(now)
        self.idle_since = now

    def open_order(self, now, order, repeat):
        """Judge a Replenish that found an order open."""
        known = order.known and order.last_told not in ("", "refused")
        if known and order.depletion == self.depletion and not repeat:
            raise Violation(f"rule 2: Replenish was sent while order {order.number} is open")

    def buying(self, now, orders, repeat):
        """Judge the order that a Replenish makes. Return the rule that allows it."""
        own = [order for order in orders if order.depletion == self.depletion]
        rule = self._lawful(now, own[-1], repeat) if own else "first"
        if rule is None:
            raise Violation(
                f"DUPLICATE: a new order in depletion {self.depletion}, which has {len(own)}:"
                f" {describe(own[-1])}"
            )
        self.bought += 1
        self.by_rule[rule] = self.by_rule.get(rule, 0) + 1
        return rule

    def _lawful(self, now, before, repeat):
        if before.told_cancel_at and before.known:
            if before.last_told == "lapsed":
                return "rule 6" if self.ends_seen[1] == 1 else None
            held = now >= before.told_cancel_at + _HOLD
            return "rule 5" if self.ends_seen[0] == 1 and held else None
        if before.known:
            return None
        if now >= max(self.attempt_before(before), self.unknown_since) + HORIZON:
            never_told = before.phase == DELIVERED and not before.answered
            return "unknowable: delivered" if never_told else "rule 7"
        if repeat and before.phase in (CANCELLED, LAPSED):
            return "unknowable: cancelled"
        return None

    def attempt_before(self, order):
        """Since when nothing is known of an order (rule 7)."""
        return order.refused_days[0] * DAY if order.refused_days else order.first_send

    # -- what reached flash ----------------------------------------------------------------------

    def answered(self, kind, order, text, now, repeat):
        """An answer of Replenish is on its way to the device."""
        self.pending = ("answer", kind, order, text, now, repeat)

    def told(self, order, answer, now):
        """An answer of GetOrderInfo is on its way to the device."""
        self.pending = ("told", order, answer, now)

    def refused(self):
        """Replenish was refused for certain; what was unknown before stays unknown."""
        self.pending = ("refused",)

    def withdrawn(self, attempt_before):
        """The service did not look at the call: no attempt at all."""
        self.pending = ("withdrawn", attempt_before)

    def stored(self):
        """The record reached flash: what the device was told, it knows from now on."""
        if self.pending is not None:
            kind, *rest = self.pending
            self.pending = None
            getattr(self, "_" + kind)(*rest)

    def _answer(self, kind, order, text, now, repeat):
        self.settled = True
        own = kind == "placed" or (repeat and not (text and text == self.kept_id))
        if order is not None:
            order.answered = True
            order.known = own and text == name_of(order.number)
            if own:
                order.ordered_at = now if kind == "placed" else order.first_send
        if kind != "placed":
            self.unknown_since = now
        self.kept_id = text or ""

    def _told(self, order, answer, now):
        if answer is None:
            days = order.refused_days if order is not None else ()
            if order is not None and now // DAY not in days:
                order.refused_days = days + (now // DAY,)
                if len(order.refused_days) >= 3:
                    order.known = False
            return
        order.refused_days = ()
        status, has_date = answer
        if status in ("Cancelled", "Canceled"):
            self._told_cancelled(order, now)
        elif status in ("Shipped", "Closed"):
            order.last_told = "shipped"
            self.shipped_told = order.known
        else:
            order.last_told = "confirmed" if has_date else "resolution"
            order.late = not has_date and now >= order.ordered_at + _LATE

    def _told_cancelled(self, order, now):
        lapse = order.last_told == "resolution" and order.late
        lapse = lapse and now <= order.ordered_at + _LAPSE_END
        order.last_told = "lapsed" if lapse else "cancelled"
        if not order.told_cancel_at:
            order.told_cancel_at = now
            self.ends_seen[lapse] += 1

    def _refused(self):
        # Certain of this send; what an earlier one did is still unknown.
        self.settled = True

    def _withdrawn(self, attempt_before):
        self.attempt_at, self.settled = attempt_before

    # -- the depletion and the record ------------------------------------------------------------

    def refilled(self):
        """The bin was truly refilled: a new depletion."""
        self.depletion += 1

    def reading(self, is_refill, is_low):
        """The device took a reading."""
        self.row = self.row + 1 if is_refill else 0
        self.low_row = self.low_row + 1 if is_low else 0

    def rows_lost(self):
        """What the readings so far confirmed is lost with the power."""
        self.row = self.low_row = 0

    def woke(self, needed):
        """A wake went well: so many readings in a row ended the depletion that it knows of."""
        if self.row >= needed:
            self.settled = True
            self.shipped_told = False
            self.ends_seen = [0, 0]

    @property
    def waits_for_refill(self):
        """Whether rules 5 to 7 forbid another order until a refill."""
        return self.shipped_told or max(self.ends_seen) > 1

    def lost(self, now, orders):
        """The record was lost: nothing is known any more."""
        for order in orders:
            order.known = False
        self.unknown_since = now
        self.record_lost = True
        self.idle_since = now
        self.kept_id = ""
        self.settled = True
        self.attempt_at = 0
        self.shipped_told = False
        self.ends_seen = [0, 0]

    # -- after every wake ------------------------------------------------------------------------

    def check_kept(self, rec):
        """LOST: flash must name the order whose answer was stored."""
        if rec.event_id != self.kept_id and not self.record_lost:
            raise Violation(f"LOST: flash names {rec.event_id!r}, stored was {self.kept_id!r}")

    def check_idle(self, now, waits, needed):
        """STUCK: nothing in the way for a horizon and a day, and nothing sent. Judged only where
        so many readings confirm low: a cut near the end costs the device those again."""
        if waits:
            self.idle_since = now
        elif self.low_row >= needed and now - self.idle_since > HORIZON + DAY + 4 * HOUR:
            days = (now - self.idle_since) / DAY
            raise Violation(f"STUCK: low, subscribed, nothing open, nothing sent for {days:.1f} d")


def describe(order):
    """Return an order in words."""
    known = "known to the device" if order.known else "its answer never reached flash"
    told = f", last told {order.last_told}" if order.last_told else ""
    return f"order {order.number} is {PHASES[order.phase]}, {known}{told}"
