"""What the firmware's shims ask for: clock, RTC memory, gauge, identity, radio."""

import hashlib
import math
import random
from pathlib import Path

from tools.virtual_board.clock import BoardClock
from tools.virtual_board.radio import Radio
from tools.virtual_board.relay import Relay

_LEVEL_PIN = 34
_UV_EMPTY, _UV_SPAN, _UV_NOISE, _UV_MAX = 150_000, 2_300_000, 2_000, 3_100_000
_UV_FLOATING = 4_000  # an open pin


class Peripherals:
    """Survives every reset, but for the radio; made anew at power-on."""

    def __init__(
        self, clock: BoardClock, level: Path, flash: Path, radio: Radio, relay: Relay | None
    ):
        self.clock = clock
        self.radio = radio
        self.relay = relay
        self._level = level
        self._unique_id = hashlib.sha256(str(flash.resolve()).encode()).digest()[:6]
        self._rtc_memory = b""
        self._requests = {
            "t": lambda _: str(clock.now_ns()).encode(),
            "T": self._set_clock,
            "m": lambda _: self._rtc_memory,
            "M": self._set_rtc_memory,
            "a": lambda pin: str(self._read_uv(int(pin))).encode(),
            "u": lambda _: self._unique_id,
            "W": radio.answer,
        }
        if relay:
            self._requests["D"] = relay.look_up

    def answer(self, op: str, payload: bytes) -> bytes | None:
        """Returns the answer to a request, None if it is not for us."""
        request = self._requests.get(op)
        return request(payload) if request else None

    def _set_clock(self, ns: bytes) -> bytes:
        self.clock.set_ns(int(ns))
        return b""

    def _set_rtc_memory(self, data: bytes) -> bytes:
        self._rtc_memory = data
        return b""

    def _read_uv(self, pin: int) -> int:
        if pin != _LEVEL_PIN:
            return random.randint(0, _UV_FLOATING)
        try:
            level = float(self._level.read_text())
        except (OSError, ValueError):
            return 0  # a gauge that is not connected
        if not math.isfinite(level):
            return 0
        uv = _UV_EMPTY + level * _UV_SPAN + random.uniform(-_UV_NOISE, _UV_NOISE)
        return round(min(max(uv, 0), _UV_MAX))
