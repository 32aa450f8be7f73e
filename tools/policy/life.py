"""One dispenser's years: the same household and gauge, under each policy."""

import random

from tools.policy.judge import Judge
from tools.policy.sensors import Sensor
from tools.policy.supply import People, Service
from tools.policy.usage import DAY, HOUR, T0, Household

_HURRY_S = 7200


class World:
    """Everything around the device with this number, for so many days; the seed decides it all."""

    def __init__(self, seed, number, days):
        self.name = f"{seed}-{number}"
        self.days = days
        self.house = Household(self._rng("house"), days)
        self.sensor = Sensor(self._rng("gauge"), days)
        self.people = People(self._rng("people"))
        rng = self._rng("power")
        self.power_cuts = sorted(T0 + rng.randrange(days * DAY) for _ in range(days // 180))
        self.first_permille = self._rng("start").uniform(500, 1000)

    def _rng(self, what):
        return random.Random(f"{self.name} {what}")


def live(world, policy, settings, hurry=True, trace=None):
    """Let `policy` (a class of `device`) live in `world`. Return its `Judge`.

    `hurry`: where no single reading can matter and nothing comes over the gauge, only one wake in
    two hours is lived. `trace(now_s, permille, device)` is called after each wake.
    """
    life = _Life(world, policy, settings, hurry)
    life.run(trace)
    return life.judge


class _Life:
    def __init__(self, world, policy, settings, hurry):
        self._house, self._sensor, self._people = world.house, world.sensor, world.people
        self._people.rewind()
        self._sensor.rewind()
        self._service = Service(world.name)
        self._interval_s = settings["measure.interval_s"]
        self._long_s = max(1, _HURRY_S // self._interval_s) * self._interval_s
        self._hurry = hurry
        self._end_s = T0 + world.days * DAY
        self.judge = Judge(self._house, self._service, self._people, settings)
        self.device = policy(self._sensor, settings, self._replenish, self._find)
        # The bin holds `_left` less what is used from `_used` on: until it is dry.
        self._left, self._used = world.first_permille, self._house.used_permille(T0)
        self._permille = self._left
        self._cuts = list(world.power_cuts)
        self._look_s, self._day = T0, 0
        self.judge.begin(T0, self._permille)

    def run(self, trace):
        """Live, wake by wake."""
        house, sensor, judge, policy = self._house, self._sensor, self.judge, self.device
        now_s = T0
        while now_s < self._end_s:
            left = self._left - (house.used_permille(now_s) - self._used)
            self._permille = permille = left if left > 0 else 0.0
            if now_s >= self._look_s or not permille:
                self._look_s = now_s + HOUR
                self._people_act(now_s)
                permille = self._permille
            judge.level(now_s, permille)
            sensor.at(now_s, permille)
            policy.wake(now_s)
            judge.read(now_s, permille, policy.in_depletion)
            if trace:
                trace(now_s, permille, policy)
            now_s += self._pace_s(now_s, permille)
        judge.end()

    def _pace_s(self, now_s, permille):
        rests = self._hurry and self.device.at_rest(permille)
        return (
            self._long_s if rests and self._sensor.calm(now_s + self._long_s) else self._interval_s
        )

    def _people_act(self, now_s):
        people = self._people
        order = self._service.orders[-1] if self._service.orders else None
        if order and not order.arrived and order.brings_parcel() and order.closed_s() <= now_s:
            order.arrived = True
            people.parcel(now_s)
        if not self._house.at_home(now_s):
            return
        if people.shelf and now_s >= people.look_s:
            self._load(now_s, people.load(now_s, self._permille))
        if self._day != now_s // DAY:
            self._day = now_s // DAY
            if people.own_pack():
                self._load(now_s, min(people.pack_permille, 1000 - self._permille))
        if self._cuts and self._cuts[0] <= now_s:
            del self._cuts[0]
            self.device.power_on()

    def _load(self, now_s, amount):
        if amount <= 0:
            return
        self._permille += amount
        self._left, self._used = self._permille, self._house.used_permille(now_s)
        ago_s, takes_s = self._people.fills_s(self._interval_s)
        self._sensor.lift(now_s - ago_s, takes_s)
        self.judge.loaded(now_s, self._permille)

    def _replenish(self, now_s):
        order, is_new = self._service.replenish(now_s)
        self.judge.sent()
        if is_new:
            self.judge.ordered(now_s, self._permille)
        return order, is_new

    def _find(self, event_id):
        orders = self._service.orders
        return orders[int(event_id)] if int(event_id) < len(orders) else None
