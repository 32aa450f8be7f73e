"""What can happen: a move is an event of the world, then a stretch of time with what fails in it.

A move is `(event, stretch, plan)`, plan None or `(wake, point, fault)`. Moves are plain data: a
search enumerates them, a shrinker leaves some out, a story is made of them.
"""

import struct

from host_tests.prove import life
from host_tests.prove.ledger import HORIZON
from host_tests.prove.service import DAY, DELIVERED, HOUR, PLACED, RESOLUTION, SHIPPED, name_of
from lowtide import agent

_THREE_DAYS = (4 * HOUR,) * 18
_ELEVEN_DAYS = _THREE_DAYS + (DAY,) * 8
# name: (seconds of sleep before each wake, network, power)
STRETCHES = {
    "an hour": ((HOUR // 2,) * 2, True, True),
    "half a day": ((4 * HOUR,) * 3, True, True),
    "three days": (_THREE_DAYS, True, True),
    "eleven days": (_ELEVEN_DAYS, True, True),
    "eleven days without network": (_ELEVEN_DAYS, False, True),
    "three days unplugged": ((3 * DAY,), True, False),
}
_HARD = {"eleven days without network", "three days unplugged"}
EVENTS = (
    "the bin runs low", "the bin is refilled", "the next order will need the customer",
    "the customer resolves it", "the customer cancels", "it ships", "it is delivered",
    "the slot is unsubscribed", "the slot is subscribed", "access is revoked",
    "a new token is set", "RTC memory is lost", "the clock jumps by -10 years",
    "the clock jumps by +10 years",
)  # fmt: skip
RARE = ("the record is damaged", "the service forgets ids", "the service knows ids",
        "the bin goes up a little")  # fmt: skip
# What may go wrong at each point that a wake passes.
FAULTS = {
    "persist": ("cut before", "cut after", "flash fails"),
    "subscription": ("lost", "silent"),
    "order_info": ("lost", "400", "no news"),
    "replenish": (
        *("request lost", "answer lost", "cut before", "cut after", "silent", "unreadable"),
        *("rejected", "refused", "no id"),
    ),
}
# The contract's one assumption on the service (rule 4): no parcel inside the repeat window.
_PARCEL = 12 * HOUR
# What life brings anyhow; everything else counts against the bound of the search.
_ORDINARY = {None, EVENTS[0], EVENTS[1], EVENTS[3], EVENTS[5], EVENTS[6], EVENTS[8], EVENTS[10]}


def adversities(move):
    """Return how many things go wrong in a move."""
    event, stretch, plan = move
    return (event not in _ORDINARY) + (plan is not None) + (stretch in _HARD)


def _can(world, event):
    service = world.service
    order = service.locked
    phase = order.phase if order is not None else None
    return {
        "the bin runs low": world.level != life.LOW,
        "the bin is refilled": world.level != life.FULL,
        "the bin goes up a little": world.level == life.LOW,
        "the next order will need the customer": order is None and not service.problem,
        "the customer resolves it": phase == RESOLUTION,
        "the customer cancels": service.cancellable(world.now),
        "it ships": phase == PLACED,
        "it is delivered": phase in (PLACED, SHIPPED) and world.now >= order.first_send + _PARCEL,
        "the slot is unsubscribed": service.subscribed,
        "the slot is subscribed": not service.subscribed,
        "access is revoked": not service.revoked,
        "a new token is set": service.revoked,
        "RTC memory is lost": world.rtc != b"" or world.agent is not None,
        "the clock jumps by -10 years": world.offset == 0,
        "the clock jumps by +10 years": world.offset == 0,
        "the record is damaged": world.status == 0,
        "the service forgets ids": not service.forgets,
        "the service knows ids": service.forgets,
    }[event]


def events(world, rare=False):
    """Return the events that can happen now, None (nothing) first."""
    return [None] + [e for e in EVENTS + (RARE if rare else ()) if _can(world, e)]


def _customer(world, event):
    service, order = world.service, world.service.locked
    if event == "the customer cancels":
        service.move(order, 5, world.now)
    elif event == "the customer resolves it":
        service.move(order, PLACED, world.now)
    elif event == "it ships":
        service.move(order, SHIPPED, world.now)
    elif event == "it is delivered":
        service.move(order, DELIVERED, world.now)
    else:
        return False
    return True


def _service(world, event):
    service = world.service
    if event == "the next order will need the customer":
        service.problem = True
    elif event in ("the slot is unsubscribed", "the slot is subscribed"):
        service.subscribed = not service.subscribed
    elif event in ("the service forgets ids", "the service knows ids"):
        service.forgets = not service.forgets
    elif event == "access is revoked":
        service.revoked = True
    elif event == "a new token is set":
        service.revoked = False
        rec = world.rec if world.status == 0 else None
        if rec is not None and rec.block == "revoked":
            rec.blocked = 0
            world.payload = rec.pack()
            if world.agent is not None:
                world.agent.orders.blocked = 0
    else:
        return False
    return True


def happen(world, event):
    """Let an event happen; an event that cannot happen now does not (a shrunk story)."""
    if event is None or not _can(world, event):
        return
    if _customer(world, event) or _service(world, event):
        return
    if event == "the bin runs low":
        world.level = life.LOW
    elif event == "the bin is refilled":
        world.fill()
    elif event == "the bin goes up a little":
        world.level = 220
    elif event == "RTC memory is lost":
        world.lose_rtc()
    elif event == "the record is damaged":
        world.lose_rtc()
        world.status = 2
        world.ledger.lost(world.now, world.service.orders)
    else:
        world.offset = life.YEARS if "+" in event else -life.YEARS


def live(world, stretch, plan=None):
    """Live through a stretch. Return every point passed, as `(wake, point)`."""
    sleeps, world.network, powered = STRETCHES[stretch]
    passed = []
    for number, sleep_s in enumerate(sleeps):
        world.wait(sleep_s)
        if powered:
            fault = (plan[1], plan[2]) if plan is not None and plan[0] == number else None
            passed += [(number, point) for point in world.wake(fault)]
        else:
            world.lose_rtc()
            world.ledger.idle_since = world.now
    world.network = True
    prune(world)
    return passed


def play(world, move):
    """Play one move on `world`. Return the points passed."""
    event, stretch, plan = move
    happen(world, event)
    return live(world, stretch, plan)


def prune(world):
    """Forget orders that nobody can ask for any more."""
    kept = world.ledger.kept_id
    world.service.orders = tuple(
        order
        for order in world.service.orders
        if order.open or order.depletion == world.ledger.depletion or name_of(order.number) == kept
    )


# -- the joint state, for a search that remembers -------------------------------------------------


def _age(now, then, cap):
    return -1 if not then else min(now - then, cap)


def _order_key(order, world):
    now = world.now
    days = tuple(now // DAY - day for day in order.refused_days)
    return (
        *(order.phase, order.known, order.answered, order.last_told, order.late, days),
        *(order.depletion == world.ledger.depletion, _age(now, order.moved_at, 73 * HOUR)),
        *(_age(now, order.ordered_at, 79 * HOUR), _age(now, order.first_send, HORIZON)),
        _age(now, order.told_cancel_at, 5 * DAY),
    )


def _rtc_key(data, local_s):
    if not data:
        return ()
    low, refill, lowest, failures, *_, retry, asked, reported, verified = struct.unpack(
        agent._RTC, data[: agent._RTC_SIZE]
    )
    # Odd and even failures ask the time elsewhere; no day here comes near the cap of its uplinks.
    failures = min(failures, 6 + failures % 2)
    past = [
        local_s - t if 0 <= local_s - t < DAY else DAY if t <= local_s else -1
        for t in (asked, reported)
    ]
    row = (min(low, 2), refill, lowest, failures, verified > local_s)
    return (*row, max(0, retry - local_s), *past)


def key(world):
    """Return what decides the future: record, RTC memory, service and books, times as ages.

    Ages beyond the last threshold that anybody compares them with are one age; that is what
    makes two histories the same state.
    """
    now, service, ledger = world.now, world.service, world.ledger
    rec = world.rec
    dayful = rec.bad_days or any(order.refused_days for order in service.orders)
    names = [name_of(order.number) for order in service.orders]
    named = names.index(rec.event_id) if rec.event_id in names else -2 + bool(rec.event_id)
    return (
        *(world.status, world.level, (world.offset > 0) - (world.offset < 0)),
        *(rec.state, rec.blocked, rec.late, rec.lapsed, rec.cancels, rec.lapses, rec.bad_days),
        *(rec.bad_days and now // DAY - rec.bad_day, rec.lowest_permille, named),
        *(_age(now, rec.attempt_at, DAY), _age(now, rec.ordered_at, 79 * HOUR)),
        *(_age(now, rec.horizon_at, HORIZON), _age(now, rec.cancelled_at, 5 * DAY)),
        _rtc_key(world.rtc, now + world.offset),
        *(service.subscribed, service.revoked, service.problem, service.forgets),
        tuple([_order_key(order, world) for order in service.orders]),
        *(_age(now, ledger.attempt_at, HORIZON), ledger.settled),
        *(
            _age(now, ledger.unknown_since, HORIZON),
            min(ledger.row, 2),
            min(ledger.low_row, 2),
            ledger.shipped_told,
        ),
        *(tuple(ledger.ends_seen), now - ledger.idle_since, ledger.record_lost),
        dayful and now % DAY,
    )
