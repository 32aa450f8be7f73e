"""An ESP32-S3 DevKitC-1 with an ultrasonic ranger, HC-SR04, looking down into the bin."""

from lowtide.gauges.distance import Distance

# Two points of the gauge's calibration, millimetres and permille; `calibrate` sets better ones.
TABLE = "400:0 50:1000"
LED_PIN = 6
LED_ON = 1


def gauge(hal):
    """Return the gauge's driver."""
    pin, time = hal.machine.Pin, hal.time
    return Distance(
        pin(4, pin.OUT), pin(5, pin.IN), hal.machine.time_pulse_us, time.sleep_us, time.sleep_ms
    )
