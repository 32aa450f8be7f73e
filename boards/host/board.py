"""The virtual board's wiring: an analogue gauge whose voltage `--level` sets."""

from lowtide.gauges.analogue import Analogue

TABLE = "150000:0 2450000:1000"
LED_PIN = 25
LED_ON = 1


def gauge(hal):
    """Return the gauge's driver."""
    return Analogue(hal.adc_read_uv(34), 100000, 2600000)
