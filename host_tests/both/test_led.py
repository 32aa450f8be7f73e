"""What the LED says, as a function of state and ticks."""

from lowtide import led
from lowtide.orders import BLOCKS, Orders


class Agent:
    """As much of an agent as the LED looks at."""

    class Level:
        low = False

    def __init__(self, state="none", block=None, doubt=None, low=False, failures=0):
        self.orders = Orders(None)
        self.orders.state, self.orders.blocked = state, BLOCKS.index(block)
        self.level = Agent.Level()
        self.level.low = low
        self.failures, self._doubt = failures, doubt

    def doubts(self):
        return self._doubt


def test_fine_and_low():
    assert led.pattern(Agent()) == led.FINE
    assert led.pattern(Agent(low=True)) == led.LOW
    assert led.pattern(Agent(state="cancelled")) == led.FINE
    assert led.pattern(Agent(state="cancelled", low=True)) == led.LOW


def test_ordered_from_the_first_send_to_the_refill():
    for state in ("attempt", "placed", "in_progress", "confirmed", "shipped"):
        assert led.pattern(Agent(state=state, low=True)) == led.ORDERED


def test_the_mail_from_amazon_comes_before_everything_else():
    agent = Agent(state="resolution", block="revoked", doubt="gauge fault: stuck", failures=9)
    assert led.pattern(agent) == led.RESOLVE


def test_what_needs_a_person_is_a_fault_even_with_an_order_open():
    assert led.pattern(Agent(doubt="not configured: wifi.ssid")) == led.FAULT
    assert led.pattern(Agent(state="placed", doubt="gauge fault: stuck")) == led.FAULT
    assert led.pattern(Agent(block="revoked")) == led.FAULT
    assert led.pattern(Agent(block="no_such_slot")) == led.FAULT
    assert led.pattern(Agent(failures=3)) == led.FAULT


def test_one_failed_uplink_or_a_slot_turned_off_is_no_fault():
    assert led.pattern(Agent(failures=2)) == led.FINE
    assert led.pattern(Agent(block="unsubscribed")) == led.FINE
    assert led.pattern(Agent(block="unsubscribed", low=True)) == led.LOW


def shown(pattern):
    """Return 3.2 s of a pattern, a sign each 0.2 s."""
    return "".join("#" if led.lit(pattern, t * 200 + 7) else "." for t in range(16))


def test_each_pattern_looks_as_the_readme_draws_it():
    assert shown(led.FINE) == "#..............."
    assert shown(led.LOW) == "#.#............."
    assert shown(led.ORDERED) == "#######........."
    assert shown(led.RESOLVE) == "####....####...."
    assert shown(led.FAULT) == "#.#.#.#.#.#.#.#."


def test_a_pattern_begins_again_after_3_2_s():
    assert led.lit(led.FINE, 3200) and not led.lit(led.FINE, 3199)
