"""From raw samples to a level or a named fault."""

from kit import config, raises

from lowtide import GaugeFault
from lowtide.gauge import Gauge

TABLE = "100:0 1100:1000"


class Driver:
    """A driver that reads `samples` one after the other, again and again; None is its fault."""

    below = "container lifted"

    def __init__(self, *samples):
        self.samples = samples
        self.reads = self.sleeps = 0

    def read(self):
        """As any driver."""
        sample = self.samples[self.reads % len(self.samples)]
        self.reads += 1
        if sample is None:
            raise GaugeFault("disconnected")
        return sample

    def sleep(self):
        """As any driver."""
        self.sleeps += 1


def level(*samples, table=TABLE):
    """Return the level of these samples by this table."""
    return Gauge(Driver(*samples), config(), table).read()


def fault(driver, table=TABLE):
    """Return the name of the fault that the reading must end in."""
    return str(raises(GaugeFault, Gauge(driver, config(), table).read))


def test_a_level_lies_on_the_line_between_two_points():
    for raw in range(100, 1101):
        assert level(raw) == raw - 100


def test_a_level_follows_every_piece_of_a_table_whatever_its_order_and_direction():
    table = "400:500 100:0 500:1000 200:400"
    wanted = {100: 0, 150: 200, 200: 400, 300: 450, 400: 500, 450: 750, 500: 1000}
    for raw, permille in wanted.items():
        assert level(raw, table=table) == permille, raw
    falling = "60:1000 300:100 400:0"
    for raw, permille in {60: 1000, 180: 550, 300: 100, 350: 50, 400: 0}.items():
        assert level(raw, table=falling) == permille, raw


def test_negative_raw_values_are_calibrated_like_others():
    table = "-8388000:1000 -8380000:0"
    assert level(-8384000, table=table) == 500


def test_noise_past_either_end_counts_as_the_end():
    assert level(50) == 0
    assert level(1150) == 1000


def test_the_calibration_by_hand_comes_before_the_board_s():
    gauge = Gauge(Driver(600), config(gauge__table="0:0 1200:1000"), TABLE)
    assert gauge.read() == 500


def test_the_middle_sample_counts_and_an_outlier_is_shown_and_not_averaged():
    for spike in (0, 2000, -9999999):
        driver = Driver(*[598, 599, 600, 600, 600, 600, 601, 602] + [spike])
        gauge = Gauge(driver, config(), TABLE)
        assert gauge.read() == 500
        assert len(gauge.raws) == len(gauge.levels) == 9 and spike in gauge.raws


def test_one_outlier_at_either_end_is_borne_and_two_are_something_that_moves():
    assert level(*[600] * 7 + [0, 1100]) == 500
    assert level(*[575, 575, 600, 600, 600, 600, 600, 625, 625]) == 500
    assert fault(Driver(*[574, 574, 600, 600, 600, 600, 600, 625, 625])) == "moving"
    assert fault(Driver(*[600] * 7 + [700, 700])) == "moving"
    assert fault(Driver(*[600] * 7 + [500, 500])) == "moving"
    assert fault(Driver(*range(500, 860, 40))) == "moving"


def test_past_the_ends_is_out_of_range_or_a_lifted_container():
    assert fault(Driver(1151)) == "out of range"
    assert fault(Driver(49)) == "container lifted"


def test_a_driver_that_cannot_fall_below_empty_is_empty_there():
    driver = Driver(-5000)
    driver.below = None
    assert Gauge(driver, config(), TABLE).read() == 0


def test_a_fault_of_the_driver_is_the_reading_s_and_the_sensor_sleeps_again():
    for at in range(9):
        driver = Driver(*[600] * at + [None] * 2)
        assert fault(driver) == "disconnected"
        assert driver.sleeps == 1
    driver = Driver(600)
    Gauge(driver, config(), TABLE).read()
    assert driver.sleeps == 1


def test_a_single_sample_that_the_driver_misses_is_borne():
    for at in range(9):
        driver = Driver(*[600] * at + [None] + [600] * 9)
        assert Gauge(driver, config(), TABLE).read() == 500
        assert (driver.reads, driver.sleeps) == (10, 1)
        # Wherever the second one is.
        driver = Driver(*[None] + [600] * at + [None] + [600] * 9)
        assert fault(driver) == "disconnected"


def test_a_calibration_that_cannot_be_used_is_a_fault():
    for table in ("", "100:0", "100:0 100:1000", "100 1100", "a:b c:d", "100:0 1100:1000:5"):
        assert fault(Driver(600), table) == "not calibrated", table


def test_a_bus_on_which_nobody_answers_is_a_fault_and_no_crash():
    class Loose(Driver):
        def read(self):
            raise OSError(19)

    assert fault(Loose()) == "disconnected"
