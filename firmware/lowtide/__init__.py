"""Lowtide: measures a consumable, orders it once, remembers the order.

What all of it speaks in: its version, and what can go wrong with the gauge and the service.
"""

VERSION = "0.1.0"


class GaugeFault(Exception):
    """The gauge cannot be trusted now; its text is the fault's name. A fault never orders."""


class Fault(Exception):
    """A call that failed: try again later. It may have been carried out all the same, unless it
    is one of those below.

    `wait_s`: not before so many seconds. `block`: which of `orders.BLOCKS` it means, if any.
    """

    wait_s = 0
    block: str | None = None


class Insecure(Fault):
    """The peer did not prove who it is: nothing was sent to it, nor is it asked again soon."""

    wait_s = 7200


class Refused(Fault):
    """Refused for certain (4xx): nothing was done."""


class Rejected(Fault):
    """The call was not looked at: token not accepted, or the connection closed before it."""
