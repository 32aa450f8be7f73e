"""A person at the console of a board that sleeps, or that a test hurts."""

import time

import pytest
import serial
from board_kit import BATTERY, HANG_S, START

from tools.demo.bench import SLOT
from tools.device import DeviceError


@pytest.fixture
def board(waking):
    """The board of every test here."""
    return waking


def test_selftest_tells_of_each_part_and_of_what_to_do(board):
    board.flash()
    board.start()
    board.until_clock()
    board.until(uplink=None)
    assert board.console.command("selftest")["selftest"] == "ok"
    said = "\n".join(board.console.said)
    for name in ("flash", "gauge", "clock", "wifi", "dns", "tls", "token"):
        assert f"{name}: ok" in said, said
    assert f"{SLOT} is subscribed" in said


def test_a_battery_board_does_not_fall_asleep_in_the_middle_of_a_job(board):
    # Its console stays open for ten seconds after the last input, a job may take 45.
    board.flash(**BATTERY)
    board.start()
    board.until_logged("uplink: done")
    slow = {"path": "/subscriptionInfo", "times": 1, "action": "delay", "seconds": 12}
    board.bench.control("PUT", "/faults", [slow])
    assert board.console.command("selftest")["selftest"] == "ok"


def test_a_board_that_goes_to_sleep_says_so_and_how_to_get_its_console_back(board):
    board.flash()
    board.start()
    board.console.close()
    with serial.Serial(str(board.bench.folder / "board"), timeout=HANG_S) as line:
        line.write(b"\nsleep\n")
        said = line.read_until(b"console\r\n")
    assert said.endswith(b"asleep; a reset opens the console\r\n"), said


@pytest.mark.parametrize(
    ("settings", "air", "failed", "remedy"),
    [
        ({}, {"ap": False}, "wifi", "check wifi.ssid"),
        ({"drs.host": "no.such.host"}, {"dns": "fail"}, "dns", "check drs.host"),
        ({"lwa.host": "127.0.0.2"}, {}, "tls", "(lwa.host, lwa.port)"),
        (
            {"lwa.client_secret": "a-wrong-one"},
            {},
            "token",
            "check lwa.client_id and lwa.client_secret",
        ),
        ({"slot.id": "Nonsense"}, {}, "token", f"set slot.id to one of: {SLOT}"),
        ({"wifi.ssid": ""}, {}, "wifi", "see 'help wifi.ssid'"),
        (
            {"gauge.table": "0:0 500000:1000"},
            {},
            "gauge",
            "out of range: check wiring, 'help calibrate'",
        ),
    ],
    ids=["wifi", "dns", "tls", "token", "slot", "blank", "gauge"],
)
def test_selftest_names_what_fails_and_the_remedy(board, settings, air, failed, remedy):
    board.flash(**settings)
    board.spoil_air(**air)
    board.start()
    board.console.command("time " + START)
    deadline = time.monotonic() + HANG_S
    error = "an uplink is under way"
    while "under way" in error and time.monotonic() < deadline:
        with pytest.raises(DeviceError) as refused:
            board.console.command("selftest")
        error = str(refused.value)
    assert f"failed: {failed}" in error
    (line,) = [line for line in board.console.said if "FAILED" in line]
    assert line.startswith(f"{failed}: FAILED: ") and remedy in line
