"""`machine` of the ESP32 port, as far as a dispenser needs it."""

import time as _time

from machine import (
    PinBase,
)
from machine import (
    Signal as Signal,
)
from machine import (
    idle as idle,
)
from machine import (
    mem8 as mem8,
)
from machine import (
    mem16 as mem16,
)
from machine import (
    mem32 as mem32,
)
from machine import (
    soft_reset as soft_reset,
)
from machine import (
    time_pulse_us as time_pulse_us,
)
from vb_bus import ask, halt, tell

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5
PIN_WAKE = EXT0_WAKE = 2
EXT1_WAKE = 3
TIMER_WAKE = 4
TOUCHPAD_WAKE = 5
ULP_WAKE = 6

_freq_hz = 160000000


def reset_cause():
    return ask("c")[0]


def wake_reason():
    return ask("c")[1]


def unique_id():
    return ask("u")


def freq(hz=None):
    global _freq_hz
    if hz is None:
        return _freq_hz
    if hz not in (20000000, 40000000, 80000000, 160000000, 240000000):
        raise ValueError("frequency must be 20MHz, 40MHz, 80Mhz, 160MHz or 240MHz")
    _freq_hz = hz


def reset():
    halt("r")


def deepsleep(time_ms=0):
    halt("s", str(time_ms).encode())


def lightsleep(time_ms=0):
    _time.sleep_ms(time_ms)


class Pin(PinBase):
    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_DOWN = 1
    PULL_UP = 2
    IRQ_RISING = 1
    IRQ_FALLING = 2

    def __init__(self, id, mode=-1, pull=-1, *, value=None, drive=None, hold=None):
        self.id = id.id if isinstance(id, Pin) else id
        self._value = 0
        self.init(mode, pull, value=value)

    def init(self, mode=-1, pull=-1, *, value=None, drive=None, hold=None):
        if value is not None or pull == Pin.PULL_UP:
            self._value = 1 if value is None else int(bool(value))

    def value(self, *args):
        if not args:
            return self._value
        self._value = int(bool(args[0]))

    __call__ = value

    def on(self):
        self._value = 1

    def off(self):
        self._value = 0

    def irq(self, handler=None, trigger=3, *, wake=None):
        return None


class ADC:
    ATTN_0DB = 0
    ATTN_2_5DB = 1
    ATTN_6DB = 2
    ATTN_11DB = 3
    WIDTH_9BIT = 9
    WIDTH_10BIT = 10
    WIDTH_11BIT = 11
    WIDTH_12BIT = 12

    def __init__(self, pin, *, atten=ATTN_0DB):
        self._pin = str(pin.id if isinstance(pin, Pin) else pin).encode()
        self.atten(atten)

    def atten(self, atten):
        # Full scale in uV; the port's own figures for a calibrated chip.
        self._full = (1100000, 1500000, 2200000, 3300000)[atten]

    def width(self, bits):
        return None

    def read_uv(self):
        return min(int(ask("a", self._pin)), self._full)

    def read_u16(self):
        return self.read_uv() * 65535 // self._full

    def read(self):
        return self.read_u16() >> 4


class WDT:
    def __init__(self, id=0, timeout=5000):
        if id != 0:
            raise ValueError
        if timeout <= 0:
            raise ValueError("WDT timeout too short")
        tell("w", str(timeout).encode())

    def feed(self):
        tell("f")


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
        ask("T", str(secs * 1000000000 + us * 1000).encode())

    def memory(self, data=None):
        if data is None:
            return ask("m")
        if len(data) > 2048:
            raise ValueError("buffer too long")
        ask("M", bytes(data))
