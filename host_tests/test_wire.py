"""The line cut and slowed: a sample here, every byte in `make prove`; and bad builds are seen."""

import pytest

from host_tests.prove import wire
from host_tests.prove.wire_board import CPYTHON, MICROPYTHON

REPLENISH = {"order": ("replenish",)}
ORDER, DAILY = ("order", "replenish"), ("daily", "slot status")
# A known-bad build, what to cut from which byte on (of request and answer), what must be said.
BAD = {
    "the attempt is stored after sending": (ORDER, 0, "rule 1"),
    "a repeat forgets the attempt": (ORDER, 0, "LOST"),
    "an attempt is never repeated": (ORDER, 0, "no wake with replenish"),
    "half an answer is an answer": (ORDER, 600, "LOST"),
    "a request that was cut is sent again at once": (ORDER, 0, "in the same wake"),
    "a cut is ignored": (DAILY, 60, "on the same connection"),
    "the connection stays open": (ORDER, 0, "a second connection"),
    "the radio stays on": (ORDER, 0, "the radio is on"),
}


def test_a_line_cut_at_any_byte_of_replenish_leaves_one_order_and_the_record_right():
    count, violations = wire.prove(CPYTHON, calls=REPLENISH, ways=1, lanes=8)
    assert violations == []
    assert count > 700


def test_a_line_cut_in_any_call_leaves_one_order_and_the_record_right():
    count, violations = wire.prove(MICROPYTHON, part=(5, 101), lanes=4)
    assert violations == []
    assert count > 95


@pytest.mark.parametrize("interpreter", wire.INTERPRETERS)
def test_a_line_that_is_slow_or_never_ends_does_not_outlast_the_wake(interpreter):
    count, violations = wire.prove(interpreter, wire.slows, calls=REPLENISH, lanes=4)
    assert violations == []
    assert count == 3 + len(wire.ENDLESS)


@pytest.mark.parametrize("build", BAD)
def test_the_cuts_catch_a_known_bad_build(build):
    (phase, call), byte, says = BAD[build]
    _, violations = wire.prove(
        MICROPYTHON, build=build, part=(2 * byte, 20), lanes=1, most=1, calls={phase: (call,)}
    )
    assert says in violations[0]


def test_a_build_without_a_time_limit_is_caught():
    _, violations = wire.prove(
        MICROPYTHON,
        wire.slows,
        build="no time limit",
        lanes=2,
        most=1,
        calls=REPLENISH,
        tick_s=0.001,
        endless=(),
    )
    assert "the service ended the wake" in violations[0]
