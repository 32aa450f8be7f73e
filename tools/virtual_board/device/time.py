"""`time` of the ESP32 port: whole seconds since 2000, on the board's own clock."""

import utime as _unix
from micropython import const
from utime import (
    sleep as sleep,
)
from utime import (
    sleep_ms as sleep_ms,
)
from utime import (
    sleep_us as sleep_us,
)
from utime import (
    ticks_add as ticks_add,
)
from utime import (
    ticks_cpu as ticks_cpu,
)
from utime import (
    ticks_diff as ticks_diff,
)
from utime import (
    ticks_ms as ticks_ms,
)
from utime import (
    ticks_us as ticks_us,
)
from vb_core import ask

_CLOCK = const(0x74)
_Y2000 = const(946684800)


def time_ns():
    return int(ask(_CLOCK))


def time():
    return time_ns() // 1000000000


def gmtime(when=None):
    return _unix.gmtime(int(time() if when is None else when) + _Y2000)[:8]


localtime = gmtime


def mktime(when):
    return int(_unix.mktime(tuple(when[:8]))) - _Y2000
