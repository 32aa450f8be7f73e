"""One LED, and what it says to the customer."""

import asyncio

from micropython import const

# A pattern is 16 steps of 0.2 s, the lowest bit first.
_STEP_MS = const(200)
FINE = const(0b1)
LOW = const(0b101)
ORDERED = const(0b1111111)
RESOLVE = const(0b0000111100001111)
FAULT = const(0b0101010101010101)
# So many uplinks that failed in a row are a customer's business, a single one is not.
_FAILURES = const(3)


def pattern(agent):
    """Return what the agent's state looks like on the LED; what needs a person comes first."""
    orders = agent.orders
    if orders.state == "resolution":
        return RESOLVE
    if agent.doubts() or orders.block not in [None, "unsubscribed"] or agent.failures >= _FAILURES:
        return FAULT
    if orders.state not in ["none", "cancelled"]:
        return ORDERED
    return LOW if agent.level.low else FINE


def lit(pattern, ticks_ms):
    """Whether the LED is on at this time of the pattern."""
    return pattern >> (ticks_ms // _STEP_MS & 15) & 1


async def show(agent, led, ticks_ms):
    """Show the agent's state for ever; `led`: `(on)`, see `hal.led`."""
    while True:
        led(lit(pattern(agent), ticks_ms()))
        await asyncio.sleep(0.1)
