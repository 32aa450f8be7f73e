"""Rules 5 to 7 of the ordering contract: when a second order may follow the first."""

from kit import DAY, HOUR, IN_PROGRESS, MINUTE, PLACED, T0, Device, fault
from orders_kit import lapsed, placed, sent_within, unanswered

from lowtide import Refused, Rejected

CANCELLED = (("Cancelled", False), ("Canceled", False))


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
