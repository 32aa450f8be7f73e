"""Devices in the states that the ordering contract speaks of, for its tests."""

from kit import HOUR, Device, fault


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
