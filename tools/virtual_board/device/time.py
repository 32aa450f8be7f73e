"""`time` of the ESP32 port: whole seconds since 2000, on the board's own clock."""

import time as _unix
from time import (
    sleep as sleep,
)
from time import (
    sleep_ms as sleep_ms,
)
from time import (
    sleep_us as sleep_us,
)
from time import (
    ticks_add as ticks_add,
)
from time import (
    ticks_cpu as ticks_cpu,
)
from time import (
    ticks_diff as ticks_diff,
)
from time import (
    ticks_ms as ticks_ms,
)
from time import (
    ticks_us as ticks_us,
)

from vb_bus import ask

_Y2000 = 946684800


def time_ns():
    return int(ask("t"))


def time():
    return time_ns() // 1000000000


def gmtime(secs=None):
    return _unix.gmtime(int(time() if secs is None else secs) + _Y2000)[:8]


localtime = gmtime


def mktime(when):
    return int(_unix.mktime(tuple(when[:8]))) - _Y2000
