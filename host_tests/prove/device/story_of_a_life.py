"""The whole life of a device as steps: each an event of the world, then wakes of the device.

A step must end in the same books however often the power went in it: that is what is proved.
"""

from bin_and_service import DAY, HOUR, MINUTE, SETTINGS, boot


def _provision(device):
    # A person at the console goes on where the settings are missing.
    for name, value in SETTINGS:
        if device.config[name] != value:
            device.config.update({name: value})
            device.agent.config_changed(name)


def _change(name, value):
    def by_hand(device):
        if device.config[name] != value:
            device.config.update({name: value})
            device.agent.config_changed(name)

    return by_hand


class Step:
    """`world`: attributes that change, `after_s` later; `by_hand(device)`; then `wakes` wakes,
    after which `made` orders were made in all and the record is in one of `states`."""

    def __init__(self, name, made, states, wakes=4, after_s=HOUR, by_hand=None, **world):
        self.name, self.made, self.wakes, self.after_s = name, made, wakes, after_s
        self.states = states.split()
        self.by_hand, self.world = by_hand, world

    def begin(self, world):
        """The world moves on: once, however often the device starts."""
        world.wait(self.after_s)
        for name, value in self.world.items():
            setattr(world, name, value)

    def live(self, world, flash):
        """The device lives through the step; from the top again after a cut."""
        device = boot(world, flash)
        if self.by_hand is not None:
            self.by_hand(device)
        for _ in range(self.wakes):
            world.wait(20 * MINUTE)
            boot(world, flash).wake()


LIFE = (
    Step("first start", 0, "none", wakes=0),
    Step("provisioning", 0, "none", wakes=1, by_hand=_provision),
    Step("low, the answer is lost", 1, "attempt", level=100, lose_answer=True),
    Step("not low for a while", 1, "attempt", level=220, wakes=3),
    Step("low again: repeated, its own order", 1, "placed confirmed", level=100,
         lose_answer=False),
    Step("asked", 1, "confirmed", after_s=4 * HOUR),
    Step("a setting is changed", 1, "confirmed", by_hand=_change("slot.capacity", 250)),
    Step("the customer cancels", 1, "cancelled", after_s=DAY, phase="cancelled"),
    Step("held", 1, "cancelled", after_s=3 * DAY),
    Step("reordered after five days", 2, "placed confirmed", after_s=2 * DAY + HOUR),
    Step("the token rotates", 2, "confirmed", after_s=DAY + HOUR, token="Atzr|" + "n" * 1800),
    Step("shipped", 2, "shipped", after_s=DAY, phase="shipped"),
    Step("delivered, not loaded yet", 2, "shipped", after_s=12 * DAY, phase="delivered"),
    Step("loaded", 2, "none", wakes=8, level=900),
    Step("unsubscribed", 2, "none", after_s=30 * DAY, subscribed=False),
    Step("low while unsubscribed", 2, "none", level=80),
    Step("subscribed: an order with a problem", 3, "placed resolution", after_s=DAY + HOUR,
         subscribed=True, problem=True),
    Step("the customer has to act", 3, "resolution", after_s=6 * HOUR),
    Step("still not", 3, "resolution", after_s=60 * HOUR),
    Step("lapsed: ordered again", 4, "placed confirmed", after_s=3 * HOUR, phase="cancelled"),
    Step("shipped too", 4, "shipped", after_s=2 * DAY, phase="shipped"),
    Step("loaded early", 4, "none", wakes=8, level=700),
    Step("the old one arrives", 4, "none", after_s=DAY, phase="delivered"),
)  # fmt: skip
