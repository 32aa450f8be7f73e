"""How a household uses up its bin: demand by the hour, with everything that makes it uneven."""

import math
from array import array
from bisect import bisect_left

HOUR = 3600
DAY = 86400
T0 = 22000 * DAY  # a midnight in 2030: a device's first wake
# Demand begins before the device does, so that a rate of the past is known from its first day,
# and goes on after the end, so that every run-out is known too.
WARM_DAYS, TAIL_DAYS = 28, 120
KINDS = ("steady", "office", "seasonal", "bursty", "holidays", "away")
_WEIGHTS = (3, 2, 2, 2, 2, 1)
_SWING = {"steady": 0.15, "office": 0.3}
_BY_HOUR = (0, 0, 0, 0, 0, 1, 4, 6, 5, 4, 4, 4, 6, 5, 4, 4, 4, 5, 6, 6, 4, 3, 2, 1)
_SHARE = tuple(weight / sum(_BY_HOUR) for weight in _BY_HOUR)
_LIFE_DAYS = (10, 200)  # a full bin lasts so long, evenly on a logarithmic scale


class Household:
    """What is taken out of one bin, whatever is in it: `demand` in permille, cumulative by hour.

    `kind` is its pattern, `life_days` how long a bin lasts on an ordinary day's use.
    """

    def __init__(self, rng, days):
        self.kind = rng.choices(KINDS, _WEIGHTS)[0]
        least, most = _LIFE_DAYS
        self.life_days = least * (most / least) ** rng.random()
        self._from_s = T0 - WARM_DAYS * DAY
        self._from_hour = self._from_s // HOUR
        total_days = WARM_DAYS + days + TAIL_DAYS
        self.gone = _absences(rng, self.kind, total_days)
        self.demand = self._demand(rng, total_days, self._extras(rng, total_days))

    def _demand(self, rng, days, extras):
        ordinary = 1000 / self.life_days
        season = _seasons(rng, self.kind)
        swing = _SWING.get(self.kind, 0.4)
        first_day = self._from_s // DAY
        demand, total = array("d", [0.0]), 0.0
        for day in range(days):
            use = 0.0 if day in self.gone else ordinary * season(first_day + day)
            use *= 1 - swing + 2 * swing * rng.random()
            for hour, share in enumerate(_SHARE):
                total += use * share * 2 * rng.random() + extras.get(day * 24 + hour, 0.0)
                demand.append(total)
        return demand

    def _extras(self, rng, days):
        # -> {hour: permille on top}: parties in a bursty household, slow leaks in any.
        extras = {}
        parties = round(2.5 * days / 30) if self.kind == "bursty" else 0
        for _ in range(parties):
            start, hours, permille = (
                rng.randrange(days * 24),
                rng.randint(2, 8),
                rng.uniform(30, 200),
            )
            if start // 24 not in self.gone:
                _spread(extras, start, hours, permille)
        if rng.random() < 0.05 * days / 365:
            leak_days = rng.randint(5, 40)
            start = rng.randrange(days * 24)
            _spread(extras, start, leak_days * 24, leak_days * rng.uniform(2, 40))
        return extras

    def used_permille(self, now_s):
        """Return the demand from the beginning up to `now_s`."""
        hour = now_s // HOUR - self._from_hour
        before = self.demand[hour]
        return before + (self.demand[hour + 1] - before) * (now_s % HOUR) / HOUR

    def run_out_s(self, now_s, permille):
        """Return when this much will be used up if nobody fills up; the end, if not before."""
        hour = bisect_left(self.demand, self.used_permille(now_s) + permille)
        return self._from_s + min(hour, len(self.demand) - 1) * HOUR

    def at_home(self, now_s):
        """Whether somebody is there to fill up."""
        return (now_s - self._from_s) // DAY not in self.gone


def _seasons(rng, kind):
    # -> (day) -> factor of the ordinary day.
    if kind == "office":
        return lambda day: 1.4 if day % 7 < 5 else 0.0
    if kind == "seasonal":
        depth, peak = rng.uniform(0.3, 0.8), rng.uniform(0, 365)
        return lambda day: 1 + depth * math.cos((day - peak) / 365 * 2 * math.pi)
    if kind == "holidays":
        # Two weeks at the year's end with guests in the house.
        guests = rng.uniform(1.5, 3)
        return lambda day: guests if day % 365 >= 351 else 1.0
    return lambda day: 1.2 if day % 7 >= 5 else 0.92


def _absences(rng, kind, days):
    # -> the days on which nobody is at home.
    spans = {"office": (1, 7, 14), "steady": (1, 3, 14), "away": (6, 5, 45)}
    a_year, least, most = spans.get(kind, (2, 4, 21))
    gone = set()
    for _ in range(round(a_year * days / 365)):
        start = rng.randrange(days)
        gone.update(range(start, start + rng.randint(least, most)))
    return gone


def _spread(extras, start, hours, permille):
    for hour in range(start, start + hours):
        extras[hour] = extras.get(hour, 0.0) + permille / hours
