"""The agent between its wakes: measure, decide whether the uplink is due, and when to wake next.

No I/O of its own: gauge, stores, clock and random numbers come in through the constructor. What
happens on the network is `uplink.py`, which a measure wake never imports.
"""

import binascii
import struct

from micropython import const

from lowtide import Fault, GaugeFault
from lowtide.forecast import Forecast
from lowtide.level import Level
from lowtide.orders import Orders, left_s

# 2024-01-01: a clock that says less has not been set.
_SINCE_S = const(1704067200)
_DAY_S = const(86400)
_BACKOFF_S = const(60)
_BACKOFF_CAP_S = const(7200)
# Uplinks in one day, whatever becomes of them: a network that fails costs half an hour awake.
_DAILY_CAP = const(24)
_LOWEST_STEP = const(50)
# The sleep clock's error is learned from at least so long a sleep, where it is below 10 %.
_DRIFT_OVER_S = const(21600)
_RTC = const("<BBHBBHiIIIIIII")
_NO_LEVEL = const(0xFFFF)
_RTC_SIZE = const(40)
_KEPT_SIZE = const(63)
# The CRC-32 of anything with its own CRC-32 behind it, little-endian.
_CRC_OF_ALL = const(0x2144DF1C)
_KEPT = [
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
]


class Agent:
    """One slot's agent.

    Args:
        config: `config.Config`, or anything indexed by the same names with `missing()`, `fault`,
            `present`.
        store: the record's `store.Store`.
        gauge: `read() -> permille`, raises `GaugeFault`.
        time_s: `() -> int` Unix seconds by the local clock; good for waking, never for buying.
        log: called with a line.
        random: `(n) -> int` in 0..n, for back-off.
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

    def __init__(self, config, store, gauge, time_s, log, random):
        self.config, self.store, self.gauge = config, store, gauge
        self.time_s, self.log, self.random = time_s, log, random
        self.orders = orders = self._orders()
        # A depletion that was going on starts again at what flash knows of it.
        lowest = None if orders.state == "none" else min(1000, orders.lowest_permille)
        self.level = Level(config, lowest)
        self.forecast = Forecast()
        self.doubt = self.trouble = None
        self.forced = self.safe = False
        for name in _KEPT:
            setattr(self, name, 0)

    def _orders(self):
        data, orders = self.store.load(), Orders(self.config)
        if data is None and not self.config.present:
            # A new device: from now on a missing record means that one was lost.
            self.store.save(orders.pack())
            return orders
        try:
            return Orders(self.config, data or b"")
        except ValueError:
            self.log("order record lost or damaged: counts as an attempt (rule 9)")
            # Its window is over: no time of it is known.
            orders.state = "attempt"
            return orders

    def persist(self):
        """Bring the record to flash. It is there when this returns; unchanged costs nothing.

        Raises:
            OSError: it is not there. Nothing may be sent then.
        """
        self.store.save(self.orders.pack())

    # -- across deep sleep ----------------------------------------------------------------------

    def rtc_pack(self, extra=b""):
        """Return what RTC memory keeps: counts and schedules that may be lost without harm.

        `extra` goes with them, unread (the uplink's own).
        """
        level, lowest = self.level, self.level.lowest_permille
        values = [level.low_count, level.refill_count, _NO_LEVEL if lowest is None else lowest]
        self.slept_at = self.time_s()
        for name in _KEPT:
            values.append(getattr(self, name))
        data = struct.pack(_RTC, *values) + self.forecast.pack() + extra
        # The size in the CRC: what firmware of another layout left does not check out.
        return data + struct.pack("<I", binascii.crc32(data, _KEPT_SIZE))

    def rtc_resume(self, data):
        """Take back `rtc_pack()`, return its `extra`; else (power was lost) do nothing."""
        if len(data) < _KEPT_SIZE or binascii.crc32(data, _KEPT_SIZE) != _CRC_OF_ALL:
            return b""
        low_count, refill_count, lowest, *values = struct.unpack(_RTC, data[:_RTC_SIZE])
        for name, value in zip(_KEPT, values):  # noqa: B905
            setattr(self, name, value)
        self.level.resume(low_count, refill_count, None if lowest == _NO_LEVEL else lowest)
        self.forecast.resume(data[_RTC_SIZE:_KEPT_SIZE])
        return data[_KEPT_SIZE:-4]

    def woke(self):
        """Note the end of a deep sleep. Return by how many seconds to set the clock forward.

        The sleep clock is off by up to 5 %: what that is here is learned by `clock_verified`.
        """
        asleep_s = self.time_s() - self.slept_at
        if not 0 < asleep_s <= _DAY_S:
            return 0
        self.slept_s += asleep_s
        return asleep_s * self.drift_ppm // 1000000

    def clock_verified(self, now_s):
        """A verified time: the last good one, and the measure of the sleep clock since then.

        Raises:
            Fault: it is before the build. Nothing is done with it.
        """
        if now_s < _SINCE_S:
            raise Fault("the service's date is older than this firmware")
        error_s, asleep_s = now_s - self.time_s(), self.slept_s
        if asleep_s >= _DRIFT_OVER_S and abs(error_s) * 10 < asleep_s:
            self.drift_ppm += error_s * 1000000 // asleep_s
        self.verified_at = now_s

    # -- measuring ------------------------------------------------------------------------------

    def measure(self):
        """Take one reading in and act on a refill. Flash is written only if the order moves."""
        level, orders = self.level, self.orders
        self.measured_at = self.time_s()
        try:
            permille = self.gauge.read()
            self.forecast.reading(permille, self.measured_at)
        except GaugeFault as e:
            level.fault()
            self.doubt = "gauge fault: %s" % e
            self.log(self.doubt)
            return
        self.doubt = None
        if level.reading(permille, self.forecast.days_left()):
            self.log("refilled to %d.%d %%" % divmod(permille, 10))
            orders.refilled()
            self.persist()
        elif orders.state != "none" and permille + _LOWEST_STEP <= orders.lowest_permille:
            # Flash follows the low-water mark in steps: losing RTC memory then costs at most
            # five points of refill detection, and a depletion a few writes.
            orders.lowest_permille = permille
            self.persist()

    # -- deciding -------------------------------------------------------------------------------

    def doubts(self):
        """Return why nothing may be bought now, or None."""
        if self.safe:
            return "safe mode after bad starts; 'reboot' ends it"
        missing = self.config.missing()
        return self.config.fault or ("not configured: " + missing if missing else self.doubt)

    def verdict(self, now_s, forced=False):
        """Judge whether a Replenish may be sent; see `orders.Orders.verdict`."""
        low, doubt = self.level.low, self.doubts()
        if forced == "test":
            # Nothing is bought with it: neither the level nor the gauge matters.
            low = True
            if self.config["device.stage"] != "test":
                doubt = "device.stage is not test"
            elif doubt is self.doubt:
                doubt = None
        return self.orders.verdict(now_s, low, doubt, forced)

    def config_changed(self, name):
        """A setting was changed by hand: what it can heal is healed (rule 9)."""
        if name == ("lwa.refresh_token" if self.orders.block == "revoked" else "slot.id"):
            self.orders.blocked = 0
            self.persist()
        self.failures = self.retry_at = self.reported_at = self.uplinks = 0

    # -- scheduling: it buys nothing --------------------------------------------------------------

    def earliest_s(self):
        """Return the earliest time that can be now: the build's, or the last good one."""
        return max(_SINCE_S, self.verified_at)

    def clock_plausible(self):
        """Whether the local clock can be right: after the build and after all that was stored."""
        return self.time_s() >= max(self.earliest_s(), self.orders.latest_s())

    def clock_moved(self, by_s):
        """The local clock is about to be set: a wait under way stays as long as it was."""
        self.slept_s = 0
        self.measured_at = max(0, self.measured_at + by_s)
        if self.retry_at:
            self.retry_at += by_s

    def measure_in_s(self):
        """Return the seconds to the next reading, whichever way the clock jumped; 0: it is due."""
        return left_s(self.time_s(), self.measured_at, self.config["measure.interval_s"])

    def uplink_due(self):
        """Return why the uplink is due now, or None."""
        wait_s, why = self._uplink_in_s()
        return None if wait_s else why

    def wake_in_s(self):
        """Return in how many seconds of the sleep clock the next step is due, at least 1."""
        wait_s = min(self.measure_in_s(), self._uplink_in_s()[0])
        return max(1, wait_s - wait_s * self.drift_ppm // 1000000)

    def _uplink_in_s(self):
        # -> (seconds until the next uplink is due, why it will be).
        now_s = self.time_s()
        if self.doubts() is not self.doubt or self.orders.block == "revoked":
            # Not the gauge's doubt, so only a person can help: no wake is spent on a call.
            return _DAY_S, None
        if self.forced:
            return 0, "order"
        held_s = left_s(now_s, self.retry_at - _BACKOFF_CAP_S, _BACKOFF_CAP_S)
        if self.uplinks >= _DAILY_CAP and self.uplink_day == now_s // _DAY_S:
            held_s = _DAY_S - now_s % _DAY_S
        wait_s, why = left_s(now_s, self.reported_at, _DAY_S), "report"
        ask_s = self.orders.ask_in_s(now_s, self.asked_at)
        if not self.clock_plausible():
            wait_s, why = 0, "time"
        elif self.verdict(now_s).may:
            wait_s, why = 0, "order"
        elif ask_s <= wait_s:
            wait_s, why = ask_s, "ask"
        return max(wait_s, held_s), why

    def uplink_begins(self):
        """Count an uplink as failed until its end is known: the watchdog may be its end."""
        day = self.time_s() // _DAY_S
        self.uplinks = self.uplinks + 1 if day == self.uplink_day else 1
        self.uplink_day = day
        # Odd and even go on in turn at the end, too: `uplink` doubts the clock every other time.
        self.failures = self.failures + 1 if self.failures < 99 else 98
        self._back_off("uplink under way, or ended by the watchdog", 0)

    def _back_off(self, why, wait_s):
        # Full jitter, at least `wait_s`.
        self.trouble = why
        cap_s = min(_BACKOFF_CAP_S, _BACKOFF_S << min(self.failures - 1, 10))
        delay_s = min(_BACKOFF_CAP_S, max(wait_s, 1 + self.random(cap_s - 1)))
        self.retry_at = self.time_s() + delay_s
        return delay_s

    def uplink_failed(self, why, wait_s=0):
        """Note that the uplink failed: back-off, at least `wait_s` (Retry-After)."""
        # In this order: a long reason is cut.
        self.log("next try in %d s: %s" % (self._back_off(why, wait_s), why))

    def uplink_done(self):
        """Note that the uplink did all that was due."""
        self.failures = self.retry_at = 0
        self.trouble = None
        self.log("uplink: done")
