"""Analogue gauge: any sensor whose voltage is linear in the amount (resistive, IR, float)."""

from lowtide.gauges import GaugeFault

_BURST = 5
_RAIL_PERMILLE = 50


class Analogue:
    """Level from a voltage between two calibration points.

    `read_uv() -> int` gives microvolts and is handed in (`ADC.read_uv` on the ESP32: calibrated
    against the eFuse reference, MicroPython docs "ADC"). `empty_uv` and `full_uv` are the readings
    of the empty and the full bin; a sensor that falls as the bin fills has `empty_uv > full_uv`.
    """

    def __init__(self, read_uv, empty_uv, full_uv):
        if empty_uv == full_uv:
            raise ValueError("gauge: empty_uv and full_uv are equal; measure both bins again")
        self._read_uv = read_uv
        self._empty_uv = empty_uv
        self._span_uv = full_uv - empty_uv

    def read(self):
        """Return the level in permille (0 to 1000), the median of a short burst.

        Raises:
            GaugeFault: the voltage lies further outside the calibrated span than noise explains.
        """
        uv = sorted(self._read_uv() for _ in range(_BURST))[_BURST // 2]
        permille = (uv - self._empty_uv) * 1000 // self._span_uv
        if not -_RAIL_PERMILLE <= permille <= 1000 + _RAIL_PERMILLE:
            raise GaugeFault("gauge out of range: %d uV; check its wiring and calibration" % uv)
        return min(1000, max(0, permille))
