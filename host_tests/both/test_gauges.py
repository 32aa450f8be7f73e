"""The gauge drivers against models of their chips, on pin level."""

from chips import HCSR04, HX711Chip, SwitchPin, Time
from kit import raises

from lowtide import GaugeFault
from lowtide.gauges.analogue import Analogue
from lowtide.gauges.counter import Counter
from lowtide.gauges.distance import Distance
from lowtide.gauges.hx711 import A_64, A_128, B_32, HX711

VALUES = (0, 1, -1, 2, -2, 0x555555, -0x555555, 0x7FFFFE, -0x7FFFFF, 84213, 512007)


class Scale:
    """An HX711 with its chip; `values` are weighed one after the other, again and again."""

    def __init__(self, values=VALUES, pulses=A_128, irq=True):
        self.time = time = Time()
        self.weighed = 0
        self._values = values
        self.chip = chip = HX711Chip(time, self._weigh)
        off, on = (time.irq_off, time.irq_on) if irq else (lambda: None, lambda state: None)
        self.driver = HX711(chip.clock, chip.data, time.sleep_ms, off, on, pulses)

    def _weigh(self, gain):
        self.weighed += 1
        return self._values[(self.weighed - 1) % len(self._values)]

    def fault(self):
        """Return the name of the fault that a reading must end in."""
        return str(raises(GaugeFault, self.driver.read))


def test_every_sample_of_the_load_cell_is_what_the_chip_holds():
    scale = Scale()
    assert [scale.driver.read() for _ in VALUES] == list(VALUES)


def test_no_sample_of_the_load_cell_is_unsettled_after_any_wake_at_any_gain():
    for pulses in (A_128, B_32, A_64):
        scale = Scale(pulses=pulses)
        for _ in range(3):
            before = scale.time.now_ns
            scale.driver.read()
            assert HX711Chip.UNSETTLED not in [scale.driver.read() for _ in range(4)]
            scale.driver.sleep()
            assert scale.time.now_ns - before < 2000000000
            scale.time.sleep_ms(900000)


def test_the_load_cell_is_read_at_the_gain_that_was_asked_for():
    for pulses, gain in ((A_128, "A 128"), (B_32, "B 32"), (A_64, "A 64")):
        scale = Scale(values=(5, 6, 7), pulses=pulses)
        wanted = [scale.driver.read() for _ in range(3)]
        assert scale.chip.given[-3:] == [(gain, value) for value in wanted]


def test_the_load_cell_sleeps_from_60_us_after_it_is_told_to():
    scale = Scale()
    scale.driver.read()
    assert not scale.chip.asleep
    scale.driver.sleep()
    scale.time.sleep_us(61)
    assert scale.chip.data() == 1 and scale.chip.asleep


def test_an_interrupt_never_stretches_a_pulse_to_the_load_cell():
    scale = Scale()
    scale.time.storm_us = 100
    assert [scale.driver.read() for _ in VALUES] == list(VALUES)
    assert not scale.time.masked
    # The same without the mask: the chip powers down in the middle of the sample.
    scale = Scale(irq=False)
    scale.time.storm_us = 100
    try:
        samples = [scale.driver.read() for _ in VALUES]
    except (AssertionError, GaugeFault):
        return
    assert samples != list(VALUES)


def test_a_load_cell_that_is_not_there_is_disconnected_and_holds_nobody_up():
    scale = Scale()
    scale.chip.dout = 1
    assert scale.fault() == "disconnected"
    assert scale.time.now_ns < 1000000000


def test_a_data_line_that_is_stuck_low_is_disconnected():
    for pulses in (A_128, B_32, A_64):
        scale = Scale(pulses=pulses)
        scale.chip.dout = 0
        assert scale.fault() == "disconnected"


def test_a_load_cell_at_either_rail_is_saturated():
    for rail in (0x7FFFFF, -0x800000):
        assert Scale(values=(rail,)).fault() == "saturated"


def test_a_load_cell_without_any_noise_is_stuck_and_one_with_little_is_not():
    scale = Scale(values=(84213,))
    for _ in range(5):
        assert scale.driver.read() == 84213
    assert scale.fault() == "stuck"
    scale.driver.sleep()
    assert scale.fault() == "stuck"
    scale = Scale(values=(84213,) * 4 + (84212,))
    for _ in range(30):
        scale.driver.read()


def test_the_chip_model_refuses_what_the_datasheet_does():
    def clocked(high_us, pulses):
        time = Time()
        chip = HX711Chip(time, lambda gain: 1)
        chip.clock(0)
        time.sleep_ms(500)
        for _ in range(pulses):
            chip.clock(1)
            time.sleep_us(high_us)
            chip.clock(0)
        time.sleep_ms(100)
        chip.data()

    clocked(1, 25)
    raises(AssertionError, clocked, 1, 24)
    raises(AssertionError, clocked, 1, 28)
    raises(AssertionError, clocked, 52, 25)


def ranger(mm):
    """Return a `Distance` with its chip, so many mm above the content."""
    time = Time()
    chip = HCSR04(time, mm)
    return Distance(chip.trigger, "echo", chip.pulse_us, time.sleep_us, time.sleep_ms), chip, time


def test_a_distance_is_right_to_the_millimetre_from_2_cm_to_4_m():
    for mm in list(range(20, 60)) + [100, 299, 300, 1234, 3999, 4000]:
        driver, _, _ = ranger(mm)
        for _ in range(3):
            assert abs(driver.read() - mm) <= 1, mm


def test_a_distance_keeps_the_cycle_from_one_reading_to_the_next_whatever_comes_of_it():
    driver, chip, time = ranger(4000)
    for mm in (4000, None, 30, 6000, 4000):
        chip.mm = mm
        if mm in (None, 6000):
            raises(GaugeFault, driver.read)
        else:
            driver.read()
    assert time.now_ns < 5 * 150000000


def test_a_distance_names_what_is_wrong():
    driver, chip, _ = ranger(None)
    assert str(raises(GaugeFault, driver.read)) == "out of range"
    chip.mm = 19
    assert str(raises(GaugeFault, driver.read)) == "saturated"
    chip.dead = True
    assert str(raises(GaugeFault, driver.read)) == "disconnected"
    chip.dead, chip.mm = False, 50
    assert driver.read() == 50


def test_the_ranger_model_refuses_what_the_guide_does():
    def fired(high_us, pause_ms):
        time = Time()
        chip = HCSR04(time)
        for _ in range(2):
            chip.trigger(1)
            time.sleep_us(high_us)
            chip.trigger(0)
            time.sleep_ms(pause_ms)

    fired(10, 60)
    raises(AssertionError, fired, 8, 60)
    raises(AssertionError, fired, 10, 59)


def test_an_analogue_sample_is_the_voltage_and_its_rails_have_names():
    uv = [1234567]
    driver = Analogue(lambda: uv[0], 200000, 2400000)
    assert driver.read() == 1234567
    for value, name in ((199999, "disconnected"), (0, "disconnected"), (2400001, "saturated")):
        uv[0] = value
        assert str(raises(GaugeFault, driver.read)) == name
    for value in (200000, 2400000):
        uv[0] = value
        assert driver.read() == value


def counter(kept=b"\0\0\0\0", pulses=0):
    """Return a `Counter` with its switch."""
    time = Time()
    pin = SwitchPin(time)
    driver = Counter(pin, time.ticks_ms, time.ticks_diff, pulses)
    driver.resume(kept)
    return driver, pin


def test_a_portion_counts_once_however_the_contact_bounces():
    driver, pin = counter()
    for portion in range(20):
        pin.press(bounces=portion)
        assert driver.read() == portion + 1


def test_portions_in_quick_succession_all_count():
    driver, pin = counter()
    for _ in range(50):
        pin.press(bounces=3, after_ms=60)
    assert driver.read() == 50


def test_the_count_goes_on_after_a_sleep_with_the_pulse_that_ended_it():
    driver, pin = counter()
    for _ in range(7):
        pin.press()
    driver, pin = counter(driver.pack())
    assert driver.read() == 7
    driver, pin = counter(driver.pack(), pulses=1)
    assert driver.read() == 8


def test_a_count_that_a_power_cut_took_is_a_fault_until_the_bin_is_said_to_be_full():
    for kept in (b"", b"\0", b"x" * 21):
        driver, pin = counter(kept)
        pin.press()
        assert str(raises(GaugeFault, driver.read)) == "count lost"
        assert str(raises(GaugeFault, counter(driver.pack(), pulses=1)[0].read)) == "count lost"
        driver.refilled()
        assert driver.read() == 0
        pin.press()
        assert driver.read() == 1
