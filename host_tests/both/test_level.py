"""Low and refill, as the contract defines them."""

from kit import config

from lowtide.level import Level


def readings(level, *permilles):
    """Take readings; return for each whether it completed a refill."""
    return [level.reading(permille) for permille in permilles]


def test_low_takes_three_readings_in_a_row_below_the_reorder_point():
    level = Level(config())
    readings(level, 199, 199)
    assert not level.low
    readings(level, 200, 199, 199)
    assert not level.low
    readings(level, 199)
    assert level.low


def test_low_ends_with_the_first_reading_that_is_not():
    level = Level(config())
    readings(level, 100, 100, 100, 200)
    assert not level.low


def test_the_reorder_point_itself_is_not_low():
    level = Level(config())
    readings(level, *[200] * 10)
    assert not level.low


def test_a_fault_breaks_the_row_and_forgets_the_level():
    level = Level(config())
    readings(level, 100, 100)
    level.fault()
    readings(level, 100, 100)
    assert not level.low
    level.fault()
    assert level.permille is None


def test_a_fault_does_not_end_the_depletion():
    level = Level(config())
    readings(level, 100, 100, 100)
    level.fault()
    assert not level.low
    assert level.lowest_permille == 100


def test_a_refill_is_six_readings_in_a_row_above_both_marks():
    level = Level(config())
    readings(level, 180, 180, 180)
    # 15 points above the lowest (180) is 330; 5 above the reorder point is 250.
    assert readings(level, *[329] * 20) == [False] * 20
    assert readings(level, 330, 330, 330, 330, 330, 329) == [False] * 6
    assert readings(level, *[330] * 6) == [False] * 5 + [True]
    assert level.lowest_permille is None


def test_a_refill_from_nearly_empty_must_pass_the_reorder_point_by_five():
    level = Level(config())
    readings(level, 10, 10, 10)
    assert readings(level, *[249] * 20) == [False] * 20
    assert readings(level, *[250] * 6)[-1]


def test_a_refill_that_is_low_by_the_lead_time_is_a_depletion_of_its_own_before_it_is_low():
    level = Level(config())
    for _ in range(3):
        level.reading(10, 0)
    assert [level.reading(300, 6) for _ in range(6)] == [False] * 5 + [True]
    assert not level.low and level.lowest_permille is None
    level.reading(300, 6)
    assert level.low and level.lowest_permille == 300


def test_the_lowest_level_follows_the_depletion_down():
    level = Level(config())
    readings(level, 190, 190, 190, 50, 120)
    assert level.lowest_permille == 50


def test_without_a_depletion_there_is_no_refill():
    level = Level(config())
    assert not any(readings(level, *[1000] * 30))


def test_a_depletion_known_from_flash_goes_on():
    level = Level(config(), 100)
    assert not level.low
    assert readings(level, *[900] * 6)[-1]


def test_counts_go_on_after_a_sleep():
    level = Level(config())
    level.resume(2, 0, None)
    readings(level, 100)
    assert level.low
    level.resume(0, 5, 100)
    assert readings(level, 900) == [True]


def test_counts_of_a_very_long_depletion_still_fit_a_byte():
    level = Level(config())
    readings(level, *[100] * 300)
    assert level.low
    assert level.low_count <= 255


def test_the_settings_count():
    level = Level(
        config(level__reorder_pct=30, level__confirm_count=2, level__refill_count=2), None
    )
    readings(level, 299, 299)
    assert level.low
    assert readings(level, 448, 449, 449) == [False, False, True]
