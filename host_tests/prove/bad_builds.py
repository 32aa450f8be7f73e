"""Known-bad builds: each breaks one promise, and the proofs must say so (tests of the tests)."""

import contextlib

from host_tests.prove import wake
from lowtide.agent import Agent
from lowtide.orders import Orders
from lowtide.uplink import Uplink


async def _intent_after_send(self, slot, now_s, verdict):
    agent, orders = self.agent, self.agent.orders
    code, event_id = await self.api.replenish(slot)
    orders.sending(now_s, verdict.repeat, agent.level.lowest_permille)
    orders.answered(code, event_id, now_s, verdict.repeat)
    agent.persist()


def _damaged_is_none(self):
    payload = self.store.load()
    return Orders(self.config, payload) if payload else Orders(self.config)


_verdict, _by_state, _refused = Orders.verdict, Orders._by_state, Orders.refused


def _repeat_without_low(self, now_s, low, doubt=None, forced=False):
    return _verdict(self, now_s, low or self._in_window(now_s), doubt, forced)


def _window_without_end(self, now_s):
    return self.state == "attempt" and bool(self.attempt_at)


def _cancelled_is_free(self, *now):
    return ("no hold", 1) if self.state == "cancelled" else _by_state(self, *now)


def _every_cancel_reorders(self, *now):
    if self.state == "cancelled":
        return "no second time", self.cancelled_at + 432000
    return _by_state(self, *now)


def _shipped_reorders(self, *now):
    return ("shipped is over", 1) if self.state == "shipped" else _by_state(self, *now)


def _open_reorders(self, *now):
    return ("asks by buying", 1) if self.state == "confirmed" else _by_state(self, *now)


def _horizon_never_ends(self, *now):
    why, at_s = _by_state(self, *now)
    return why, 0 if self.state == "attempt" else at_s


def _no_interval(self, now_s, low, doubt=None, forced=False):
    kept, self.attempt_at = self.attempt_at, self._in_window(now_s) * self.attempt_at
    verdict = _verdict(self, now_s, low, doubt, forced)
    self.attempt_at = kept
    return verdict


def _forgets_the_answer(self, detail_code, event_id, now_s, repeat):
    self._enter_order("placed", "", now_s)
    return True


def _refusal_reopens(self, now_s):
    return self.state == "attempt" and now_s - self.attempt_at < 43200


# name: (class, method, replacement, what the proof must say)
BUILDS = {
    "intent after send": (Uplink, "_order", _intent_after_send, "rule 1"),
    "damaged record taken for none": (Agent, "_orders", _damaged_is_none, "DUPLICATE"),
    "repeat without a low reading": (Orders, "verdict", _repeat_without_low, "rule 3"),
    "repeat window without end": (Orders, "_in_window", _window_without_end, "rule 8"),
    "no hold after a cancel": (Orders, "_by_state", _cancelled_is_free, "DUPLICATE"),
    "every cancel reorders": (Orders, "_by_state", _every_cancel_reorders, "DUPLICATE"),
    "shipped reorders": (Orders, "_by_state", _shipped_reorders, "rule 2"),
    "Replenish as a probe": (Orders, "_by_state", _open_reorders, "rule 2"),
    "the horizon never ends": (Orders, "_by_state", _horizon_never_ends, "STUCK"),
    "no minimum interval": (Orders, "verdict", _no_interval, "rule 8"),
    "the answer's id is not kept": (Orders, "answered", _forgets_the_answer, "LOST"),
}

# What the search found in the firmware, as its shrunk stories: they must not come back.
FOUND = {
    "a refusal reopens the window": (
        (Orders, "_in_window", _refusal_reopens, "rule 8"),
        (
            ("the bin runs low", "an hour", (1, ("replenish", 0), "answer lost")),
            (None, "eleven days without network", None),
            (None, "half a day", (0, ("replenish", 0), "refused")),
        ),
    ),
    "old RTC memory ends a depletion": (
        (wake.Wake, "_keep", lambda self: None, "rule 8"),
        (
            ("the bin runs low", "an hour", (1, ("persist", 1), "flash fails")),
            ("the bin is refilled", "an hour", None),
            ("the bin runs low", "eleven days", None),
            (None, "eleven days", None),
        ),
    ),
}


@contextlib.contextmanager
def bad(name):
    """Be that build for a while."""
    kind, method, replacement, _ = BUILDS[name] if name in BUILDS else FOUND[name][0]
    original = kind.__dict__[method]
    setattr(kind, method, replacement)
    try:
        yield
    finally:
        setattr(kind, method, original)
