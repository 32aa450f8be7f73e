"""One device's years, line by line: why an order went out, or did not."""

from tools.policy.device import Lowtide, Settings
from tools.policy.life import World, live
from tools.policy.report import when


class Story:
    """What one device saw.

    `lines` tell what changed, `wakes` is (time, truth, reading or None) of each wake, `orders`
    (time, truth) of each order, in permille, and `cases` what the judge noted.
    """

    def __init__(self, seed, number, days, changes=None):
        self.lines, self.wakes = [], []
        self._before = None
        self._truth = 0
        self.world = World(seed, number, days)
        house, people = self.world.house, self.world.people
        self.title = (
            f"device {number} of seed {seed}: {self.world.sensor.kind.name}, {house.kind}, a bin"
            f" lasts {house.life_days:.0f} days; packs of {people.pack_permille / 10:.0f} %,"
            f" loaded at or below {people.load_below / 10:.0f} %"
        )
        settings = Settings(changes)
        judged = live(self.world, Lowtide, settings, trace=self._wake)
        self.cases = sorted(judged.cases, key=lambda case: case[1])
        self.orders = judged.orders

    def _wake(self, now_s, truth, device):
        if truth > self._truth + 1:
            self._say(now_s, truth, "loaded")
        self._truth = truth
        agent = device.agent
        self.wakes.append((now_s, truth, agent.level.permille))
        days = agent.forecast.days_left()
        now = (agent.orders.state, device.in_depletion, agent.doubt)
        if now != self._before:
            state, depletion, doubt = self._before = now
            said = f"{state}{', in a depletion' * depletion}{', ' * bool(doubt)}{doubt or ''}"
            left = "no forecast" if days is None else f"{days} days left"
            reading = agent.level.permille
            read = "reads nothing" if reading is None else f"reads {reading / 10:.1f} %"
            self._say(now_s, truth, f"{read}, {left}: {said}")

    def _say(self, now_s, truth, what):
        self.lines.append(f"{when(now_s)} {truth / 10:6.1f} %  {what}")

    def told(self):
        """Return everything as lines, the judge's cases among them in their place."""
        notes = [f"{when(at_s)} ** {what}: {why}" for what, at_s, why in self.cases]
        return [self.title, *sorted(self.lines + notes)]
