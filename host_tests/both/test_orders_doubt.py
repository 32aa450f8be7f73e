"""Rules 8 and 9 of the ordering contract: bought by verified time only, never from doubt."""

from kit import DAY, HOUR, MINUTE, SLOT, T0, Device, FakeClock, refused
from orders_kit import placed, sent_within, unanswered

from lowtide.orders import Orders

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
