"""Years of bins in one agent: what is told apart, on traces with all that is ugly in them."""

import math

from kit import DAY, HOUR, MINUTE, Device

from lowtide import GaugeFault
from lowtide.gauge import Gauge

STEP_S = 15 * MINUTE


class World:
    """A bin on a gauge. `over(hour, sample)` is what comes over each sample, in permille.

    `uses` is permille an hour. Samples are permille, of a load cell if `weighs`.
    """

    keeps = 0
    below = "container lifted"

    def __init__(self, permille, uses=0, over=None):
        self.content = permille * 100
        self.uses, self.over = uses, over
        self.hour = self.samples = 0
        self.device = Device()
        self.device.gauge = Gauge(self, self.device.config, "0:0 1000:1000")
        self.device.power_on()
        self.device.agent.log = self.note
        self.doubts, self.refills = set(), 0

    def note(self, line):
        """Take a line of the log."""
        mark = "gauge fault: "
        if line.startswith(mark):
            self.doubts.add(line[len(mark) :])
        self.refills += line.startswith("refilled")

    def read(self):
        """As a driver: noise of 3 permille, and what comes over it."""
        self.samples += 1
        permille = self.content // 100 + self.samples * 5 % 7 - 3
        if self.over:
            permille = self.over(permille, self.hour, self.samples)
        if permille is None:
            raise GaugeFault("disconnected")
        return permille

    def sleep(self):
        """As a driver."""

    def live(self, hours, steps=4):
        """Let it be used and measured for so many hours."""
        for _ in range(hours):
            for _ in range(steps):
                self.device.wait(HOUR // steps)
                self.content = max(0, self.content - self.uses * 100 // steps)
                self.device.step()
            self.hour += 1
        return self

    @property
    def orders(self):
        """How many orders were sent."""
        return len(self.device.api.sent)

    @property
    def in_depletion(self):
        """Whether one runs."""
        return self.device.agent.level.lowest_permille is not None


def test_a_slow_leak_is_one_order_in_time_and_no_fault():
    world = World(900, uses=2)
    while world.device.agent.level.permille != 5 and world.hour < 24 * 30:
        world.live(1)
    assert world.orders == 1
    assert world.doubts == set()
    attempt = world.device.api.sent[0]
    # 48 permille a day: seven days before the end are at 336.
    assert 310 <= attempt.lowest_permille <= 345


def test_a_warm_afternoon_on_a_load_cell_is_neither_use_nor_refill():
    def warm(permille, hour, sample):
        return permille + int(40 * math.sin(hour % 24 * math.pi / 12))

    for content in (245, 400, 900):
        world = World(content, over=warm).live(24 * 40)
        assert world.orders == 0 and not world.in_depletion, content
        assert world.device.agent.forecast.days_left() is None
    world = World(150, over=warm).live(24 * 20)
    assert world.orders == 1 and world.in_depletion


def test_a_bin_that_is_lifted_and_put_back_is_neither_low_nor_refilled():
    # Off a scale its container's weight is missing; a float lies at the bottom.
    for off in (-100, 0):

        def lifted(permille, hour, sample, off=off):
            return off + sample % 3 if hour % 24 in (9, 10, 11, 12) else permille

        world = World(500, uses=1, over=lifted).live(24 * 5)
        assert world.orders == 0 and not world.in_depletion
        assert world.doubts == {"container lifted"}
        world = World(150, over=lifted).live(24 * 3)
        assert world.orders == 1 and world.in_depletion


def test_a_bin_that_stays_empty_is_low_after_half_a_day():
    world = World(500).live(24)
    world.content = 0
    world.live(11)
    assert world.orders == 0
    world.live(3)
    assert world.orders == 1


def test_a_bin_that_is_filled_while_it_is_lifted_is_refilled():
    world = World(150).live(24)
    assert world.in_depletion
    world.over = lambda permille, hour, sample: -100
    world.live(2)
    world.content, world.over = 95000, None
    world.live(2)
    assert not world.in_depletion
    assert world.orders == 1


def test_a_half_refill_ends_the_depletion_once_and_the_next_one_orders_again():
    world = World(300, uses=2)
    while not world.in_depletion:
        world.live(1)
    world.live(24)
    world.content += 50000
    world.live(2)
    assert not world.in_depletion and world.orders == 1
    world.device.api.info_answers.append(("Closed", True))
    world.live(24 * 12)
    assert world.in_depletion and world.orders == 2
    assert world.refills == 1


def test_a_hand_on_the_scale_is_no_refill_and_a_hand_in_it_is_not_measured():
    def leaning(permille, hour, sample):
        return permille + 400 if hour % 6 == 0 else permille

    world = World(150, over=leaning).live(24 * 4)
    assert world.orders == 1 and world.in_depletion

    def reaching(permille, hour, sample):
        return permille - sample * 37 % 200 if hour % 2 else permille

    world = World(300, over=reaching).live(24 * 4)
    assert world.orders == 0 and not world.in_depletion
    assert world.doubts == {"moving"}


def test_a_flapping_float_is_neither_low_nor_refilled():
    def flapping(permille, hour, sample):
        return permille + (150 if sample * 2654435761 & 65536 else -150)

    for content, orders in ((300, 0), (250, 0), (150, 0)):
        world = World(content, over=flapping).live(24 * 10)
        assert world.orders == orders
        assert not world.refills
        assert "moving" in world.doubts
    world = World(150).live(24)
    world.over = flapping
    world.live(24 * 10)
    assert world.orders == 1 and world.in_depletion


def test_a_loose_plug_orders_nothing_and_its_end_is_as_if_it_had_not_been():
    def loose(permille, hour, sample):
        return None if hour % 5 < 2 else permille

    world = World(260, over=loose).live(24 * 5)
    assert world.orders == 0 and world.doubts == {"disconnected"}
    world = World(150, over=loose).live(24 * 5)
    assert world.orders == 1 and world.in_depletion


def test_a_year_of_measuring_writes_no_flash_and_keeps_what_a_day_keeps():
    world = World(900, over=lambda permille, hour, sample: permille - hour // 24)
    agent, store = world.device.agent, world.device.store
    world.live(24)
    size, writes = len(agent.rtc_pack()), store.writes
    for _ in range(365 * 24):
        world.device.wait(HOUR)
        world.hour += 1
        agent.measure()
    assert agent.level.permille < 600
    assert len(agent.rtc_pack()) == size and store.writes == writes
    assert world.device.config.store.writes == 0


def test_a_forecast_that_sleeps_and_wakes_in_the_agent_is_not_lost():
    world = World(999, uses=1).live(24 * 25)
    device, days = world.device, world.device.agent.forecast.days_left()
    assert days is not None
    device.power_on(device.agent.rtc_pack())
    assert device.agent.forecast.days_left() == days
    device.power_on()
    assert device.agent.forecast.days_left() is None


def test_rtc_memory_of_another_layout_teaches_nothing():
    device = Device()
    packed = bytearray(device.agent.rtc_pack(b"x" * 23))
    device.wait(DAY)
    device.power_on(bytes(packed[:40] + packed[63:]))
    assert device.agent.forecast.pack() == bytes(23)
