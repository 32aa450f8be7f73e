"""Heap and RTC memory on the virtual board: what runs out, and what others left there."""

import time

import pytest
from board_kit import HANG_S

from lowtide.forecast import Forecast
from lowtide.store import Store


@pytest.fixture
def board(waking):
    """The board of every test here."""
    return waking


def test_a_reason_in_another_script_is_kept_and_the_board_starts_again(board):
    board.flash()
    message = {"message": "\u88dc\u5145" * 40}
    fault = {"path": "/subscriptionInfo", "times": 50, "action": "status", "status": 400}
    board.bench.control("PUT", "/faults", [{**fault, "body": message}])
    board.start()
    board.until_logged("subscriptionInfo: 400")
    board.console.command("reboot")
    board.until_logged("subscriptionInfo: 400")
    assert "subscriptionInfo: 400" in board.status()["uplink"]


@pytest.mark.parametrize(
    ("reason", "kept"),
    [("x" * 130, "x" * 120), ("x" + "\u88dc" * 90, "x" + "\u88dc" * 39)],
    ids=["ASCII", "three bytes each"],
)
def test_a_long_reason_is_kept_up_to_a_whole_character(board, reason, kept):
    board.flash()
    board.start()
    source = f"import hal; hal.keep(b'data', {reason!r}); print(ascii_of(hal.kept()))"
    source = "ascii_of = lambda kept: ([ord(char) for char in kept[0]], kept[1])\n" + source
    assert board.at_prompt(source).strip() == str(([ord(char) for char in kept], b"data"))


def test_an_uplink_that_runs_out_of_memory_three_times_starts_the_board_anew(board):
    # So little that the uplink does not fit in beside the console.
    board.bench._heap = "102k"
    board.flash()
    board.bench.power_on()
    events, end = board.bench.folder / "events", time.monotonic() + HANG_S
    # Four times, and not asleep in safe mode after the third: it may be the network's doing.
    while events.read_text().count('"reset"') < 4:
        assert time.monotonic() < end, events.read_text()
        board.bench.advance(400)
        time.sleep(0.5)


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("/auth/o2/token", {"action": "slow", "seconds": 0.001}),
        ("/auth/o2/token", {"action": "chunked", "bytes": 1}),
        ("/subscriptionInfo", {"action": "slow", "seconds": 0.001}),
    ],
    ids=["token", "token in chunks", "subscription"],
)
def test_an_answer_that_comes_byte_by_byte_needs_no_more_memory(board, path, fault):
    board.flash()
    board.bench.control("PUT", "/faults", [{"path": path, "times": 1, **fault}])
    board.start()
    board.until_logged("uplink: done")
    assert not any("out of memory" in line for line in board.log())
    assert board.bench.control("GET", "/faults") == []


def test_a_head_too_long_is_a_fault_and_takes_no_memory(board):
    board.flash()
    fault = {"path": "/auth/o2/token", "times": 1, "action": "oversize-head"}
    board.bench.control("PUT", "/faults", [fault])
    board.start()
    assert "too long" in board.until_logged("next try in")


def test_rtc_memory_of_another_program_is_none_of_ours(board):
    board.flash()
    board.start()
    board.until(uplink=None)
    board.other_program(
        r"import machine; machine.RTC().memory(b'\x00\x00\x14' + b'\xff' * 40); machine.reset()"
    )
    assert board.until(uplink=None)["state"] == "none"


def test_what_was_learned_of_the_use_outlives_rtc_memory_of_another_layout(board):
    learned = Forecast()
    learned.kept = (44000, 3000, 20, 0, 500, 500, 500, 0)
    board.flash(damage=lambda folder: Store(str(folder / "use.rec")).save(learned.pack()))
    board.start()
    board.until(uplink=None)
    board.other_program(
        r"import machine; machine.RTC().memory(b'\x00\x00\x00' + b'x' * 90); machine.reset()"
    )
    assert board.console.command("why")["forecast"] is not None
