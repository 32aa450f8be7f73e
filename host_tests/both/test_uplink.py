"""The uplink beside the order: reports, back-off, a hang, the clock, and safe mode."""

from kit import DAY, HOUR, T0, Device, FakeClock, fault, placed_ids, refused

from lowtide import Insecure, Refused, Rejected
from lowtide.commands import request_order


def calls(device, name):
    return device.api.calls.count(name)


# -- reports -------------------------------------------------------------------------------------


def test_slot_status_tells_the_amount_in_the_products_unit():
    device = Device(permille=730, slot__capacity=2000)
    device.measure(730)
    device.talk()
    assert device.api.reports == [(1460, 2000, None)]


def test_slot_status_goes_with_every_connection_and_device_status_once_a_day():
    device = Device(permille=100).order()
    for _ in range(6):
        device.wait(4 * HOUR).talk()
    assert calls(device, "slot_status") == 7
    assert calls(device, "device_status") == 2


def test_reports_come_after_what_matters():
    device = Device(permille=100).low().talk()
    assert device.api.calls == ["subscription", "replenish", "slot_status", "device_status"]


def test_without_a_level_only_the_device_reports():
    device = Device(permille=None).talk()
    assert device.api.calls == ["subscription", "device_status"]


def test_a_report_that_fails_changes_nothing_about_the_order_and_is_tried_again():
    device = Device(permille=100).low()
    device.api.report_answers = [fault("SlotStatus: answered 500", 300)]
    device.talk()
    assert device.state == "placed"
    assert device.agent.trouble == "SlotStatus: answered 500"
    assert device.agent.retry_at >= T0 + 300
    device.wait(400)
    assert device.agent.uplink_due() == "report"
    device.talk()
    assert placed_ids(device) == ["order-1"]
    assert device.agent.failures == 0
    assert device.agent.uplink_due() is None


def test_a_report_that_is_refused_waits_for_tomorrow():
    device = Device(permille=700)
    device.measure(700)
    device.api.report_answers = [Refused("SlotStatus: 400, no")]
    device.talk()
    assert device.agent.failures == 0
    assert device.agent.uplink_due() is None
    device.wait(DAY)
    assert device.agent.uplink_due() == "report"


def test_a_token_that_runs_out_between_calls_is_a_failure_not_a_report():
    device = Device(permille=700)
    device.measure(700)
    device.api.report_answers = [Rejected("SlotStatus: access token rejected")]
    device.talk()
    assert device.agent.failures == 1
    assert device.agent.reported_at == 0


# -- an uplink that hangs, and too many of them ---------------------------------------------------


def test_what_the_watchdog_ends_is_a_failure_with_its_back_off():
    device = Device(permille=100).low()
    device.link.fault = KeyboardInterrupt()
    try:
        device.talk()
    except KeyboardInterrupt:
        device.power_on(device.rtc)
    assert device.agent.failures == 1
    assert device.agent.retry_at > device.clock()
    device.measure(100, 3)
    assert device.agent.uplink_due() is None


def test_no_day_has_more_than_24_uplinks_and_the_next_one_begins_anew():
    device = Device(permille=700)
    device.link.fault = fault()
    device.agent.random = lambda n: 0
    for _ in range(DAY // 120 - 1):
        device.wait(120).step()
    assert len(device.link.asked) == 24
    assert device.agent.wake_in_s() <= 900
    for _ in range(DAY // 120):
        device.wait(120).step()
    assert len(device.link.asked) == 48


def test_a_person_is_not_held_by_the_days_cap():
    device = Device(permille=100)
    device.link.fault = fault()
    device.agent.random = lambda n: 0
    for _ in range(40):
        device.wait(120).step()
    device.link.fault = None
    assert device.agent.uplink_due() is None
    assert request_order(device.agent, False).may
    assert device.agent.uplink_due() == "order"


def test_the_cap_counts_uplinks_that_work_as_well():
    device = Device(permille=700)
    for _ in range(100):
        device.wait(60)
        device.agent.reported_at = 0
        device.step()
    assert len(device.link.asked) == 24


# -- a peer that does not prove who it is ---------------------------------------------------------


def test_an_insecure_peer_is_not_asked_again_for_two_hours():
    device = Device(permille=100).low()
    device.api.subscription_answers = [Insecure("api: certificate refused")]
    device.agent.random = lambda n: 0
    device.talk()
    assert device.agent.retry_at == T0 + 2 * HOUR
    assert device.api.sent == []
    assert "certificate refused" in device.agent.trouble


def test_an_insecure_peer_makes_the_clock_a_suspect_whoever_set_it():
    device = Device(permille=700).talk()
    assert device.agent.earliest_s() == T0
    device.api.subscription_answers = [Insecure("api: certificate refused")]
    device.link.moved_s = 5 * 365 * DAY
    device.clock.now_s += 5 * 365 * DAY
    device.talk()
    assert device.clock() == T0
    assert device.agent.earliest_s() < T0


def test_a_service_date_of_far_in_the_future_does_not_lock_the_board_out():
    device = Device(permille=700)
    device.world = FakeClock(T0 + 30 * 365 * DAY)
    device.talk()
    device.world = device.clock
    device.api.subscription_answers = [Insecure("api: certificate refused")]
    device.talk()
    # What SNTP says is below that date: it is believed all the same.
    device.clock.now_s = T0
    assert device.agent.earliest_s() < T0
    device.talk()
    assert device.agent.failures == 0
    assert device.agent.uplink_due() is None


def test_a_service_date_older_than_the_firmware_is_no_time():
    device = Device(permille=100).low()
    device.world = FakeClock(1500000000)
    device.talk()
    assert device.api.sent == []
    assert device.agent.failures == 1
    assert device.clock() == T0


# -- the sleep clock -----------------------------------------------------------------------------


class Sleeper:
    """A battery board whose clock runs by `error` (parts in a hundred) wrong while it sleeps."""

    def __init__(self, error_pct):
        self.error_pct = error_pct
        self.device = Device(permille=700)
        self.device.world = FakeClock(T0)
        self.device.talk()

    def sleep(self):
        """Sleep as long as the agent says, by its own clock."""
        device = self.device
        asleep_s = device.agent.wake_in_s()
        rtc = device.agent.rtc_pack()
        device.clock.now_s += asleep_s
        device.world.now_s += asleep_s * 100 // (100 - self.error_pct)
        device.power_on(rtc)
        device.clock.now_s += device.agent.woke()
        device.step()
        return device.world.now_s

    def day(self):
        """Sleep for a day; return how far the clock is off at its end, in seconds, at most."""
        worst_s = 0
        for _ in range(96):
            self.sleep()
            worst_s = max(worst_s, abs(self.device.world() - self.device.clock()))
        return worst_s


def test_a_sleep_clock_that_is_five_percent_off_is_corrected_after_a_day():
    for error_pct in (5, -5):
        sleeper = Sleeper(error_pct)
        assert sleeper.day() > 1000
        sleeper.day()
        assert sleeper.day() < 200, error_pct
        sleeper.device.talk()
        before_s = sleeper.device.world()
        sleeper.sleep()
        assert abs(sleeper.device.world() - before_s - 900) <= 9, error_pct


def test_a_sleep_clock_that_is_right_stays_so():
    sleeper = Sleeper(0)
    for _ in range(3):
        assert sleeper.day() == 0
    assert sleeper.device.agent.drift_ppm == 0


def test_a_clock_that_was_set_in_between_teaches_nothing():
    device = Device(permille=700).talk()
    device.agent.slept_s = DAY
    device.set_time(device.clock() - 3000)
    device.world = FakeClock(device.clock() + 3000)
    device.talk()
    assert device.agent.drift_ppm == 0


def test_a_clock_that_was_wrong_by_years_teaches_nothing():
    device = Device(permille=700).talk()
    device.agent.slept_s = DAY
    device.world = FakeClock(device.clock() + 400 * DAY)
    device.talk()
    assert device.agent.drift_ppm == 0


# -- whatever comes back -------------------------------------------------------------------------


def test_whatever_subscription_info_answers_the_uplink_ends_and_backs_off():
    for answer in (
        fault(),
        Refused("SubscriptionInfo: 403, no"),
        refused("SubscriptionInfo: 404, no", "no_such_slot"),
        Rejected("SubscriptionInfo: access token rejected"),
    ):
        device = Device().low()
        device.api.subscription_answers.append(answer)
        device.talk()
        assert device.agent.failures == 1
        assert device.agent.uplink_due() is None
        assert device.api.sent == []
        assert device.stored.block is None


def test_no_wifi_backs_off_and_sends_nothing():
    device = Device().low()
    device.link.fault = fault("no Wi-Fi")
    device.talk()
    assert device.api.calls == []
    assert device.agent.failures == 1


def test_after_failures_the_clock_and_sntp_are_believed_in_turn():
    device = Device().talk()
    device.link.fault = fault("certificate refused")
    device.talk().talk().talk()
    device.link.fault = None
    device.talk().talk()
    suspects = [suspect for _, suspect in device.link.asked]
    assert suspects == [False, False, True, False, True, False]
    assert all(plausible for plausible, _ in device.link.asked)
    device.clock.now_s = 946684800
    device.world = FakeClock()
    device.talk()
    assert device.link.asked[-1] == (False, False)


def test_after_months_of_failures_the_clock_is_still_doubted_every_other_time():
    device = Device()
    device.link.fault = fault("no Wi-Fi")
    device.agent.failures = 96
    for _ in range(8):
        device.talk()
    suspects = [suspect for _, suspect in device.link.asked]
    assert suspects == [False, True] * 4


# -- safe mode -----------------------------------------------------------------------------------


def test_safe_mode_orders_nothing_even_by_hand_and_leaves_the_radio_off():
    device = Device(permille=100).low()
    device.agent.safe = True
    assert device.agent.uplink_due() is None
    verdict = request_order(device.agent, True)
    assert not verdict.may
    assert "safe mode" in verdict.why
    assert device.agent.uplink_due() is None
    assert device.stored.state == "none"
