"""An ESP32 DevKitC with a sensor whose voltage tells the amount: float, IR, resistive."""

from lowtide.gauges.analogue import Analogue

# Two points of the gauge's calibration, microvolts and permille; `calibrate` sets better ones.
TABLE = "300000:0 2300000:1000"
LED_PIN = 25
LED_ON = 1


def gauge(hal):
    """Return the gauge's driver."""
    return Analogue(hal.adc_read_uv(34), 200000, 2400000)
