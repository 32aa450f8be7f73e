"""From an order to a full bin: the service, the parcel, and the people who load it."""

import random

from tools.policy.usage import DAY, HOUR

_SHARE_PROBLEM, _SHARE_LAPSE, _SHARE_CANCEL, _SHARE_SLOW = 0.03, 0.25, 0.015, 0.03
_LAPSE_S = 72 * HOUR


class Fate:
    """What becomes of a household's n-th order: the same n, the same fate, whoever orders.

    All in seconds from the order, None where it does not come to that: `dated_s` GetOrderInfo
    shows a delivery date, `shipped_s`, `delivered_s`, `ended_s` cancelled, by the customer or
    because a problem `lapsed`.
    """

    def __init__(self, seed, number):
        rng = random.Random(f"{seed} order {number}")
        self.dated_s, self.ended_s, self.lapsed = 0, None, False
        self.shipped_s = self.delivered_s = None
        if rng.random() < _SHARE_PROBLEM:
            if rng.random() < _SHARE_LAPSE:
                self.dated_s, self.ended_s, self.lapsed = None, _LAPSE_S, True
                return
            self.dated_s = rng.randint(2 * HOUR, 60 * HOUR)
        elif rng.random() < _SHARE_CANCEL:
            self.ended_s = rng.randint(HOUR // 4, 24 * HOUR)
            return
        slow_s = rng.randint(3 * DAY, 8 * DAY) if rng.random() < _SHARE_SLOW else 0
        self.shipped_s = self.dated_s + rng.randint(12 * HOUR, 48 * HOUR) + slow_s
        self.delivered_s = self.shipped_s + rng.randint(18 * HOUR, 96 * HOUR)


class Order:
    """One order in the service's books."""

    def __init__(self, number, at_s, fate):
        self.number, self.at_s, self.fate = number, at_s, fate
        self.arrived = False

    def brings_parcel(self):
        """Whether anything comes of it."""
        return self.fate.delivered_s is not None

    def closed_s(self):
        """Return when the slot is free again."""
        after_s = self.fate.ended_s if self.fate.delivered_s is None else self.fate.delivered_s
        return self.at_s + after_s

    def info(self, now_s):
        """Return what GetOrderInfo says: (status, has a delivery date)."""
        fate, age_s = self.fate, now_s - self.at_s
        if fate.ended_s is not None:
            return (
                ("Cancelled", False) if age_s >= fate.ended_s else ("Processing", not fate.lapsed)
            )
        if age_s >= fate.shipped_s:
            return "Shipped", True
        return "Processing", age_s >= fate.dated_s


class Service:
    """One slot's orders. The slot is locked from an order until its parcel, or its end."""

    def __init__(self, seed):
        self._seed = seed
        self.orders = []

    def replenish(self, now_s):
        """Return (the open order, whether it is a new one)."""
        if self.orders and self.orders[-1].closed_s() > now_s:
            return self.orders[-1], False
        number = len(self.orders)
        self.orders.append(Order(number, now_s, Fate(self._seed, number)))
        return self.orders[-1], True

    def came_to_nothing(self, since_s):
        """Whether an order ended without a parcel since then: rules 5 and 6 hold it back."""
        return any(o.closed_s() >= since_s and not o.brings_parcel() for o in self.orders)

    def parcel_s(self, at_s):
        """Return when the parcel would have come of an order at `at_s`, 0 if none would."""
        before = [order for order in self.orders if order.at_s <= at_s]
        if before and before[-1].closed_s() > at_s:
            return before[-1].closed_s() if before[-1].brings_parcel() else 0
        delivered_s = Fate(self._seed, len(before)).delivered_s
        return at_s + delivered_s if delivered_s else 0


class People:
    """Those who load what came. `shelf` is what lies beside the bin, in permille of a bin.

    They look at times of their own, and open a pack only when the bin holds no more than
    `load_below`; some load half of it, and the rest once it fits.
    """

    def __init__(self, rng):
        self._seed = rng.random()
        # A pack is made for the bin, or for less. Most people load it once all of it fits, some
        # once half of it does, some when the bin looks low.
        self.pack_permille = pack = rng.choice((1000, 1000, 800, 600))
        all_fits = max(100, 1000 - pack)
        self.load_below = rng.choice((all_fits, all_fits, 1000 - pack // 2, 300))
        self._most_days = rng.choice((1, 2, 4))
        self._half = rng.choice((0, 0.1, 0.4))
        self.own_packs_a_year = rng.choice((0, 0, 1))
        self.rewind()

    def rewind(self):
        """Go back to the first day."""
        self._rng = random.Random(self._seed)
        self.shelf = self._opened = 0
        self.untouched = False
        self.look_s = 0

    def parcel(self, now_s):
        """A pack came: somebody sees to it within some days."""
        self.shelf += self.pack_permille
        self.untouched = True
        self.look_s = now_s + self._wait_s()

    def own_pack(self):
        """Return whether somebody fills up today from a pack bought elsewhere."""
        return self._rng.random() < self.own_packs_a_year / 365

    def load(self, now_s, permille):
        """Somebody looks. Return what is loaded, in permille; 0 for nothing."""
        self.look_s = now_s + self._wait_s()
        # An opened pack goes in once it fits.
        if permille > max(self.load_below, 1000 - self._opened if self._opened else 0):
            return 0
        amount = min(self._opened or self.pack_permille, self.shelf, 1000 - permille)
        if not self._opened and self._rng.random() < self._half:
            self._opened = amount / 2
            amount -= self._opened
        else:
            self._opened = 0
        self.shelf = max(0, self.shelf - amount)
        self.untouched = False
        return amount

    def fills_s(self, interval_s):
        """Return (how long ago in this interval somebody began to fill up, how long it takes)."""
        return round(self._rng.uniform(0, interval_s)), self._rng.randint(30, 300)

    def _wait_s(self):
        return round(self._rng.uniform(0.1, self._most_days) * DAY)
