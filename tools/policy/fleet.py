"""Many dispensers at once, on every core here or on a cluster: what each policy did, in sum.

A device is decided by the seed and its number, and sums do not mind their order: the same fleet
gives the same figures on any number of workers.
"""

import multiprocessing
import os

from tools.policy import judge
from tools.policy.device import POLICIES, Settings
from tools.policy.life import World, live

_CASES = 50  # of each kind and policy


class Fleet:
    """`devices` dispensers for `days`, under each of `policies` (names, see `device.POLICIES`).

    `changes` are settings by name, other than the shipped defaults; `hurry`: see `life.live`.
    """

    def __init__(self, devices, days, seed=1, changes=None, policies=tuple(POLICIES), hurry=True):
        self.devices, self.days, self.seed, self.hurry = devices, days, seed, hurry
        self.changes, self.policies = changes or {}, policies

    def chunks(self):
        """Return the fleet in pieces, (first, past the last) number each."""
        size = min(max(self.devices // 256, 1), 100)
        return [(i, min(i + size, self.devices)) for i in range(0, self.devices, size)]

    def tally(self, chunk):
        """Let the devices of a chunk live. Return their `Tally`."""
        tally, settings = Tally(), Settings(self.changes)
        for number in range(*chunk):
            world = World(self.seed, number, self.days)
            for policy in self.policies:
                judged = live(world, POLICIES[policy], settings, self.hurry)
                tally.add(Tally.of(policy, number, judged))
        return tally


class Tally:
    """Sums over devices.

    `counts[policy][count]` (see `judge`), `at_orders[policy]` how often the truth was in each band
    of 5 points at an order, `cases` the first of each kind: (policy, what, device, time, why).
    """

    def __init__(self):
        self.counts, self.at_orders, self.cases = {}, {}, []

    @classmethod
    def of(cls, policy, number, judged):
        """Return the tally of what a `judge.Judge` counted of one device."""
        one = cls()
        one.counts[policy], one.at_orders[policy] = judged.counts, judged.at_orders
        one.cases = [(policy, what, number, at_s, why) for what, at_s, why in judged.cases]
        return one

    def add(self, other):
        """Take in another tally."""
        for policy, counts in other.counts.items():
            mine = self.counts.setdefault(policy, dict.fromkeys(judge.COUNTS, 0))
            for name, count in counts.items():
                mine[name] += count
            bands = self.at_orders.setdefault(policy, [0] * judge.BINS)
            self.at_orders[policy] = [
                a + b for a, b in zip(bands, other.at_orders[policy], strict=True)
            ]
        kept = {}
        for case in sorted(self.cases + other.cases, key=lambda case: case[2:]):
            kept.setdefault(case[:2], []).append(case)
        self.cases = [case for cases in kept.values() for case in cases[:_CASES]]


def run(fleet, workers=None, scheduler=None, progress=lambda devices: None):
    """Let the whole fleet live. Return its `Tally`.

    `workers`: processes here (as many as cores, if None); `scheduler`: the address of a Dask
    scheduler, whose workers do it instead. `progress(devices)` is called with each that are done.
    """
    total = Tally()
    for chunk, tally in _tallies(fleet, workers or os.cpu_count(), scheduler):
        total.add(tally)
        progress(chunk[1] - chunk[0])
    return total


def _tallies(fleet, workers, scheduler):
    chunks = fleet.chunks()
    if scheduler:
        from tools.policy.cluster import tallies

        yield from tallies(scheduler, fleet, chunks)
        return
    jobs = [(fleet, chunk) for chunk in chunks]
    with multiprocessing.Pool(workers) as pool:
        yield from pool.imap_unordered(_tally, jobs)


def _tally(job):
    fleet, chunk = job
    return chunk, fleet.tally(chunk)
