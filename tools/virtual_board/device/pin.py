"""`Pin` and `ADC` of `machine`, loaded with the first of them."""

from micropython import const
from umachine import PinBase
from vb_core import ask, tell

_ANALOGUE = const(0x61)
_OUTPUT = const(0x6F)


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
        self._level = 0
        self._drives = False
        self.init(mode, pull, value=value)

    def init(self, mode=-1, pull=-1, *, value=None, drive=None, hold=None):
        self._drives = mode == Pin.OUT or (self._drives and mode == -1)
        if value is not None or pull == Pin.PULL_UP:
            self._set(1 if value is None else value)

    def _set(self, level):
        level = int(bool(level))
        if self._drives and level != self._level:
            tell(_OUTPUT, bytes((self.id, level)))
        self._level = level

    def value(self, *args):
        if not args:
            return self._level
        self._set(args[0])

    __call__ = value

    def on(self):
        self._set(1)

    def off(self):
        self._set(0)

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
        self._span_uv = (1100000, 1500000, 2200000, 3300000)[atten]

    def width(self, bits):
        return None

    def read_uv(self):
        return min(int(ask(_ANALOGUE, self._pin)), self._span_uv)

    def read_u16(self):
        return self.read_uv() * 65535 // self._span_uv

    def read(self):
        return self.read_u16() >> 4
