"""The example carrier: an ESP32 module on a scale, one lithium cell, a load cell through HX711."""

from lowtide.gauges.battery import Battery
from lowtide.gauges.hx711 import HX711

# Two points of the calibration, counts and permille; `calibrate` sets better ones.
TABLE = "0:0 1677721:1000"
# Active low: the LED hangs on 3V3.
LED_PIN = 25
LED_ON = 0
# Half of the cell's voltage is on this pin. Below 3.4 V the regulator leaves the HX711 too little.
BATTERY_PIN = 35
BATTERY_DIVIDER = 2
BATTERY_LEAST_MV = 3400


def gauge(hal):
    """Return the gauge's driver."""
    pin, machine = hal.machine.Pin, hal.machine
    clock, data = pin(32, pin.OUT), pin(33, pin.IN, pin.PULL_UP)
    scale = HX711(clock, data, hal.time.sleep_ms, machine.disable_irq, machine.enable_irq)
    return Battery(scale, hal.adc_read_uv(BATTERY_PIN), BATTERY_DIVIDER, BATTERY_LEAST_MV)
