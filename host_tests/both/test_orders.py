"""The ordering contract, rule by rule, through Agent and Uplink on fakes."""

import asyncio

from kit import (
    DAY,
    HOUR,
    IN_PROGRESS,
    MINUTE,
    PLACED,
    SILENCE,
    SLOT,
    T0,
    Device,
    FakeClock,
    fault,
    raises,
    refused,
    run,
)

from lowtide import Refused, Rejected
from lowtide.orders import BLOCKS, Orders

# Every way in which the outcome of a Replenish stays unknown.
UNKNOWN = (
    fault("no answer in 15 s"),
    fault("the service closed the connection"),
    fault("Replenish: answered 500"),
    (None, None),
    ("SOME_NEW_CODE", "id-x"),
    (["STANDARD_ORDER_PLACED"], {}),
    ("", ""),
)
CANCELLED = (("Cancelled", False), ("Canceled", False))


def placed(**changes):
    """Return a device whose order was placed at T0, as `order-1`."""
    device = Device(**changes).order()
    assert device.state == "placed"
    return device


def unanswered(**changes):
    """Return a device whose first Replenish, at T0, was never answered."""
    device = Device(**changes).order(fault())
    assert device.state == "attempt"
    return device


def lapsed(device):
    """Let the order's resolution lapse: seen open at 70 h, cancelled at 74 h after it."""
    ordered_at = device.stored.ordered_at
    for hours, answer in ((2, ("Processing", False)), (70, ("Processing", False))):
        device.wait(ordered_at + hours * HOUR - device.clock()).ask(answer)
        assert device.state == "resolution"
    return device.wait(4 * HOUR).ask(("Cancelled", False))


def sent_within(device, seconds, step_s=HOUR):
    """Return how many Replenish go out while the device lives on for so long."""
    before = len(device.api.sent)
    device.live(seconds, step_s)
    return len(device.api.sent) - before


# -- rule 1 -------------------------------------------------------------------------------------


def test_rule_1_the_attempt_is_in_flash_when_replenish_is_called():
    device = placed()
    intent = device.api.sent[0]
    assert intent.state == "attempt"
    assert intent.attempt_at == T0
    assert device.api.calls[:2] == ["subscription", "replenish"]


def test_rule_1_the_answer_is_in_flash_before_anything_else_is_done_with_it():
    device = placed()
    said = [state for line, state in device.logged if PLACED in line]
    assert said == ["placed"]
    assert device.stored.event_id == "order-1"
    assert device.stored.ordered_at == T0


def test_rule_1_nothing_is_sent_when_the_attempt_cannot_be_written():
    device = Device().low()
    device.store.broken = True
    raises(OSError, device.talk)
    assert device.api.sent == []


def test_rule_1_nothing_is_written_or_sent_without_a_verified_answer():
    device = Device().low()
    device.api.subscription_answers.append(fault())
    device.talk()
    assert device.api.calls == ["subscription"]
    assert device.store.writes == 0


def test_rule_1_a_power_cut_after_sending_leaves_an_attempt_to_repeat():
    device = unanswered()
    device.power_on()
    device.wait(MINUTE).low()
    assert device.agent.uplink_due() == "order"
    device.talk()
    assert device.api.sent[1].attempt_at == T0
    assert device.state == "placed"


# -- rule 2 -------------------------------------------------------------------------------------


def test_rule_2_a_placed_order_is_the_only_one_of_its_depletion():
    device = placed()
    assert sent_within(device, 40 * DAY) == 0


def test_rule_2_going_up_a_little_and_low_again_is_the_same_depletion():
    device = placed()
    device.measure(240, 20)
    assert device.state == "placed"
    device.low()
    assert sent_within(device, 12 * DAY) == 0


def test_rule_2_a_refill_ends_the_depletion_and_the_next_low_orders():
    device = placed().wait(2 * DAY).refill()
    assert device.state == "none"
    assert device.stored.event_id == "order-1"
    assert device.stored.ordered_at == T0
    device.low()
    assert device.agent.uplink_due() == "order"
    device.talk()
    assert len(device.api.sent) == 2
    assert device.stored.event_id == "order-2"


def test_rule_2_a_refill_sets_the_counters_to_zero():
    device = placed().wait(DAY).ask(("Cancelled", False))
    assert device.stored.cancels == 1
    device.refill()
    rec = device.stored
    assert (rec.cancels, rec.lapses, rec.bad_days, rec.cancelled_at) == (0, 0, 0, 0)


# -- rule 3 -------------------------------------------------------------------------------------


def test_rule_3_a_first_send_goes_only_out_while_low_is_confirmed():
    device = Device()
    device.measure(100, 2)
    device.talk()
    assert device.api.sent == []
    device.low()
    device.measure(300)
    device.talk()
    assert device.api.sent == []


def test_rule_3_a_repeat_goes_only_out_while_low():
    device = unanswered().wait(HOUR)
    device.measure(300)
    assert device.agent.uplink_due() == "report"
    device.talk()
    assert len(device.api.sent) == 1
    assert device.agent.uplink_due() is None
    device.talk()
    assert len(device.api.sent) == 1
    device.low().talk()
    assert len(device.api.sent) == 2


def test_rule_3_an_open_order_is_asked_about_every_four_hours_and_never_replenished():
    device = placed()
    device.api.info_answers.extend([("Processing", False)] * 6)
    assert sent_within(device, DAY) == 0
    assert device.api.asked == ["order-1"] * 6 or device.api.asked == ["order-1"] * 7
    assert device.api.calls.count("replenish") == 1


def test_rule_3_a_confirmed_order_is_asked_about_daily():
    device = placed()
    device.live(2 * HOUR)
    assert device.state == "confirmed"
    asked = len(device.api.asked)
    device.live(4 * DAY)
    assert 4 <= len(device.api.asked) - asked <= 5


def test_rule_3_in_progress_to_a_first_send_is_an_older_order():
    device = Device().order((IN_PROGRESS, "older"))
    assert device.state == "in_progress"
    assert device.stored.event_id == "older"
    assert device.stored.horizon_at == T0


def test_rule_3_in_progress_to_a_repeat_is_the_order_of_this_depletion():
    device = unanswered().wait(HOUR)
    device.order((IN_PROGRESS, "mine"))
    assert device.state == "placed"
    assert device.stored.event_id == "mine"
    assert device.stored.ordered_at == T0


def test_rule_3_in_progress_to_a_repeat_without_an_id_is_the_order_of_this_depletion():
    device = unanswered().wait(HOUR)
    device.order((IN_PROGRESS, None))
    assert device.state == "placed"


def test_rule_3_in_progress_to_a_repeat_with_the_last_id_kept_is_an_older_order():
    device = placed().wait(2 * DAY).refill()
    device.order(fault())
    device.wait(HOUR).order((IN_PROGRESS, "order-1"))
    assert device.state == "in_progress"


def test_rule_3_the_id_of_in_progress_is_asked_about():
    device = Device().order((IN_PROGRESS, "older"))
    device.wait(HOUR).step()
    assert device.api.asked == ["older"]
    assert device.state == "in_progress"


def test_rule_3_an_older_order_that_shipped_settles_nothing():
    device = Device().order((IN_PROGRESS, "older"))
    device.wait(HOUR).ask(("Shipped", True))
    assert device.state == "in_progress"


def test_rule_3_the_longest_documented_id_is_kept():
    device = Device().order((PLACED, "x" * 255))
    assert device.stored.event_id == "x" * 255


def test_rule_3_an_unusable_id_is_no_id():
    for event_id in (None, 7, "", "x" * 256, ["id"]):
        device = Device().order((PLACED, event_id))
        assert device.state == "placed"
        assert device.stored.event_id == ""
        device.wait(5 * HOUR).talk()
        assert device.api.asked == []


# -- rule 4 -------------------------------------------------------------------------------------


def test_rule_4_every_unknown_outcome_leaves_the_attempt_and_backs_off():
    for answer in UNKNOWN:
        device = Device().order(answer)
        assert device.state == "attempt", answer
        assert device.stored.attempt_at == T0
        assert device.agent.failures == 1
        assert device.agent.uplink_due() is None
        device.wait(2 * HOUR).low()
        assert device.agent.uplink_due() == "order"


def test_rule_4_repeats_go_out_inside_the_window_and_stop_after_it():
    device = Device()
    device.api.replenish_answers.extend([fault()] * 500)
    device.order()
    assert sent_within(device, 12 * HOUR - MINUTE, MINUTE) >= 6
    assert {rec.attempt_at for rec in device.api.sent} == {T0}
    assert sent_within(device, 9 * DAY, HOUR) == 0
    assert device.state == "attempt"


def test_rule_4_a_wake_that_runs_out_of_time_leaves_an_attempt_and_nothing_open():
    device = Device().low()
    device.api.replenish_answers.append(SILENCE)

    async def budget():
        try:
            await asyncio.wait_for(device.uplink.run(), 0.05)
        except asyncio.TimeoutError:
            return True

    assert run(budget())
    assert device.state == "attempt"
    assert not device.link.is_up
    assert not device.api.is_open


def test_rule_4_the_window_ends_twelve_hours_after_the_first_send():
    for late_s, sent in ((-1, 2), (0, 1), (1, 1)):
        device = unanswered().wait(12 * HOUR + late_s).low().talk()
        assert len(device.api.sent) == sent, late_s


def test_rule_4_the_window_is_the_configured_one():
    device = unanswered(order__repeat_window_s=3600).wait(HOUR).low().talk()
    assert len(device.api.sent) == 1


def test_rule_4_a_repeat_that_is_refused_backs_off_too():
    device = unanswered().wait(HOUR)
    device.order(Refused("Replenish: 400, no"))
    assert device.state == "attempt"
    before = len(device.api.sent)
    device.low()
    if device.agent.uplink_due():
        device.talk()
    assert len(device.api.sent) == before


def test_rule_4_a_refusal_after_the_horizon_opens_no_window_to_repeat():
    device = Device(permille=100)
    device.order(fault()).wait(11 * DAY).power_on()
    device.api.replenish_answers.append(Refused("400"))
    device.low().talk()
    assert len(device.api.sent) == 2
    assert device.state == "attempt"
    for _ in range(23):
        device.wait(HOUR).measure(100)
        assert not device.agent.verdict(device.clock()).may
    device.wait(HOUR).measure(100)
    assert device.agent.verdict(device.clock()).may


def test_rule_4_a_first_send_refused_for_certain_was_no_order():
    device = Device().order(Refused("Replenish: 400, no"))
    assert device.state == "none"
    assert sent_within(device, 23 * HOUR) == 0
    assert sent_within(device, 2 * HOUR) == 1


def test_rule_4_a_rejected_token_was_no_attempt():
    device = Device().order(Rejected("Replenish: access token rejected"))
    assert device.state == "none"
    assert device.stored.attempt_at == 0
    assert device.agent.failures == 1
    assert sent_within(device, 3 * HOUR) == 1


# -- rule 5 -------------------------------------------------------------------------------------


def test_rule_5_a_cancelled_order_holds_five_days_from_when_it_was_first_seen():
    for answer in CANCELLED:
        device = placed().wait(20 * HOUR).ask(answer)
        assert device.state == "cancelled"
        assert device.stored.cancelled_at == T0 + 20 * HOUR
        device.wait(5 * DAY - 1).low().talk()
        assert len(device.api.sent) == 1
        device.wait(1).low().talk()
        assert len(device.api.sent) == 2


def test_rule_5_nothing_is_reordered_when_no_longer_low():
    device = placed().wait(20 * HOUR).ask(("Cancelled", False))
    device.measure(300)
    device.wait(6 * DAY).talk()
    assert len(device.api.sent) == 1


def test_rule_5_a_second_cancellation_waits_for_the_refill():
    device = placed().wait(20 * HOUR).ask(("Cancelled", False))
    device.wait(5 * DAY).order()
    device.wait(HOUR).ask(("Cancelled", False))
    assert device.stored.cancels == 2
    assert sent_within(device, 30 * DAY, DAY) == 0
    device.refill().low().talk()
    assert len(device.api.sent) == 3


def test_rule_5_a_confirmed_order_that_is_cancelled_holds():
    device = placed().wait(4 * HOUR).ask(("Processing", True))
    assert device.state == "confirmed"
    device.wait(4 * HOUR).ask(("Cancelled", True))
    assert device.stored.cancels == 1
    assert sent_within(device, 4 * DAY) == 0


def test_rule_5_an_older_order_that_is_cancelled_holds_too():
    device = Device().order((IN_PROGRESS, "older"))
    device.wait(HOUR).ask(("Cancelled", False))
    assert device.state == "cancelled"
    assert (device.stored.cancels, device.stored.lapses) == (1, 0)
    device.wait(5 * DAY - 1).low().talk()
    assert len(device.api.sent) == 1


# -- rule 6 -------------------------------------------------------------------------------------


def test_rule_6_no_date_means_resolution_from_an_hour_after_the_order():
    device = placed().wait(HOUR - 1).ask(("Processing", False))
    assert device.state == "placed"
    device.wait(1).ask(("Pending", False))
    assert device.state == "resolution"
    device.wait(HOUR).ask(("Authorized", True))
    assert device.state == "confirmed"


def test_rule_6_the_next_low_reading_after_a_lapse_orders():
    device = lapsed(placed())
    assert len(device.api.sent) == 2
    assert device.api.sent[1].lapses == 1
    assert device.state == "placed"


def test_rule_6_a_lapse_that_is_not_low_any_more_waits_for_low():
    device = placed()
    device.measure(300)
    lapsed(device)
    assert device.state == "cancelled"
    assert device.stored.lapsed
    assert len(device.api.sent) == 1
    device.wait(HOUR).low()
    assert device.agent.uplink_due() == "order"


def test_rule_6_last_seen_in_resolution_at_66_h_is_a_lapse_and_before_is_not():
    for seen_s, is_lapse in ((66 * HOUR - 1, False), (66 * HOUR, True)):
        device = placed().wait(seen_s).ask(("Processing", False))
        device.wait(72 * HOUR - seen_s).ask(("Cancelled", False))
        rec = device.stored
        assert (rec.lapses, rec.cancels) == ((1, 0) if is_lapse else (0, 1)), seen_s


def test_rule_6_left_by_78_h_is_a_lapse_and_later_is_not():
    for left_s, is_lapse in ((78 * HOUR, True), (78 * HOUR + 1, False)):
        device = placed().wait(70 * HOUR).ask(("Processing", False))
        device.wait(left_s - 70 * HOUR).ask(("Cancelled", False))
        rec = device.stored
        assert (rec.lapses, rec.cancels) == ((1, 0) if is_lapse else (0, 1)), left_s


def test_rule_6_resolved_in_time_and_then_cancelled_is_the_customer():
    device = placed().wait(67 * HOUR).ask(("Processing", False))
    device.wait(HOUR).ask(("Processing", True))
    device.wait(5 * HOUR).ask(("Cancelled", False))
    assert device.stored.cancels == 1
    assert device.stored.lapses == 0


def test_rule_6_no_news_between_changes_nothing():
    device = placed().wait(67 * HOUR).ask(("Processing", False))
    for status in ("Unknown", "", None, 7, ["Shipped"], "shipped"):
        device.ask((status, True))
        assert device.state == "resolution"
    device.wait(6 * HOUR).ask(("Cancelled", False))
    assert device.agent.orders.lapses == 1


def test_rule_6_a_second_lapse_waits_for_the_refill():
    device = lapsed(lapsed(placed()))
    assert device.stored.lapses == 2
    assert device.state == "cancelled"
    assert sent_within(device, 30 * DAY, DAY) == 0
    assert len(device.api.sent) == 2


def test_rule_6_the_loop_as_it_lives_sees_a_lapse():
    device = placed()
    device.api.info_answers.extend([("Processing", False)] * 100)
    device.live(71 * HOUR, 15 * MINUTE)
    assert device.state == "resolution"
    device.api.info_answers = [("Cancelled", False)]
    device.live(6 * HOUR, 15 * MINUTE)
    assert len(device.api.sent) == 2


# -- rule 7 -------------------------------------------------------------------------------------


def test_rule_7_an_unanswered_attempt_buys_once_after_the_horizon():
    device = unanswered().wait(10 * DAY - 1).low().talk()
    assert len(device.api.sent) == 1
    device.wait(1).low().talk()
    assert len(device.api.sent) == 2
    assert device.api.sent[1].attempt_at == T0 + 10 * DAY


def test_rule_7_in_progress_starts_the_horizon_again():
    device = unanswered().wait(10 * DAY)
    device.order((IN_PROGRESS, "x"))
    assert device.state == "in_progress"
    device.api.info_answers.extend([("Unknown", False)] * 50)
    assert sent_within(device, 10 * DAY - HOUR) == 0
    assert sent_within(device, 2 * HOUR) == 1


def test_rule_7_an_order_without_an_id_buys_after_the_horizon():
    device = Device().order((PLACED, None))
    assert sent_within(device, 10 * DAY - HOUR) == 0
    assert sent_within(device, 2 * HOUR) == 1


def test_rule_7_an_id_refused_on_three_different_days_is_not_known():
    device = placed()
    for _ in range(10):
        device.wait(HOUR // 2).ask(Refused("GetOrderInfo: 400, no such order"))
    assert device.stored.bad_days == 1
    device.wait(DAY).ask(Refused("GetOrderInfo: 400, no such order"))
    assert device.agent.orders.askable()
    device.wait(DAY).ask(Refused("GetOrderInfo: 400, no such order"))
    assert device.stored.bad_days == 3
    assert not device.agent.orders.askable()
    assert sent_within(device, 7 * DAY) == 0
    assert sent_within(device, 2 * DAY) == 1


def test_rule_7_an_id_that_is_not_of_this_slot_counts_as_refused():
    device = placed()
    for _ in range(3):
        device.wait(DAY).ask(Refused("getOrderInfo: no order of this slot"))
    assert not device.agent.orders.askable()


def test_rule_7_refusals_now_and_then_do_not_put_off_the_horizon_of_in_progress():
    device = Device().order((IN_PROGRESS, "older"))
    for _ in range(5):
        device.wait(DAY).ask(Refused("GetOrderInfo: 400, no such order"))
        device.wait(DAY).ask(("Closed", True))
    device.low().talk()
    assert len(device.api.sent) == 2


def test_rule_7_a_good_answer_forgets_the_bad_days():
    device = placed()
    for _ in range(2):
        device.wait(DAY).ask(Refused("GetOrderInfo: 400, no such order"))
    device.wait(DAY).ask(("Processing", True))
    assert device.stored.bad_days == 0


def test_rule_7_a_rejected_token_is_no_bad_day_of_the_id():
    device = placed().wait(DAY)
    device.ask(Rejected("GetOrderInfo: access token rejected"))
    assert device.stored.bad_days == 0


def test_rule_7_an_order_seen_open_is_unknown_ten_days_after_it_was_last_seen():
    # Back-ordered: seen open for twelve days, then the service forgets the id.
    device = placed()
    for _ in range(12):
        device.wait(DAY).ask(("Processing", True))
    for _ in range(3):
        device.wait(DAY).ask(Refused("GetOrderInfo: 400, no such order"))
    assert len(device.api.sent) == 1
    assert sent_within(device, 6 * DAY) == 0
    assert sent_within(device, 4 * DAY) == 1


def test_rule_7_in_progress_is_not_stuck_while_get_order_info_fails():
    device = Device().order((IN_PROGRESS, "older"))
    device.api.info_answers.extend([fault("GetOrderInfo: answered 500")] * 2000)
    device.live(11 * DAY)
    assert len(device.api.sent) == 2


def test_rule_7_a_shipped_order_never_reorders_by_itself():
    for status in ("Shipped", "Closed"):
        device = placed().wait(5 * HOUR).ask((status, True))
        assert device.state == "shipped"
        assert sent_within(device, 60 * DAY, 6 * HOUR) == 0
        device.refill().low().talk()
        assert len(device.api.sent) == 2


def test_rule_7_a_lost_or_damaged_record_waits_for_the_horizon_from_the_next_verified_time():
    for payload in (None, b"", b"junk"):
        device = Device()
        device.store.payload = payload
        device.power_on()
        assert device.agent.orders.state == "attempt"
        device.wait(3 * DAY).low().talk()
        assert device.api.sent == []
        assert device.stored.horizon_at == T0 + 3 * DAY
        device.power_on()
        device.wait(10 * DAY - 1).low().talk()
        assert device.api.sent == []
        device.wait(1).low().talk()
        assert len(device.api.sent) == 1


# -- rule 8 -------------------------------------------------------------------------------------


def apart(device, local_s):
    """Part the local clock from the world's by so much, and keep it from being set."""
    device.world = FakeClock(device.clock())
    device.clock.now_s += local_s
    device.uplink._set_time = lambda unix_s: None
    return device


def test_rule_8_a_local_clock_that_is_wrong_buys_nothing():
    device = apart(placed().wait(20 * HOUR).ask(("Cancelled", False)), 10 * 365 * DAY)
    device.wait(4 * DAY).low()
    assert device.agent.uplink_due() == "order"
    device.talk()
    assert len(device.api.sent) == 1


def test_rule_8_the_local_clock_is_set_by_the_verified_time():
    device = Device()
    device.world = FakeClock(T0 + 5 * DAY)
    device.talk()
    assert device.clock() == T0 + 5 * DAY


def test_rule_8_stored_times_later_than_the_verified_now_count_as_now():
    rec = Orders(None)
    rec.state = "cancelled"
    rec.cancels = 1
    rec.attempt_at = rec.ordered_at = rec.cancelled_at = rec.horizon_at = T0 + 900 * DAY
    device = Device(rec)
    device.low().talk()
    stored = device.stored
    assert stored.cancelled_at == stored.attempt_at == stored.ordered_at == T0
    assert sent_within(device, 5 * DAY - HOUR) == 0
    assert sent_within(device, 2 * HOUR) == 1


def test_rule_8_a_day_must_pass_between_two_attempts_and_a_refill_does_not_reset_it():
    device = placed().wait(HOUR).refill()
    device.wait(23 * HOUR - 1).low().talk()
    assert len(device.api.sent) == 1
    device.wait(1).low().talk()
    assert len(device.api.sent) == 2


def test_rule_8_repeats_of_one_attempt_are_exempt():
    device = unanswered().wait(2 * MINUTE).low().talk()
    assert len(device.api.sent) == 2


# -- rule 9 -------------------------------------------------------------------------------------


def test_rule_9_a_gauge_fault_buys_nothing():
    device = Device().low()
    device.gauge.permille = None
    device.agent.measure()
    device.talk()
    assert device.api.sent == []
    assert "gauge fault" in device.agent.verdict(device.clock()).why
    device.measure(100, 2)
    device.talk()
    assert device.api.sent == []
    device.low().talk()
    assert len(device.api.sent) == 1


def test_rule_9_a_single_low_reading_buys_nothing():
    device = Device()
    for permille in (100, 100, 900, 100, 100, 200, 100):
        device.measure(permille)
        device.talk()
    assert device.api.sent == []


def test_rule_9_unsubscribed_buys_nothing_is_asked_daily_and_clears_by_itself():
    device = Device().low()
    device.api.slots[SLOT] = False
    device.talk()
    assert device.stored.block == "unsubscribed"
    assert device.state == "none"
    asked = device.api.calls.count("subscription")
    assert sent_within(device, 3 * DAY) == 0
    assert device.api.calls.count("subscription") - asked == 3
    device.api.slots[SLOT] = True
    assert sent_within(device, DAY) == 1
    assert device.stored.block is None


def test_rule_9_a_replenish_refused_as_unsubscribed_blocks_beside_the_state():
    device = Device().order(refused("is unsubscribed.", "unsubscribed"))
    assert device.state == "none"
    assert device.stored.block == "unsubscribed"


def test_rule_9_a_block_never_replaces_the_state():
    device = placed()
    device.api.slots[SLOT] = False
    device.wait(DAY).talk()
    assert device.stored.block == "unsubscribed"
    assert device.state in ("placed", "confirmed")
    assert device.stored.event_id == "order-1"


def test_rule_9_revoked_is_silent_until_a_new_refresh_token():
    device = Device().low()
    device.api.subscription_answers.append(refused("invalid_grant", "revoked"))
    device.talk()
    assert device.stored.block == "revoked"
    calls = len(device.api.calls)
    device.live(20 * DAY)
    assert len(device.api.calls) == calls
    device.agent.config_changed("slot.id")
    assert device.stored.block == "revoked"
    device.agent.config_changed("lwa.refresh_token")
    assert device.stored.block is None
    device.low().step()
    assert len(device.api.sent) == 1


def test_rule_9_no_such_slot_clears_with_a_new_slot_id_only():
    device = Device().order(refused("Replenish: 404", "no_such_slot"))
    assert device.stored.block == "no_such_slot"
    assert sent_within(device, 5 * DAY) == 0
    device.agent.config_changed("lwa.refresh_token")
    assert device.stored.block == "no_such_slot"
    device.agent.config_changed("slot.id")
    assert device.stored.block is None
    assert sent_within(device, 2 * HOUR) == 1


def test_rule_9_a_slot_that_is_not_listed_buys_nothing():
    device = Device().low()
    device.api.slots = {"Other": True}
    device.talk()
    assert device.api.sent == []
    assert device.stored.block == "no_such_slot"


def test_rule_9_a_damaged_configuration_buys_nothing():
    device = Device().low()
    device.config._bad["wifi.ssid"] = "configuration damaged"
    device.agent.config_changed("")
    assert device.agent.uplink_due() is None
    device.talk()
    assert device.api.sent == []


def test_rule_9_a_new_device_starts_with_no_order_and_a_configured_one_with_doubt():
    device = Device()
    device.store.payload = None
    device.config.present = False
    device.power_on()
    assert device.state == "none"
    device.store.payload = None
    device.config.present = True
    device.power_on()
    assert device.agent.orders.state == "attempt"


# -- rule 10 ------------------------------------------------------------------------------------


def ordered_by_hand(device):
    """Type `order --now`; return whether it is taken, and what it then sends."""
    device.gauge.permille = 100
    if not device.agent.request_order(True).may:
        return False
    assert device.agent.uplink_due() == "order"
    sent = len(device.api.sent)
    device.talk()
    assert not device.agent.forced
    return len(device.api.sent) == sent + 1


def test_rule_10_now_overrides_the_cancel_hold_and_the_second_cancel():
    device = placed().wait(20 * HOUR).ask(("Cancelled", False))
    assert ordered_by_hand(device)
    device.wait(HOUR).ask(("Cancelled", False))
    assert ordered_by_hand(device)
    assert len(device.api.sent) == 3


def test_rule_10_now_overrides_the_second_lapse():
    assert ordered_by_hand(lapsed(lapsed(placed())))


def test_rule_10_now_overrides_the_horizon_and_a_shipped_order():
    assert ordered_by_hand(unanswered().wait(13 * HOUR))
    assert ordered_by_hand(Device().order((PLACED, None)).wait(HOUR))
    assert ordered_by_hand(placed().wait(DAY).ask(("Shipped", True)))


def test_rule_10_now_overrides_the_minimum_interval():
    device = placed().wait(HOUR).refill()
    device.gauge.permille = 100
    assert not device.agent.request_order(False).may
    assert ordered_by_hand(device)


def test_rule_10_now_never_overrides_writing_first():
    device = Device()
    assert ordered_by_hand(device)
    assert device.api.sent[0].state == "attempt"


def test_rule_10_now_never_orders_inside_the_repeat_window():
    assert not ordered_by_hand(unanswered().wait(12 * HOUR - 1))


def test_rule_10_now_never_orders_while_an_order_is_known_to_be_open():
    device = placed().wait(HOUR)
    assert not ordered_by_hand(device)
    for answer, state in ((("Processing", False), "resolution"), (("Pending", True), "confirmed")):
        device.wait(4 * HOUR).ask(answer)
        assert device.state == state
        assert not ordered_by_hand(device)
    assert len(device.api.sent) == 1


def test_rule_10_now_asks_first_about_an_older_order_and_stops_if_it_is_open():
    device = Device().order((IN_PROGRESS, "older")).wait(HOUR)
    assert not ordered_by_hand(device)
    device.api.info_answers.append(("Shipped", True))
    device.agent.orders._seen_open = False
    assert ordered_by_hand(device)


def test_rule_10_an_order_once_open_does_not_forbid_now_in_a_later_depletion():
    device = placed().wait(DAY).ask(("Processing", True))
    device.refill().wait(DAY)
    device.order(fault())
    device.wait(13 * HOUR)
    assert ordered_by_hand(device)


def test_rule_10_now_never_overrides_a_doubt_or_a_block_or_a_full_bin():
    device = Device()
    device.gauge.permille = None
    assert not device.agent.request_order(True).may
    device.gauge.permille = 900
    assert not device.agent.request_order(True).may
    device.agent.orders.blocked = BLOCKS.index("unsubscribed")
    device.gauge.permille = 100
    assert not device.agent.request_order(True).may
    assert device.api.calls == []


def test_rule_10_why_tells_the_rule_and_when_it_may_order_next():
    device = placed().wait(20 * HOUR).ask(("Cancelled", False))
    assert device.agent.verdict(device.clock()).why.startswith("rule 5")
    assert device.agent.verdict(device.clock()).at_s == T0 + 20 * HOUR + 5 * DAY
    device.measure(900)
    assert device.agent.verdict(device.clock()).at_s == 0


# -- the uplink, whatever comes back --------------------------------------------------------------


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
