"""`machine` of the ESP32 port, as far as a dispenser needs it at every start."""

import time as _time

from micropython import const
from vb_core import ask, end, load, tell

WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5

_CAUSE = const(0x63)
_RESET = const(0x72)
_SLEEP = const(0x73)
_WATCHDOG = const(0x77)
_FEED = const(0x66)
_SET_CLOCK = const(0x54)
_READ_MEMORY = const(0x6D)
_WRITE_MEMORY = const(0x4D)


def __getattr__(name):
    return getattr(load("pin" if name in ("Pin", "ADC") else "machine_more"), name)


def reset_cause():
    return ask(_CAUSE)[0]


def reset():
    end(_RESET)


def deepsleep(time_ms=0):
    end(_SLEEP, str(time_ms).encode())


class WDT:
    def __init__(self, id=0, timeout=5000):
        if id != 0:
            raise ValueError
        if timeout <= 0:
            raise ValueError("WDT timeout too short")
        tell(_WATCHDOG, str(timeout).encode())

    def feed(self):
        tell(_FEED)


class RTC:
    def __init__(self, id=0):
        pass

    def datetime(self, when=None):
        """Gets, or sets, (year, month, day, weekday, hours, minutes, seconds, microseconds)."""
        if when is not None:
            self.init(when)
            return None
        ns = _time.time_ns()
        t = _time.gmtime(ns // 1000000000)
        return t[:3] + (t[6],) + t[3:6] + (ns // 1000 % 1000000,)

    def init(self, when):
        y, mo, d, _, h, mi, s, us = when
        secs = _time.mktime((y, mo, d, h, mi, s, 0, 0))
        ask(_SET_CLOCK, str(secs * 1000000000 + us * 1000).encode())

    def memory(self, data=None):
        if data is None:
            return ask(_READ_MEMORY)
        if len(data) > 2048:
            raise ValueError("buffer too long")
        ask(_WRITE_MEMORY, bytes(data))
