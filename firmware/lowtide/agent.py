"""The agent between its wakes: measure, decide whether the uplink is due, and when to wake next.

No I/O of its own: gauge, stores, clock and random numbers come in through the constructor. What
happens on the network is `uplink.py`, which a measure wake never imports.
"""

import binascii
import struct

from micropython import const

from lowtide import record as r
from lowtide.gauges import GaugeFault
from lowtide.level import Level
from lowtide.orders import Orders
from lowtide.outcome import ABSENT

_DAY_S = const(86400)
_BACKOFF_S = const(60)
_BACKOFF_CAP_S = const(7200)
_LOWEST_STEP = const(50)
_RTC = "<BBHBIIII"
_RTC_SIZE = const(21)
_KEPT = ("failures", "measured_at", "retry_at", "asked_at", "reported_at")


class Agent:
    """One slot's agent.

    Args:
        config: `config.Config`, or anything indexed by the same names with `missing()`, `fault`.
        store: the record's `store.Store`, and what its `load()` gave as `status`, `payload`.
        gauge: `read() -> permille`, raises `GaugeFault`.
        time_s: `() -> int` Unix seconds by the local clock; good for waking, never for buying.
        log: called with a line.
        random: `(n) -> int` in 0..n, for back-off.
        since_s: the build date: a clock before it has not been set.
    """

    def __init__(self, config, store, loaded, gauge, time_s, log, random, since_s):
        self._config, self._store, self._gauge = config, store, gauge
        self._time_s, self.log, self._random, self._since_s = time_s, log, random, since_s
        self.orders = Orders(self._record(loaded), config)
        rec = self.rec
        # A depletion that was going on starts again at what flash knows of it.
        lowest = None if rec.state == r.NONE else min(1000, rec.lowest_permille)
        self.level = Level(config, lowest)
        self.doubt = None
        self.forced = False
        self.failures = 0
        self.trouble = None
        self.measured_at = self.retry_at = self.asked_at = self.reported_at = 0

    @property
    def rec(self):
        """The order record."""
        return self.orders.rec

    def _record(self, loaded):
        status, payload = loaded
        if payload is not None:
            try:
                return r.unpack(payload)
            except ValueError as e:
                self.log(str(e))
        elif status == ABSENT and not self._config.present:
            # A new device: from now on a missing record means that one was lost.
            rec = r.Record()
            self._store.save(rec.pack())
            return rec
        self.log("order record lost or damaged: counts as an attempt (rule 9)")
        return r.Record().in_doubt()

    def persist(self):
        """Bring the record to flash. It is there when this returns; unchanged costs nothing.

        Raises:
            OSError: it is not there. Nothing may be sent then.
        """
        self._store.save(self.rec.pack())

    # -- across deep sleep ----------------------------------------------------------------------

    def rtc_pack(self):
        """Return what RTC memory keeps: counts and schedules that may be lost without harm."""
        level, lowest = self.level, self.level.lowest_permille
        values = [level.low_count, level.refill_count, r.UNKNOWN_PERMILLE]
        if lowest is not None:
            values[2] = lowest
        data = struct.pack(_RTC, *(values + [getattr(self, name) for name in _KEPT]))
        return data + struct.pack("<I", binascii.crc32(data))

    def rtc_resume(self, data):
        """Take back `rtc_pack()`; anything else (power was lost) is ignored."""
        if len(data) != _RTC_SIZE + 4:
            return
        kept = data[:_RTC_SIZE]
        if struct.unpack("<I", data[_RTC_SIZE:])[0] != binascii.crc32(kept):
            return
        low_count, refill_count, lowest, *values = struct.unpack(_RTC, kept)
        for name, value in zip(_KEPT, values):  # noqa: B905
            setattr(self, name, value)
        if lowest == r.UNKNOWN_PERMILLE:
            # A wake that ended badly kept none: the record's, if it knows of a depletion.
            lowest = self.level.lowest_permille
        self.level.resume(low_count, refill_count, lowest)

    # -- measuring ------------------------------------------------------------------------------

    def measure(self):
        """Take one reading in and act on a refill. Flash is written only if the order moves."""
        self.measured_at = self._time_s()
        try:
            permille = self._gauge.read()
        except GaugeFault as e:
            self.level.fault()
            self.doubt = "gauge fault"
            self.log(str(e))
            return
        self.doubt = None
        if self.level.reading(permille):
            self.log("refilled to %d.%d %%" % divmod(permille, 10))
            self.orders.refilled()
            self.persist()
        elif self.rec.state and permille + _LOWEST_STEP <= min(self.rec.lowest_permille, 1000):
            # Flash follows the low-water mark in steps: losing RTC memory then costs at most
            # five points of refill detection, and a depletion a few writes.
            self.note_lowest()
            self.persist()

    def note_lowest(self):
        """Copy the low-water mark into the record."""
        if self.level.lowest_permille is not None:
            self.rec.lowest_permille = self.level.lowest_permille

    # -- deciding -------------------------------------------------------------------------------

    def doubts(self):
        """Return why nothing may be bought now, or None."""
        if self._config.fault:
            return "configuration damaged"
        if self._config.missing():
            return "not configured: " + self._config.missing()
        return self.doubt

    def verdict(self, now_s, forced=False):
        """Judge whether a Replenish may be sent; see `orders.Orders.verdict`."""
        return self.orders.verdict(now_s, self.level.low, self.doubts(), forced)

    def request_order(self, forced):
        """A person typed `order` or `order --now`: confirm the level now, then judge.

        Return the verdict; where it may, the next `uplink_due()` says so.
        """
        self.measure()
        while self.level.low_count and not self.level.low:
            self.measure()
        verdict = self.verdict(self._time_s(), forced)
        if verdict.may:
            self.forced = forced
            self.retry_at = 0
        return verdict

    def config_changed(self, name):
        """A setting was changed by hand: what it can heal is healed (rule 9)."""
        rec = self.rec
        healed = (name == "lwa.refresh_token" and rec.blocked == r.REVOKED) or (
            name == "slot.id" and rec.blocked in (r.NO_SUCH_SLOT, r.NOT_LISTED)
        )
        if healed:
            rec.blocked = r.FREE
            self.persist()
        self.failures = self.retry_at = self.reported_at = 0

    def clock_plausible(self):
        """Whether the local clock can be right: after the build and after all that was stored."""
        return self._time_s() >= max(self._since_s, self.rec.latest_s())

    def uplink_due(self):
        """Return why the uplink is due now, or None. Only scheduling: it buys nothing."""
        if self._silent():
            return None
        if self.forced:
            return "order"
        now_s = self._time_s()
        if 0 < self.retry_at - now_s <= _BACKOFF_CAP_S:
            return None
        if not self.clock_plausible():
            return "time"
        if self.verdict(now_s).may:
            return "order"
        if self.ask_due(now_s):
            return "ask"
        if _over(now_s, self.reported_at, _DAY_S):
            return "report"
        return None

    def _silent(self):
        # Only a person can help: no call is made, and no wake is spent on one.
        config = self._config
        return config.fault or config.missing() or self.rec.blocked == r.REVOKED

    def clock_moved(self, by_s):
        """The local clock is about to be set: a wait under way stays as long as it was."""
        self.measured_at += by_s
        if self.retry_at:
            self.retry_at += by_s

    def ask_due(self, now_s):
        """Whether GetOrderInfo is due (every 4 h or daily; first when a missing date tells)."""
        return self.orders.askable() and _over(now_s, *self._ask_from())

    def _ask_from(self):
        # -> (since when, how long) to wait before asking.
        rec = self.rec
        first_s = self._config["order.resolution_after_s"]
        if rec.state == r.PLACED and self.asked_at < rec.ordered_at + first_s:
            return rec.ordered_at, first_s
        return max(self.asked_at, rec.ordered_at), self.orders.ask_interval_s()

    def uplink_failed(self, why, wait_s=0):
        """Note a failed uplink: full-jitter back-off, at least `wait_s` (Retry-After)."""
        cap_s = min(_BACKOFF_CAP_S, _BACKOFF_S << min(self.failures, 10))
        delay_s = min(_BACKOFF_CAP_S, max(wait_s, 1 + self._random(cap_s - 1)))
        self.failures = min(self.failures + 1, 99)
        self.retry_at = self._time_s() + delay_s
        self.trouble = why
        self.log("%s; next try in %d s" % (why, delay_s))

    def uplink_done(self):
        """Note an uplink that did all that was due."""
        self.failures = self.retry_at = 0
        self.trouble = None
        self.log("uplink: done")

    def wake_in_s(self):
        """Return in how many seconds the next step is due, at least 1."""
        now_s = self._time_s()
        interval_s = self._config["measure.interval_s"]
        due_s = self.measured_at + interval_s
        if now_s < self.retry_at:
            due_s = min(due_s, self.retry_at)
        elif self.orders.askable() and not self._silent():
            due_s = min(due_s, sum(self._ask_from()))
        wait_s = due_s - now_s
        return wait_s if 0 < wait_s <= interval_s else 1

    def measure_due(self):
        """Whether the next reading is due by the calendar, whichever way the clock jumped."""
        return _over(self._time_s(), self.measured_at, self._config["measure.interval_s"])


def _over(now_s, then_s, period_s):
    # A "then" in the future is a clock that was wrong: over, so that nothing waits for years.
    return not 0 <= now_s - then_s < period_s
