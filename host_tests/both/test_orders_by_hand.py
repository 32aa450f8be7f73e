"""Rule 10 of the ordering contract: what a person may order by hand, and what nobody may."""

from kit import DAY, HOUR, IN_PROGRESS, PLACED, T0, Device, fault
from orders_kit import lapsed, placed, unanswered

from lowtide.commands import request_order
from lowtide.orders import BLOCKS


def ordered_by_hand(device):
    """Type `order --now`; return whether it is taken, and what it then sends."""
    device.gauge.permille = 100
    if not request_order(device.agent, True).may:
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
    assert not request_order(device.agent, False).may
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
    assert not request_order(device.agent, True).may
    device.gauge.permille = 900
    assert not request_order(device.agent, True).may
    device.agent.orders.blocked = BLOCKS.index("unsubscribed")
    device.gauge.permille = 100
    assert not request_order(device.agent, True).may
    assert device.api.calls == []


def test_rule_10_why_tells_the_rule_and_when_it_may_order_next():
    device = placed().wait(20 * HOUR).ask(("Cancelled", False))
    assert device.agent.verdict(device.clock()).why.startswith("rule 5")
    assert device.agent.verdict(device.clock()).at_s == T0 + 20 * HOUR + 5 * DAY
    device.measure(900)
    assert device.agent.verdict(device.clock()).at_s == 0
