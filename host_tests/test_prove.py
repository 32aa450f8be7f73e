"""The search: bounded here, whole in `make prove`; and that it finds what is wrong."""

import sys
import types

import pytest

from host_tests.prove import FIRMWARE, life, moves, search
from host_tests.prove.bad_builds import BUILDS, FOUND, bad
from host_tests.prove.ledger import Violation
from host_tests.prove.service import DAY, HOUR
from lowtide.store import Store


def world(in_progress_id="open"):
    return lambda: life.World(in_progress_id)


@pytest.mark.parametrize(("in_progress_id", "depth"), [("open", 4), ("fresh", 3), ("none", 3)])
def test_no_interleaving_of_two_orders_breaks_the_contract(in_progress_id, depth):
    space = search.exhaust(world(in_progress_id), depth, budget=1)
    assert space.deepest_orders >= 2
    assert space.states > 1500
    assert set(space.rules) >= {"first", "rule 5", "rule 6"}


@pytest.mark.parametrize("mains", [False, True], ids=["battery", "mains"])
@pytest.mark.parametrize("in_progress_id", ["open", "fresh", "none"])
def test_no_random_walk_breaks_the_contract(in_progress_id, mains):
    space = search.walk(lambda: life.World(in_progress_id, mains), 1500, seed=11)
    assert set(space.rules) >= {"first", "rule 5", "rule 6", "rule 7"}


def hunt():
    """Look for a counterexample as `make prove` does, smallest first."""
    for depth, budget in ((2, 1), (2, 2)):
        search.exhaust(world(), depth, budget)
    for seed in range(4):
        search.walk(world(), 1000, seed)


@pytest.mark.parametrize("name", BUILDS)
def test_the_search_catches_a_known_bad_build(name):
    with bad(name), pytest.raises(search.Found) as caught:
        hunt()
    assert BUILDS[name][3] in str(caught.value)


@pytest.mark.parametrize("name", FOUND)
def test_what_the_search_once_found_does_not_come_back(name):
    (_, _, _, promise), played = FOUND[name]
    with bad(name):
        assert promise in str(search.broken_by(world(), played))
    assert search.broken_by(world(), played) is None


def test_a_counterexample_is_shrunk_and_told_as_a_story():
    with bad("no hold after a cancel"):
        with pytest.raises(search.Found) as caught:
            search.walk(world(), 1000, seed=5)
        found = caught.value
        best = search.shrink(found)
        assert len(best) <= 3 < len(found.moves)
        told = search.story(found.make, best)
    assert "the bin runs low" in told
    assert "=> DUPLICATE" in told
    assert search.broken_by(found.make, best) is None, "the shipping build has no such fault"


def test_every_fault_of_the_model_is_reached():
    made = life.World()
    made.level = life.LOW
    passed = set()
    for stretch in ("an hour", "three days"):
        passed |= {point[0] for _, point in moves.live(made, stretch)}
    assert passed == set(moves.FAULTS)


def test_two_histories_of_one_state_have_one_key_and_others_have_not():
    one, two = life.World(), life.World()
    for made, days in ((one, 40), (two, 70)):
        for _ in range(days):
            made.wait(DAY)
            made.wake()
        made.ledger.idle_since = made.now
    assert moves.key(one) == moves.key(two)
    two.wait(HOUR)
    assert moves.key(one) != moves.key(two)


def test_flash_that_cannot_be_read_ends_in_sleep_with_nothing_sent(monkeypatch):
    def unreadable(store):
        raise OSError(5)

    slept = []
    hal, board = types.ModuleType("hal"), types.ModuleType("board")
    hal.time_s, hal.ticks_ms, hal.boot = lambda: life.T0, lambda: 0, lambda: 0
    hal.started_by, hal.kept = lambda: "sleep", lambda: ("", b"")
    hal.watchdog = hal.keep = lambda *_: None
    hal.rescue = lambda e, seconds: slept.append(seconds)
    for module in (hal, board):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(Store, "load", unreadable)
    monkeypatch.setattr(sys, "print_exception", lambda e: None, raising=False)
    # With no radio and no gauge in this `hal`, touching either would raise.
    scope = {"__name__": "app"}
    exec((FIRMWARE / "app.py").read_text(), scope)
    scope["run"]()
    assert slept == [600]


def test_the_books_judge_without_the_firmware():
    ledger = life.World().ledger
    service = life.World().service
    first = service.buy(life.T0, 0, "first")
    service.move(first, 3, life.T0 + DAY)
    first.known = True
    with pytest.raises(Violation, match="DUPLICATE"):
        ledger.buying(life.T0 + 30 * DAY, service.orders, False)
    first.told_cancel_at, first.last_told, ledger.ends_seen = life.T0 + DAY, "cancelled", [1, 0]
    assert ledger.buying(life.T0 + 6 * DAY, service.orders, False) == "rule 5"
    with pytest.raises(Violation, match="DUPLICATE"):
        ledger.buying(life.T0 + 6 * DAY - 1, service.orders, False)
