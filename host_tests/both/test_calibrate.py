"""`calibrate`, `measure` and `why`: a person, or a script, at the gauge."""

from chips import SwitchPin, Time
from console_kit import Terminal
from kit import DAY, Device, FakeStore

from lowtide import GaugeFault
from lowtide.gauge import Gauge
from lowtide.gauges.counter import Counter


class Scale:
    """A driver over a bin that weighs `raw`, with noise; `fault` names its fault."""

    keeps = 0
    below = "container lifted"

    def __init__(self):
        self.raw, self.noise, self.fault = 84000, 1, None
        self.reads = 0

    def read(self):
        """As a driver."""
        if self.fault:
            raise GaugeFault(self.fault)
        self.reads += 1
        return self.raw + (self.reads % 5 - 2) * self.noise

    def sleep(self):
        """As a driver."""


class Bench:
    """A console over a real `Gauge` with this driver."""

    def __init__(self, driver, table=""):
        self.driver = driver
        self.device = device = Device()
        device.gauge = self.gauge = Gauge(driver, device.config, table)
        device.power_on()
        self.ask = Terminal(device).ask

    def at(self, raw, line):
        """Put so much on the scale and type a command."""
        self.driver.raw = raw
        return self.ask(line)


def test_empty_and_full_make_a_calibration_that_counts_at_once():
    for steps in (("empty", "full"), ("full", "empty")):
        bench = Bench(Scale())
        assert bench.ask("status")["fault"] == "gauge fault: not calibrated"
        raws = {"empty": 84000, "full": 512000}
        first = bench.at(raws[steps[0]], "calibrate " + steps[0])
        assert first["ok"] and first["raw"] == raws[steps[0]] and first["next"]
        assert bench.ask("status")["level"] is None
        assert bench.at(raws[steps[1]], "calibrate " + steps[1])["table"] == "84000:0 512000:1000"
        assert bench.at(298000, "status")["level"] == 0.5


def test_a_gauge_that_falls_as_the_bin_fills_is_calibrated_alike():
    bench = Bench(Scale())
    bench.at(300, "calibrate empty")
    bench.driver.noise = 0
    bench.at(50, "calibrate full")
    assert bench.at(50, "status")["level"] == 1.0
    assert bench.at(300, "status")["level"] == 0.0


def test_the_calibration_is_in_flash_and_survives_power():
    bench = Bench(Scale())
    bench.at(84000, "calibrate empty")
    assert bench.device.config.store.writes == 0
    bench.at(512000, "calibrate full")
    store = FakeStore(bench.device.config.store.payload)
    again = type(bench.device.config)(store)
    assert Gauge(bench.driver, again, "").read() == 1000


def test_empty_and_full_that_are_no_different_are_refused_and_begin_anew():
    # Whichever of the two was the noisy one.
    for noise in ((0, 1000), (1000, 0)):
        bench = Bench(Scale(), "1:0 2:1000")
        bench.driver.noise = noise[0]
        bench.at(84000, "calibrate empty")
        bench.driver.noise = noise[1]
        assert not bench.at(124000, "calibrate full")["ok"]
        assert bench.device.config["gauge.table"] == ""
        assert bench.at(512000, "calibrate full")["next"] == "calibrate empty"


def test_tare_moves_the_calibration_to_where_the_bin_is_empty_now():
    bench = Bench(Scale(), "84000:0 300000:400 512000:1000")
    assert bench.at(90000, "calibrate tare")["ok"]
    assert bench.device.config["gauge.table"].split() == ["90000:0", "306000:400", "518000:1000"]
    assert bench.at(306000, "status")["level"] == 0.4
    falling = Bench(Scale(), "50:1000 300:0")
    falling.driver.noise = 0
    falling.at(310, "calibrate tare")
    assert falling.device.config["gauge.table"].split() == ["60:1000", "310:0"]


def test_a_fault_calibrates_nothing():
    bench = Bench(Scale(), "84000:0 512000:1000")
    for name in ("disconnected", "saturated"):
        bench.driver.fault = name
        for step in ("empty", "full", "tare"):
            answer = bench.ask("calibrate " + step)
            assert not answer["ok"] and name in answer["error"]
    assert bench.device.config.store.writes == 0


def test_an_unknown_step_says_which_there_are():
    bench = Bench(Scale())
    for line in ("calibrate", "calibrate half", "calibrate empty full", "calibrate tare tare"):
        error = bench.ask(line)["error"]
        assert "empty" in error and "full" in error and "tare" in error


def test_a_bin_in_somebody_s_hands_orders_nothing():
    bench = Bench(Scale(), "84000:0 512000:1000")
    agent = bench.device.agent
    bench.driver.raw = 90000
    agent.measure()
    agent.measure()
    bench.ask("calibrate empty")
    agent.measure()
    assert not agent.level.low
    agent.measure()
    agent.measure()
    assert agent.level.low


def test_full_sets_a_counter_to_nought_also_after_its_count_was_lost():
    time = Time()
    pin = SwitchPin(time)
    counter = Counter(pin, time.ticks_ms, time.ticks_diff)
    bench = Bench(counter, "0:1000 500:0")
    assert bench.ask("status")["fault"] == "gauge fault: count lost"
    assert bench.ask("calibrate full")["ok"]
    assert bench.ask("status")["level"] == 1.0
    for _ in range(100):
        pin.press()
    assert bench.ask("status")["level"] == 0.8


def test_measure_shows_raw_filtered_outliers_level_and_fault():
    bench = Bench(Scale(), "84000:0 512000:1000")
    answer = bench.at(298000, "measure")
    raws = [int(raw) for raw in answer["raw"].split()]
    assert raws == sorted(raws) and len(raws) == 9
    assert (answer["filtered"], answer["outliers"]) == (298000, 0)
    assert (answer["level"], answer["fault"]) == (0.5, None)
    bench.driver.read, plain = (
        lambda: plain() + (bench.driver.reads == 15) * 20000,
        bench.driver.read,
    )
    assert bench.ask("measure")["outliers"] == 1
    bench.driver.read = plain
    answer = bench.at(20000, "measure")
    assert answer["ok"] and answer["level"] is None and answer["filtered"] == 20000
    assert answer["fault"] == "gauge fault: container lifted"
    bench.driver.fault = "disconnected"
    answer = bench.ask("measure")
    assert answer["fault"] == "gauge fault: disconnected" and answer["filtered"] is None


def test_why_tells_of_the_forecast():
    terminal = Terminal()
    device = terminal.device
    assert terminal.ask("why")["forecast"] is None
    assert "no forecast" in terminal.ask("why")["why"]
    for hour in range(24 * 30):
        device.clock.now_s += DAY // 24
        device.measure(900 - hour, 1)
    why = terminal.ask("why")
    assert why["forecast"] == "empty in 7 days (7 to 7)"
    assert why["forecast"] in why["why"] and why["why"].startswith("rule")


def test_low_is_the_lead_time_before_the_run_out():
    device = Device(level__lead_days=14)
    for hour in range(24 * 40):
        device.clock.now_s += DAY // 24
        device.measure(999 - hour, 1)
        if device.agent.level.low:
            break
    assert 330 <= device.agent.level.permille <= 340
