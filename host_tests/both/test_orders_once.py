"""Rules 1 to 4 of the ordering contract: written first, and one order a depletion."""

import asyncio

from kit import (
    DAY,
    HOUR,
    IN_PROGRESS,
    MINUTE,
    PLACED,
    SILENCE,
    T0,
    Device,
    fault,
    raises,
    run,
)
from orders_kit import placed, sent_within, unanswered

from lowtide import Refused, Rejected

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
