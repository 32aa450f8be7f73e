"""Analogue gauge: any sensor with a voltage that tells the amount (resistive, IR, float)."""

from lowtide import GaugeFault


class Analogue:
    """A sample is the voltage in microvolts.

    Args:
        read_uv: `() -> int`, `ADC.read_uv` on the ESP32: corrected by the eFuse reference
            (MicroPython documentation, "class ADC").
        least_uv: below it the sensor is disconnected. With 11 dB attenuation the ESP32 measures
            from 150 to 2450 mV (ESP32 datasheet, "ADC Characteristics") and an open or shorted
            input may read as 142 mV: let the sensor's own range begin well above that.
        most_uv: above it the input is saturated, or the sensor has lost its ground.
    """

    sleep = None
    below = "out of range"
    keeps = 0

    def __init__(self, read_uv, least_uv, most_uv):
        self.read_uv = read_uv
        self.least_uv, self.most_uv = least_uv, most_uv

    def read(self):
        """Return one sample.

        Raises:
            GaugeFault: disconnected, saturated.
        """
        uv = self.read_uv()
        if uv < self.least_uv:
            raise GaugeFault("disconnected")
        if uv > self.most_uv:
            raise GaugeFault("saturated")
        return uv
