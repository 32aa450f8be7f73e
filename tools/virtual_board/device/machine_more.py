"""The rest of `machine`, which few boards use."""

import time

from micropython import const
from umachine import (
    Signal as Signal,
)
from umachine import (
    idle as idle,
)
from umachine import (
    mem8 as mem8,
)
from umachine import (
    mem16 as mem16,
)
from umachine import (
    mem32 as mem32,
)
from umachine import (
    soft_reset as soft_reset,
)
from umachine import (
    time_pulse_us as time_pulse_us,
)
from vb_core import ask

PWRON_RESET = 1
HARD_RESET = 2
PIN_WAKE = EXT0_WAKE = 2
EXT1_WAKE = 3
TIMER_WAKE = 4
TOUCHPAD_WAKE = 5
ULP_WAKE = 6

_CAUSE = const(0x63)
_IDENTITY = const(0x75)

_freq_hz = 160000000


def wake_reason():
    return ask(_CAUSE)[1]


def unique_id():
    return ask(_IDENTITY)


def freq(hz=None):
    global _freq_hz
    if hz is None:
        return _freq_hz
    if hz not in (20000000, 40000000, 80000000, 160000000, 240000000):
        raise ValueError("frequency must be 20MHz, 40MHz, 80Mhz, 160MHz or 240MHz")
    _freq_hz = hz


def lightsleep(time_ms=0):
    time.sleep_ms(time_ms)
