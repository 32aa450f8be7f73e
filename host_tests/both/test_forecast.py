"""How long the bin lasts, by what became of it."""

import struct

from kit import DAY, HOUR, T0, raises

from lowtide import GaugeFault
from lowtide.forecast import Forecast

STEP_S = 900


class Bin:
    """A bin under a forecast: `use` is permille an hour, a function of the hour since `T0`."""

    def __init__(self, use, permille=1000, noise=0):
        self.use, self.noise = use, noise
        self.content = permille * 1000
        self.forecast = Forecast()
        self.now_s = T0
        self.seed = 1

    def random(self, n):
        """Return a number from -n to n; the same in every run."""
        self.seed = (self.seed * 1103515245 + 12345) % 2147483648
        return self.seed // 65536 % (2 * n + 1) - n

    def use_up(self, hour):
        """Take out what is used in a step."""
        return self.use(hour) * 1000 * STEP_S // HOUR

    def live(self, days, refill_at=50):
        """Let it be used, read and refilled, for so many days."""
        for _ in range(days * DAY // STEP_S):
            self.now_s += STEP_S
            self.content = max(0, self.content - self.use_up((self.now_s - T0) // HOUR))
            if self.content < refill_at * 1000:
                self.content = 1000000
            level = self.content // 1000 + (self.random(self.noise) if self.noise else 0)
            self.forecast.reading(min(1000, max(0, level)), self.now_s)
        return self

    def dry_s(self):
        """Return when it will be empty if nobody refills it."""
        left, now_s = self.content, self.now_s
        while left > 0:
            now_s += STEP_S
            left -= self.use_up((now_s - T0) // HOUR)
        return now_s


def steady(hour):
    """40 permille a day, by day only."""
    return 4 if 8 <= hour % 24 < 18 else 0


def weekdays(hour):
    """An office: 56 permille on five days of seven."""
    return 8 if hour // 24 % 7 < 5 and 9 <= hour % 24 < 16 else 0


def parties(hour):
    """10 permille a day, and 100 in one evening of nine days."""
    return 2 * (10 <= hour % 24 < 15) + 25 * (hour % 216 < 4)


def test_there_is_no_forecast_before_a_week():
    world = Bin(steady).live(7)
    assert world.forecast.days_left() is None
    world.live(2)
    assert abs(world.forecast.days_left() - world.content // 40000) <= 1


def test_one_wild_day_in_the_first_two_weeks_is_no_habit():
    world = Bin(lambda hour: 80 if 50 <= hour < 55 else hour % 2)
    world.live(10)
    days_left = world.forecast.days_left()
    assert days_left is None or days_left >= world.content // 12000 // 2


def test_a_steady_use_is_forecast_to_the_day_through_every_refill():
    world = Bin(steady, noise=5).live(20)
    for _ in range(60):
        world.live(1)
        wanted = world.content // 1000 // 40
        assert abs(world.forecast.days_left() - wanted) <= 1 + wanted // 10


def test_the_range_of_the_run_out_is_honest():
    # Looked at once a day for 100 days.
    for use in (steady, weekdays, parties):
        world, hits = Bin(use, noise=5).live(30), 0
        for _ in range(100):
            world.live(1)
            forecast, days = world.forecast, (world.dry_s() - world.now_s) // DAY
            early, late = forecast.days_left(1), forecast.days_left(-1)
            assert early <= forecast.days_left() <= (late or 1000)
            hits += early <= days <= (late or 1000)
        assert hits >= 80, (use, hits)


def test_a_varied_use_is_forecast_on_the_safe_side_by_what_a_week_deviates():
    forecast = Forecast()
    # 40 a day, 16 from day to day, so 6 from week to week; 920 are left.
    forecast.resume(struct.pack("<iIBIhhhI", 40000, 16000, 16, 0, 0, 0, 920, 0))
    assert [forecast.days_left(wider) for wider in (1, 0, -1)] == [16, 20, 38]
    # A short memory is on the other side: a wild day in it is no habit.
    forecast.resume(struct.pack("<iIBIhhhI", 40000, 16000, 15, 0, 0, 0, 920, 0))
    assert [forecast.days_left(wider) for wider in (1, 0)] == [20, 38]


def test_the_forecast_follows_a_use_that_changes():
    world = Bin(lambda hour: 1 if hour < 40 * 24 else 3).live(40)
    slow = world.forecast.days_left() * 24
    assert abs(slow - world.content // 1000) <= 48
    world.live(40)
    assert world.forecast.days_left() * 72 <= world.content // 1000 * 13 // 10


def test_noise_alone_is_no_use():
    world = Bin(lambda hour: 0, permille=600, noise=15).live(60)
    assert world.forecast.days_left() is None or world.forecast.days_left() > 100


def refilled_after(empty_days):
    """Return a forecast of 40 a day, 16 from day to day, over a bin that was empty and has 600."""
    forecast = Forecast()
    forecast.resume(struct.pack("<iIBIhhhI", 40000, 16000, 30, T0, 0, 0, 0, 0))
    for hour in range(empty_days * 24):
        forecast.reading(hour % 3, T0 + hour * HOUR)
    for minute in (0, 15):
        forecast.reading(600, T0 + empty_days * DAY + minute * 60)
    return forecast


def test_a_bin_that_stays_empty_for_two_weeks_teaches_nothing():
    for days in (1, 14):
        assert refilled_after(days).days_left() == 600000 // 46000


def test_after_a_month_of_an_empty_bin_the_late_end_counts_until_a_day_of_use():
    forecast = refilled_after(30)
    assert forecast.days_left() == 600000 // 24000
    for hour in range(1, 49):
        forecast.reading(600 - hour * 40 // 24, T0 + 30 * DAY + hour * HOUR)
    assert forecast.days_left() <= 520000 // 44000


def test_a_day_with_a_half_refill_is_no_day_of_little_use():
    for added in (80, 95):
        world = Bin(steady).live(40)
        # 40 used in each day, and more than that filled up in it.
        for hour in range(8 * 24):
            world.now_s += HOUR
            day, hour = divmod(hour, 24)
            level = 300 + day * (added - 40) - hour * 40 // 24 + added * (hour > 20)
            world.forecast.reading(level, world.now_s)
        assert level // 48 <= world.forecast.days_left() <= level // 38, added


def test_a_day_with_a_refill_smaller_than_its_use_is_no_day_of_little_use():
    world = Bin(steady, permille=950).live(15)
    use_ppm = world.forecast.kept[0]
    # Each day 50 are filled up, and the level falls by 10.
    level = world.content // 1000
    for hour in range(8 * 24):
        world.now_s += HOUR
        day, hour = divmod(hour, 24)
        level = 350 - day * 10 - hour * 60 // 24 + 50 * (hour > 12)
        # Twice in an hour: what was filled up has settled.
        for _ in range(2):
            world.forecast.reading(level, world.now_s)
    assert abs(world.forecast.kept[0] - use_ppm) <= 2000


def test_a_day_that_ends_empty_says_that_the_use_was_no_less():
    world = Bin(steady).live(40)
    # 12 an hour, and little is left at its end.
    for hour in range(27):
        world.now_s += HOUR
        world.forecast.reading(max(10, 300 - hour * 12), world.now_s)
    busy = world.forecast.kept[0]
    assert busy > 50000
    for _ in range(72):
        world.now_s += HOUR
        world.forecast.reading(10, world.now_s)
    assert world.forecast.kept[0] == busy


def test_a_bin_that_was_away_for_days_is_no_use():
    world = Bin(steady, permille=900).live(40)
    use_ppm = world.forecast.kept[0]
    for hour in range(72):
        world.now_s += HOUR
        try:
            world.forecast.reading(hour % 3, world.now_s)
        except GaugeFault:
            assert hour < 12
    assert hour == 71 and world.forecast.kept[0] == use_ppm


def test_a_hand_on_the_scale_at_the_end_of_each_day_teaches_nothing():
    world = Bin(steady).live(40)
    for hour in range(20 * 24):
        world.now_s += HOUR
        permille = 900 - hour * 40 // 24
        world.forecast.reading(permille + (300 if hour % 24 == 0 else 0), world.now_s)
    assert abs(world.forecast.days_left() - permille // 40) <= 1


def test_a_clock_that_is_set_ends_no_wait_for_a_lifted_container():
    # Off for a while, and the bin in the sink: at power-on the clock says 2000, then the time.
    world = Bin(steady).live(5)
    raises(GaugeFault, world.forecast.reading, 0, 946684805)
    for quarter in range(48):
        raises(GaugeFault, world.forecast.reading, 0, world.now_s + quarter * 900)
    world.forecast.reading(0, world.now_s + 12 * HOUR)


def test_a_hand_that_leaves_a_nearly_empty_bin_has_not_lifted_it():
    forecast = Forecast()
    for permille in (60, 60, 500, 30, 30):
        forecast.reading(permille, T0)


def test_a_use_too_slow_to_tell_from_none_has_no_forecast():
    forecast = Forecast()
    for hour in range(60 * 24):
        forecast.reading(500 - hour // 48, T0 + hour * HOUR)
    assert forecast.days_left() is None


def test_a_container_that_is_gone_at_once_is_lifted_until_half_a_day_is_over():
    world = Bin(steady, permille=600).live(1)
    before = world.forecast.pack()
    assert str(raises(GaugeFault, world.forecast.reading, 5, world.now_s)) == "container lifted"
    raises(GaugeFault, world.forecast.reading, 0, world.now_s + 12 * HOUR - 1)
    lifted = Forecast()
    lifted.resume(world.forecast.pack())
    world.forecast.reading(550, world.now_s + HOUR)
    assert len(before) == len(lifted.pack())
    lifted.reading(0, world.now_s + 12 * HOUR)
    lifted.reading(0, world.now_s + 12 * HOUR + STEP_S)


def test_a_container_that_is_put_back_and_lifted_again_is_waited_for_anew():
    world = Bin(steady, permille=600).live(1)
    raises(GaugeFault, world.forecast.reading, 5, world.now_s)
    world.forecast.reading(560, world.now_s + 11 * HOUR)
    raises(GaugeFault, world.forecast.reading, 5, world.now_s + 13 * HOUR)


def test_a_bin_that_empties_step_by_step_or_not_to_nothing_is_believed():
    forecast = Forecast()
    for permille in (500, 500, 360, 360, 220, 220, 80, 80, 0, 0):
        forecast.reading(permille, T0)
    forecast = Forecast()
    for permille in (500, 500, 100, 100):
        forecast.reading(permille, T0)


def test_a_clock_that_jumps_teaches_nothing_and_stops_nothing():
    for jump_s in (-30 * 365 * DAY, 30 * 365 * DAY, -1, 40 * DAY):
        world = Bin(steady).live(40)
        before = world.forecast.days_left(), world.content // 40000
        world.now_s += jump_s
        world.forecast.reading(world.content // 1000, world.now_s)
        world.forecast.reading(world.content // 1000, world.now_s)
        assert world.forecast.days_left() == before[0]
        raises(GaugeFault, world.forecast.reading, 0, world.now_s + 1)
        # Half a day by the clock that is: a jump is none.
        raises(GaugeFault, world.forecast.reading, 0, world.now_s - 365 * DAY)
        raises(GaugeFault, world.forecast.reading, 0, world.now_s)
        world.forecast.reading(0, world.now_s + DAY // 2)
        world.use = lambda hour: 5
        world.live(40)
        assert abs(world.forecast.days_left() - world.content // 120000) <= 2


def test_a_forecast_that_sleeps_between_readings_is_the_same_as_one_that_does_not():
    world, now_s, permille = Bin(parties), T0, 900
    awake, sleeper = Forecast(), Forecast()
    faults = 0
    for _ in range(40 * 24):
        now_s += HOUR
        permille = 900 if permille < 300 else permille - world.random(9) - 6
        shown = (permille + world.random(40), 0, permille)[world.random(1)]
        outcomes = []
        for forecast in (awake, sleeper):
            try:
                outcomes.append(forecast.reading(max(0, shown), now_s))
            except GaugeFault as e:
                outcomes.append(str(e))
        assert outcomes[0] == outcomes[1]
        faults += outcomes[0] is not None
        packed = sleeper.pack()
        assert packed == awake.pack()
        sleeper = Forecast()
        sleeper.resume(packed)
    assert faults > 50 and awake.days_left() is not None


def test_flash_is_written_only_when_much_was_learned():
    world, kept, writes = Bin(steady, noise=5), None, 0
    for _ in range(365):
        world.live(1)
        packed = world.forecast.pack(kept)
        writes += packed != kept
        kept = packed
    assert 16 <= writes <= 30
    again = Forecast()
    again.resume(kept)
    for _ in range(2):
        again.reading(400, world.now_s)
    assert 8 <= again.days_left() <= 11
    world.use = lambda hour: 1
    world.live(10)
    assert world.forecast.pack(kept) != kept


def test_ten_years_keep_no_more_than_a_day():
    world = Bin(steady).live(1)
    size = len(world.forecast.pack())
    world.live(200)
    assert len(world.forecast.pack()) == size
