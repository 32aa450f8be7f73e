"""Every interleaving up to a bound, then a long random walk; counterexamples as shrunk stories."""

import random
import time

from host_tests.prove import life, moves
from host_tests.prove.ledger import Violation
from host_tests.prove.service import PHASES


class Found(Exception):
    """A counterexample: `violation`, and the `moves` that lead to it from `make()`."""

    def __init__(self, violation, played, make):
        super().__init__(str(violation))
        self.violation, self.moves, self.make = violation, played, make


class Space:
    """What a search covered."""

    def __init__(self):
        self.states = self.moves = self.wakes = self.orders = 0
        self.depth = 0
        self.rules = {}
        self.deepest_orders = 0

    def add(self, other):
        """Take in what another search covered."""
        for name in ("states", "moves", "wakes", "orders"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.depth = max(self.depth, other.depth)
        self.deepest_orders = max(self.deepest_orders, other.deepest_orders)
        for rule, count in other.rules.items():
            self.rules[rule] = self.rules.get(rule, 0) + count
        return self

    def note(self, world, before):
        """Count what a move did."""
        self.moves += 1
        self.wakes += world.wakes - before.wakes
        self.orders += world.ledger.bought - before.ledger.bought
        self.deepest_orders = max(self.deepest_orders, world.ledger.bought)
        for rule, count in world.ledger.by_rule.items():
            more = count - before.ledger.by_rule.get(rule, 0)
            if more:
                self.rules[rule] = self.rules.get(rule, 0) + more


def _after(world, move, path, make):
    """Return the world after a move, and the points passed in it."""
    after = world.copy()
    try:
        passed = moves.play(after, move)
    except Violation as violation:
        raise Found(violation, [*path, move], make) from violation
    return after, passed


def _successors(world, budget, path, make):
    """Yield `(move, world after it)`: every event, every stretch, every fault at every point."""
    for event in moves.events(world):
        for stretch in moves.STRETCHES:
            move = (event, stretch, None)
            spent = moves.adversities(move)
            if spent > budget:
                continue
            after, passed = _after(world, move, path, make)
            yield move, after
            if stretch == "an hour" and spent < budget:
                for number, point in passed:
                    for fault in moves.FAULTS[point[0]]:
                        move = (event, stretch, (number, point, fault))
                        yield move, _after(world, move, path, make)[0]


def exhaust(make, depth, budget, seconds=None):
    """Search everything up to `depth` moves with at most `budget` adversities in them.

    Raises:
        Found: the contract is broken.
    """
    space = Space()
    end = None if seconds is None else time.monotonic() + seconds
    seen = {moves.key(make()): 0}
    frontier = [(make(), (), 0)]
    for level in range(depth):
        reached = []
        for world, path, spent in frontier:
            for move, after in _successors(world, budget - spent, path, make):
                space.note(after, world)
                total = spent + moves.adversities(move)
                state = moves.key(after)
                if seen.get(state, budget + 1) <= total:
                    continue
                seen[state] = total
                if level + 1 < depth:
                    reached.append((after, (*path, move), total))
            if end is not None and time.monotonic() > end:
                raise TimeoutError(f"depth {level + 1} was not finished in {seconds} s")
        frontier = reached
        space.depth = level + 1
    space.states = len(seen)
    return space


# -- the random walk ------------------------------------------------------------------------------

_WEIGHTS = {None: 6, "the bin runs low": 24, "the bin is refilled": 6, "the slot is subscribed": 6,
            "a new token is set": 6, "it ships": 3, "it is delivered": 4,
            "the service knows ids": 3}  # fmt: skip


def _random_move(world, dice):
    possible = moves.events(world, rare=True)
    (event,) = dice.choices(possible, [_WEIGHTS.get(e, 1) for e in possible])
    stretch = dice.choices(list(moves.STRETCHES), (10, 6, 4, 3, 1, 1))[0]
    if dice.random() > 0.4:
        return event, stretch, None
    what = dice.choice(("persist", "replenish", "replenish", "order_info", "subscription"))
    point = (what, dice.randrange(3) if what == "persist" else 0)
    wake = dice.randrange(len(moves.STRETCHES[stretch][0]))
    return event, stretch, (wake if dice.random() < 0.3 else wake % 2, point,
                            dice.choice(moves.FAULTS[what]))  # fmt: skip


def walk(make, depletions, seed, episode=40):
    """Walk at random until so many depletions are over, a fresh device every `episode` of them.

    Raises:
        Found: the contract is broken.
    """
    space, dice, over = Space(), random.Random(seed), 0
    while over < depletions:
        world, path, start = make(), [], make()
        while world.ledger.depletion < episode and over + world.ledger.depletion < depletions:
            move = _random_move(world, dice)
            path.append(move)
            try:
                moves.play(world, move)
            except Violation as violation:
                raise Found(violation, path, make) from violation
            space.moves += 1
        over += world.ledger.depletion
        space.note(world, start)
    return space


# -- counterexamples ------------------------------------------------------------------------------


def broken_by(make, played):
    """Return the `Violation` that these moves lead to, or None."""
    world = make()
    for move in played:
        try:
            moves.play(world, move)
        except Violation as violation:
            return violation
    return None


def _same(violation, kind):
    return violation is not None and str(violation).split(":")[0] == kind


def shrink(found):
    """Return a shorter list of moves that breaks the same promise: left out, simplified."""
    kind = str(found.violation).split(":")[0]
    best = list(found.moves)
    size = max(1, len(best) // 2)
    while size:
        start = 0
        while start < len(best):
            shorter = best[:start] + best[start + size :]
            if _same(broken_by(found.make, shorter), kind):
                best = shorter
            else:
                start += size
        size //= 2
    for index, (event, stretch, plan) in enumerate(best):
        for simpler in ((None, stretch, None), (None, stretch, plan), (event, stretch, None)):
            trial = [*best[:index], simpler, *best[index + 1 :]]
            if simpler != best[index] and _same(broken_by(found.make, trial), kind):
                best = trial
                break
    return best


def story(make, played):
    """Return the moves as a story: what happened, and where it left the device and the order."""
    world, lines = make(), []
    for number, (event, stretch, plan) in enumerate(played, 1):
        start = world.now
        what = f"{number}. {event or 'nothing in particular'}; then {stretch}"
        if plan is not None:
            what += f", and at wake {plan[0] + 1}, {plan[1][0]} {plan[1][1] + 1}: {plan[2]}"
        try:
            moves.play(world, (event, stretch, plan))
            end = ""
        except Violation as violation:
            end = f"\n   => {violation}"
        order = world.service.orders[-1] if world.service.orders else None
        books = f"order {order.number} {PHASES[order.phase]}" if order else "no order"
        state = world.rec.state if world.status == 0 else "damaged"
        hour = (start - life.T0) / 3600
        lines.append(f"{what}\n   (hour {hour:.1f}) flash: {state}; service: {books}{end}")
        if end:
            break
    return "\n".join(lines)
