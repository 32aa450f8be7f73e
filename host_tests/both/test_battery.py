"""A gauge on a battery."""

from kit import config

from lowtide import GaugeFault
from lowtide.gauge import Gauge
from lowtide.gauges.battery import Battery


class Driver:
    """A gauge of which only the calls count."""

    below = "container lifted"
    keeps = 4

    def __init__(self):
        self.reads = self.sleeps = 0

    def read(self):
        self.reads += 1
        return 500

    def sleep(self):
        self.sleeps += 1

    def pack(self):
        return b"kept"


def gauge(supply_mv):
    driver = Driver()
    # The divider halves it: 3.4 V on the cell are 1.7 V on the pin.
    battery = Battery(driver, lambda: supply_mv * 500, 2, 3400)
    return driver, Gauge(battery, config(), "0:0 1000:1000")


def test_with_enough_supply_it_is_the_driver():
    driver, whole = gauge(3400)
    assert whole.read() == 500
    assert (driver.reads, driver.sleeps) == (9, 1)
    assert (whole.driver.below, whole.driver.keeps) == ("container lifted", 4)
    assert whole.driver.pack() == b"kept"
    assert not hasattr(whole.driver, "refilled")


def test_with_too_little_the_gauge_is_not_read_and_the_fault_names_the_limit():
    driver, whole = gauge(3399)
    try:
        whole.read()
    except GaugeFault as e:
        assert str(e) == "supply below 3400 mV"
    else:
        raise AssertionError("it measured")
    assert (driver.reads, driver.sleeps) == (0, 1)
