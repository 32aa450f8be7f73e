"""The agent between its wakes: what RTC memory keeps, when it wakes, and how it backs off."""

from kit import DAY, HOUR, MINUTE, T0, Device, fault, raises

from lowtide.commands import request_order
from lowtide.orders import BLOCKS

YEARS = 5 * 365 * DAY


def test_a_sleep_keeps_counts_and_schedules():
    device = Device()
    device.measure(100, 2)
    device.fail()
    agent = device.agent
    device.power_on(agent.rtc_pack())
    assert device.agent is not agent
    assert device.agent.level.low_count == 2
    for name in ("failures", "measured_at", "retry_at", "asked_at", "reported_at"):
        assert getattr(device.agent, name) == getattr(agent, name), name
    device.measure(100)
    assert device.agent.level.low


def test_a_sleep_keeps_the_lowest_level_and_the_refill_count():
    device = Device().low()
    device.measure(900, 5)
    device.power_on(device.agent.rtc_pack())
    assert device.agent.level.lowest_permille == 100
    assert not device.agent.level.low
    device.measure(900)
    assert device.agent.level.lowest_permille is None


def test_rtc_memory_cut_at_any_length_or_with_any_bit_flipped_is_ignored():
    device = Device()
    device.measure(100, 2)
    good = device.agent.rtc_pack()
    assert len(good) <= 2048
    for size in range(len(good)):
        device.power_on(good[:size])
        assert device.agent.level.low_count == 0
    for bit in range(len(good) * 8):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        device.power_on(bytes(bad))
        assert device.agent.level.low_count == 0, bit
        assert device.agent.measured_at == 0
    for junk in (b"", b"\x00" * len(good), b"\xff" * len(good), b"\x00" * 2048):
        device.power_on(junk)
        assert device.agent.measured_at == 0


def test_a_power_cut_costs_readings_and_never_an_order():
    device = Device().low()
    device.power_on()
    device.measure(100, 2)
    assert not device.agent.level.low
    device.measure(100)
    assert device.agent.level.low


def test_a_power_cut_in_a_depletion_still_sees_the_refill():
    device = Device().order().wait(DAY)
    device.power_on()
    device.measure(400, 6)
    assert device.state == "none"


def test_a_wake_that_the_watchdog_ended_still_sees_the_refill():
    device = Device(permille=100)
    device.order()
    device.power_on(device.rtc)
    device.measure(900, 6)
    assert device.state == "none"


def test_a_measure_wake_without_change_writes_nothing():
    device = Device(permille=700)
    device.live(3 * HOUR, 900)
    device.order()
    writes = device.store.writes
    for permille in (100, 99, 98, 140, 101, None, 100):
        device.measure(permille)
        device.agent.uplink_due()
        device.agent.rtc_pack()
    assert device.store.writes == writes


def test_an_uplink_without_news_writes_nothing():
    device = Device(permille=700).talk()
    writes = device.store.writes
    for _ in range(5):
        device.wait(DAY).talk()
    assert device.store.writes == writes


def test_a_refill_is_one_write():
    device = Device().order().wait(DAY)
    writes = device.store.writes
    device.refill()
    assert device.store.writes == writes + 1
    device.measure(900, 20)
    assert device.store.writes == writes + 1


def test_a_depletion_writes_its_low_water_mark_a_few_times_at_most():
    device = Device().order()
    writes = device.store.writes
    for permille in range(100, -1, -1):
        device.measure(permille)
    assert device.store.writes - writes <= 2
    assert device.stored.lowest_permille <= 50


def test_an_order_costs_three_writes():
    device = Device().talk()
    writes = device.store.writes
    device.order()
    assert device.store.writes - writes <= 2


def test_the_uplink_reports_daily_and_leaves_the_radio_off_between():
    device = Device(permille=700)
    device.live(10 * DAY)
    for call in ("subscription", "slot_status", "device_status"):
        assert 10 <= device.api.calls.count(call) <= 11
    assert len(device.api.calls) == 3 * device.api.calls.count("subscription")


def test_back_off_grows_to_two_hours_and_no_further():
    device = Device()
    waits = []
    for _ in range(30):
        device.fail()
        waits.append(device.agent.retry_at - device.clock())
    assert waits[0] <= MINUTE
    assert waits == sorted(waits)
    assert waits[-1] == 2 * HOUR
    assert device.agent.failures <= 255


def test_back_off_has_full_jitter_and_is_never_zero():
    device = Device()
    device.agent.random = lambda n: 0
    for _ in range(30):
        device.fail()
        assert device.agent.retry_at - device.clock() == 1


def test_retry_after_is_heeded_up_to_the_cap():
    device = Device()
    device.agent.random = lambda n: 0
    device.fail("x", 500)
    assert device.agent.retry_at == T0 + 500
    device.fail("x", 99999)
    assert device.agent.retry_at == T0 + 2 * HOUR


def test_an_uplink_that_works_ends_the_back_off():
    device = Device(permille=700)
    device.link.fault = fault()
    device.talk().talk()
    assert device.agent.failures == 2
    device.link.fault = None
    device.talk()
    assert device.agent.failures == 0
    assert device.agent.retry_at == 0


def test_nothing_is_due_in_the_back_off_and_all_of_it_after():
    device = Device().low()
    device.link.fault = fault()
    device.talk()
    wait_s = device.agent.retry_at - device.clock()
    device.wait(wait_s - 1)
    assert device.agent.uplink_due() is None
    device.wait(1)
    assert device.agent.uplink_due() == "order"


def test_the_next_wake_is_the_next_reading_or_the_retry():
    device = Device().talk()
    device.measure(500)
    assert device.agent.wake_in_s() == 900
    device.wait(300)
    assert device.agent.wake_in_s() == 600
    device.agent.random = lambda n: 99
    device.agent.failures = 5
    device.agent.reported_at = 0
    device.fail()
    assert device.agent.wake_in_s() == 100


def test_a_wake_is_not_put_off_while_something_is_due():
    device = Device()
    device.measure(500)
    assert device.agent.uplink_due() == "report"
    assert device.agent.wake_in_s() == 1


def test_a_long_measure_interval_does_not_put_off_asking_about_an_order():
    device = Device(measure__interval_s=86400).order()
    assert device.agent.wake_in_s() <= 4 * HOUR


def test_a_clock_that_jumps_by_years_never_leaves_the_agent_waiting():
    for jump_s in (YEARS, -YEARS, 900, -900, -1):
        device = Device(permille=700)
        device.live(HOUR, 900)
        device.agent.reported_at = 0
        device.fail()
        device.agent.measured_at = device.clock()
        device.wait(jump_s)
        assert 1 <= device.agent.wake_in_s() <= 900, jump_s
        assert abs(jump_s) < 900 or not device.agent.measure_in_s()
        device.wait(2 * HOUR + 900)
        assert not device.agent.measure_in_s()
        device.step()
        assert device.agent.wake_in_s() == 900
        if abs(jump_s) == YEARS:
            assert device.agent.failures == 0


def test_a_clock_that_was_wrong_for_years_asks_and_orders_on():
    for jump_s in (YEARS, -YEARS):
        device = Device().order()
        device.wait(jump_s)
        device.live(DAY, 900)
        asked = len(device.api.asked)
        device.wait(-jump_s)
        device.live(2 * DAY, 900)
        assert len(device.api.asked) > asked
        device.wait(DAY).ask(("Shipped", True))
        device.refill().wait(2 * DAY)
        device.measure(100, 3)
        assert device.step() is not None
        assert device.stored.event_id == "order-2"


def test_a_clock_that_was_never_set_asks_for_the_time_first():
    device = Device(permille=700)
    device.clock.now_s = 946684800
    assert not device.agent.clock_plausible()
    assert device.agent.uplink_due() == "time"


def test_a_clock_before_what_is_stored_is_not_plausible():
    device = Device().order()
    assert device.agent.clock_plausible()
    device.clock.now_s -= 1
    assert not device.agent.clock_plausible()


def test_an_unconfigured_device_leaves_the_radio_off():
    device = Device(slot__id="")
    device.measure(100, 5)
    assert device.agent.uplink_due() is None
    assert "slot.id" in device.agent.doubts()


def test_a_gauge_fault_leaves_the_daily_report_alone():
    device = Device()
    device.gauge.permille = None
    device.live(2 * DAY)
    assert device.api.calls.count("subscription") >= 2
    assert device.api.sent == []


def test_typing_order_confirms_the_level_at_once():
    device = Device(permille=100)
    assert request_order(device.agent, False).may
    assert device.agent.uplink_due() == "order"
    device = Device(permille=900)
    assert not request_order(device.agent, False).may
    assert device.agent.level.low_count == 0


def test_a_forced_order_is_tried_once():
    device = Device(permille=100)
    device.link.fault = fault()
    assert request_order(device.agent, True).may
    device.talk()
    assert not device.agent.forced
    assert device.log_lines[-1] == "order: type it again"
    # Whatever ended it, and not a fault alone.
    device.link.fault = MemoryError()
    assert request_order(device.agent, True).may
    raises(MemoryError, device.talk)
    assert device.log_lines[-1] == "order: type it again"
    # One that was sent, or that an answer decided, is not to be typed again.
    device.link.fault = None
    device.api.report_answers.append(fault())
    assert request_order(device.agent, True).may
    device.talk()
    assert len(device.api.sent) == 1
    assert "type it again" not in device.log_lines[-1]


def test_a_new_setting_ends_the_back_off():
    device = Device()
    device.fail()
    device.agent.config_changed("wifi.ssid")
    assert device.agent.failures == 0
    assert device.agent.uplink_due() == "report"


def test_setting_the_clock_leaves_every_wait_as_long_as_it_was():
    for by_s in (26 * 365 * DAY, -YEARS // 2, 5, -5):
        device = Device().talk()
        device.measure(500)
        device.wait(100)
        device.agent.random = lambda n: min(n, 299)
        device.agent.failures = 5
        device.agent.reported_at = 0
        device.fail()
        assert device.agent.wake_in_s() == 300
        device.agent.verified_at = 0
        device.agent.clock_moved(by_s)
        device.wait(by_s)
        assert device.agent.wake_in_s() == 300, by_s
        device.agent.retry_at = 0
        device.agent.clock_moved(by_s)
        device.wait(by_s)
        device.agent.reported_at = device.clock()
        assert device.agent.wake_in_s() == 800, by_s
        assert device.agent.retry_at == 0


def test_a_board_that_only_a_person_can_help_does_not_wake_to_ask():
    device = Device().order()
    device.agent.orders.blocked = BLOCKS.index("revoked")
    device.wait(5 * HOUR)
    device.measure(100)
    assert device.agent.uplink_due() is None
    assert device.agent.wake_in_s() == 900
