"""The agent between its wakes: measure, decide whether the uplink is due, and when to wake next.

No I/O of its own: gauge, stores, clock and random numbers come in through the constructor. What
happens on the network is `uplink.py`, which a measure wake never imports.
"""

import binascii
import struct

from micropython import const

from lowtide import record as r
from lowtide.forecast import Forecast
from lowtide.gauges import GaugeFault
from lowtide.level import Level
from lowtide.orders import Orders
from lowtide.outcome import ABSENT, Fault

_DAY_S = const(86400)
_BACKOFF_S = const(60)
_BACKOFF_CAP_S = const(7200)
# Uplinks in one day, whatever becomes of them: a network that fails costs half an hour awake.
_DAILY_CAP = const(24)
_LOWEST_STEP = const(50)
# The sleep clock's error is learned from at least so long a sleep, up to 10 %, in millionths.
_DRIFT_OVER_S = const(21600)
_DRIFT_MOST = const(100000)
_RTC = "<BBHBBHiIIIIIII"
_RTC_SIZE = const(40)
_KEPT_SIZE = const(63)
_KEPT = (
    "failures",
    "uplinks",
    "uplink_day",
    "drift_ppm",
    "slept_at",
    "slept_s",
    "measured_at",
    "retry_at",
    "asked_at",
    "reported_at",
    "verified_at",
)


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

    failures: int
    uplinks: int
    uplink_day: int
    drift_ppm: int
    slept_at: int
    slept_s: int
    measured_at: int
    retry_at: int
    asked_at: int
    reported_at: int
    verified_at: int

    def __init__(self, config, store, loaded, gauge, time_s, log, random, since_s):
        self._config, self._store, self._gauge = config, store, gauge
        self._time_s, self.log, self._random, self._since_s = time_s, log, random, since_s
        self.orders = Orders(self._record(loaded), config)
        rec = self.rec
        # A depletion that was going on starts again at what flash knows of it.
        lowest = None if rec.state == r.NONE else min(1000, rec.lowest_permille)
        self.level = Level(config, lowest)
        self.forecast = Forecast()
        self.doubt = None
        self.forced = self.safe = False
        self.trouble = None
        for name in _KEPT:
            setattr(self, name, 0)

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

    def rtc_pack(self, extra=b""):
        """Return what RTC memory keeps: counts and schedules that may be lost without harm.

        `extra` goes with them, unread (the uplink's own).
        """
        level, lowest = self.level, self.level.lowest_permille
        self.slept_at = self._time_s()
        values = [level.low_count, level.refill_count, r.UNKNOWN_PERMILLE]
        if lowest is not None:
            values[2] = lowest
        data = struct.pack(_RTC, *(values + [getattr(self, name) for name in _KEPT]))
        data += self.forecast.pack() + extra
        return data + struct.pack("<I", binascii.crc32(data, _KEPT_SIZE))

    def rtc_resume(self, data):
        """Take back `rtc_pack()`, return its `extra`; else (power was lost) do nothing."""
        kept = data[:-4]
        # The size in the CRC: what firmware of another layout left does not check out.
        if len(kept) < _KEPT_SIZE or struct.unpack("<I", data[-4:])[0] != binascii.crc32(
            kept, _KEPT_SIZE
        ):
            return b""
        low_count, refill_count, lowest, *values = struct.unpack(_RTC, kept[:_RTC_SIZE])
        for name, value in zip(_KEPT, values):  # noqa: B905
            setattr(self, name, value)
        if lowest == r.UNKNOWN_PERMILLE:
            lowest = None
        self.level.resume(low_count, refill_count, lowest)
        self.forecast.resume(kept[_RTC_SIZE:_KEPT_SIZE])
        return kept[_KEPT_SIZE:]

    def woke(self):
        """Note the end of a deep sleep. Return by how many seconds to set the clock forward.

        The sleep clock is off by up to 5 %: what that is here is learned by `clock_verified`.
        """
        asleep_s = self._time_s() - self.slept_at
        if not 0 < asleep_s <= _DAY_S:
            return 0
        self.slept_s += asleep_s
        return asleep_s * self.drift_ppm // 1000000

    def clock_verified(self, now_s):
        """A verified time: the last good one, and the measure of the sleep clock since then.

        Raises:
            Fault: it is before the build. Nothing is done with it.
        """
        if now_s < self._since_s:
            raise Fault("the service's date is older than this firmware")
        error_s, asleep_s = now_s - self._time_s(), self.slept_s
        if asleep_s >= _DRIFT_OVER_S and abs(error_s) * 10 < asleep_s:
            drift_ppm = self.drift_ppm + error_s * 1000000 // asleep_s
            self.drift_ppm = max(-_DRIFT_MOST, min(_DRIFT_MOST, drift_ppm))
        self.verified_at = now_s

    # -- measuring ------------------------------------------------------------------------------

    def measure(self):
        """Take one reading in and act on a refill. Flash is written only if the order moves."""
        self.measured_at = self._time_s()
        try:
            permille = self._gauge.read()
            self.forecast.reading(permille, self.measured_at)
        except GaugeFault as e:
            self.level.fault()
            self.doubt = "gauge fault: %s" % e
            self.log(self.doubt)
            return
        self.doubt = None
        if self.level.reading(permille, self.forecast.days_left()):
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
        if self.safe:
            return "safe mode after bad starts; 'reboot' ends it"
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
            self.retry_at = self.uplinks = 0
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
        self.failures = self.retry_at = self.reported_at = self.uplinks = 0

    # -- scheduling: it buys nothing --------------------------------------------------------------

    def earliest_s(self):
        """Return the earliest time that can be now: the build's, or the last good one."""
        return max(self._since_s, self.verified_at)

    def clock_plausible(self):
        """Whether the local clock can be right: after the build and after all that was stored."""
        return self._time_s() >= max(self.earliest_s(), self.rec.latest_s())

    def clock_moved(self, by_s):
        """The local clock is about to be set: a wait under way stays as long as it was."""
        self.slept_s = 0
        self.measured_at = max(0, self.measured_at + by_s)
        if self.retry_at:
            self.retry_at += by_s

    def measure_due(self):
        """Whether the next reading is due by the calendar, whichever way the clock jumped."""
        return not self._measure_in_s()

    def _measure_in_s(self):
        return _left_s(self._time_s(), self.measured_at, self._config["measure.interval_s"])

    def uplink_due(self):
        """Return why the uplink is due now, or None."""
        wait_s, why = self._uplink_in_s()
        return None if wait_s else why

    def wake_in_s(self):
        """Return in how many seconds of the sleep clock the next step is due, at least 1."""
        wait_s = min(self._measure_in_s(), self._uplink_in_s()[0])
        return max(1, wait_s - wait_s * self.drift_ppm // 1000000)

    def _uplink_in_s(self):
        # -> (seconds until the next uplink is due, why it will be).
        config, now_s = self._config, self._time_s()
        if self.safe or config.fault or config.missing() or self.rec.blocked == r.REVOKED:
            # Only a person can help: no call is made, and no wake is spent on one.
            return _DAY_S, None
        if self.forced:
            return 0, "order"
        held_s = self.retry_at - now_s
        if not 0 < held_s <= _BACKOFF_CAP_S:
            held_s = 0
        if self.uplinks >= _DAILY_CAP and self.uplink_day == now_s // _DAY_S:
            held_s = _DAY_S - now_s % _DAY_S
        wait_s, why = _left_s(now_s, self.reported_at, _DAY_S), "report"
        if not self.clock_plausible():
            wait_s, why = 0, "time"
        elif self.verdict(now_s).may:
            wait_s, why = 0, "order"
        elif self.orders.askable() and self._ask_in_s(now_s) <= wait_s:
            wait_s, why = self._ask_in_s(now_s), "ask"
        return max(wait_s, held_s), why

    def ask_due(self, now_s):
        """Whether GetOrderInfo is due (every 4 h or daily; first when a missing date tells)."""
        return self.orders.askable() and not self._ask_in_s(now_s)

    def _ask_in_s(self, now_s):
        rec = self.rec
        first_s = self._config["order.resolution_after_s"]
        if rec.state == r.PLACED and self.asked_at < rec.ordered_at + first_s:
            return _left_s(now_s, rec.ordered_at, first_s)
        return _left_s(now_s, max(self.asked_at, rec.ordered_at), self.orders.ask_interval_s())

    def uplink_begins(self):
        """Count an uplink as failed until its end is known: the watchdog may be its end."""
        day = self._time_s() // _DAY_S
        self.uplinks = self.uplinks + 1 if day == self.uplink_day else 1
        self.uplink_day = day
        # Odd and even go on in turn at the end, too: `uplink` doubts the clock every other time.
        self.failures = self.failures + 1 if self.failures < 99 else 98
        self.trouble = "uplink under way, or ended by the watchdog"
        self._back_off(0)

    def _back_off(self, wait_s):
        # Full jitter, at least `wait_s`.
        cap_s = min(_BACKOFF_CAP_S, _BACKOFF_S << min(self.failures - 1, 10))
        delay_s = min(_BACKOFF_CAP_S, max(wait_s, 1 + self._random(cap_s - 1)))
        self.retry_at = self._time_s() + delay_s
        return delay_s

    def uplink_failed(self, why, wait_s=0):
        """Note that the uplink failed: back-off, at least `wait_s` (Retry-After)."""
        self.trouble = why
        self.log("%s; next try in %d s" % (why, self._back_off(wait_s)))

    def uplink_done(self):
        """Note that the uplink did all that was due."""
        self.failures = self.retry_at = 0
        self.trouble = None
        self.log("uplink: done")


def _left_s(now_s, then_s, period_s):
    # A "then" in the future is a clock that was wrong: 0, so that nothing waits for years.
    passed_s = now_s - then_s
    return period_s - passed_s if 0 <= passed_s < period_s else 0
