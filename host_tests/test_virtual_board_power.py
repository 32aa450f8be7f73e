"""The virtual board's sleep and resets, on the real interpreter."""

import signal

import pytest
from virtual_board_kit import SLEEPER, console, diary

from tools.virtual_board.driver import (
    VirtualBoard,
    eventually,
    is_alive,
    read_image,
)

IDLE_MAIN = "import time\nwhile True: time.sleep_ms(10)\n"


def test_deep_sleep_wakes_by_the_calendar_with_rtc_memory(start):
    board = start("--speed", "36000", main=SLEEPER)
    board.wait_for("boot", 4)
    board.power_off()
    assert [line.rsplit(" ", 1)[0] for line in diary(board)][:3] == [
        "1 0 b''",
        "4 4 b'x'",
        "4 4 b'xx'",
    ]
    hours = [int(line.rsplit(" ", 1)[1]) for line in diary(board)][:3]
    assert hours[0] < hours[1] < hours[2]
    assert "ran on" not in read_image(board.flash)
    sleep = board.events("sleep")[0]
    assert sleep["until"] - sleep["time"] == pytest.approx(3600, abs=300)
    assert sleep["programs"] > 0


def test_power_on_forgets_what_reset_and_watchdog_keep(start):
    remember = (
        "import machine\n"
        "rtc = machine.RTC()\n"
        "causes = rtc.memory() + bytes([machine.reset_cause()])\n"
        "rtc.memory(causes)\n"
        "print('causes', list(causes), file=open('causes', 'w'))\n"
        "if len(causes) == 1: machine.reset()\n"
        "if len(causes) == 2: machine.soft_reset()\n"
        "if len(causes) == 3:\n"
        "    dog = machine.WDT(timeout=50)\n"
        "    while True: pass\n"
        "machine.deepsleep()\n"
    )
    board = start(main=remember)
    assert board.wait_for("sleep")["until"] is None
    assert [event["cause"] for event in board.events("boot")] == [1, 2, 5, 3]
    assert len(board.events("wdt")) == 1
    assert not board.interpreters()
    board.power_off()
    again = start()
    again.wait_for("boot", 3)
    assert [event["cause"] for event in again.events("boot")][:3] == [1, 2, 5]


def test_a_fed_watchdog_does_not_bite(start):
    board = start(
        main="import machine, time\ndog = machine.WDT(timeout=300)\n"
        "for _ in range(20):\n    time.sleep_ms(30)\n    dog.feed()\nmachine.deepsleep()\n"
    )
    board.wait_for("sleep")
    assert not board.events("wdt")


@pytest.mark.parametrize(("timeouts_ms", "bites"), [((100, 60_000), 0), ((60_000, 100), 1)])
def test_a_second_watchdog_is_the_first_with_another_time(start, timeouts_ms, bites):
    board = start(
        main="import machine, time\n"
        "if machine.reset_cause() == 1:\n"
        f"    for ms in {timeouts_ms}: machine.WDT(timeout=ms)\n"
        "    time.sleep_ms(400)\n"
        "machine.deepsleep()\n"
    )
    board.wait_for("sleep")
    assert len(board.events("wdt")) == bites


def test_the_watchdog_runs_on_at_the_prompt_and_over_a_soft_reset(start):
    board = start(
        main="import machine\n"
        "if machine.reset_cause() == 1:\n"
        "    machine.WDT(timeout=2000)\n"
        "    print('guarded')\n"
        "    while True: pass\n"
    )
    with console(board) as port:
        port.read_until(b"guarded\r\n")
        port.write(b"\x03")
        port.read_until(b">>> ")
        port.write(b"\x04")
        board.wait_for("wdt")
    board.wait_for("boot", 3)
    assert [event["cause"] for event in board.events("boot")] == [1, 5, 3]


def test_the_watchdog_ends_what_hangs_in_c(start):
    board = start(
        main="import machine, socket\n"
        "if machine.reset_cause() == 3: machine.deepsleep()\n"
        "machine.WDT(timeout=200)\n"
        "s = socket.socket()\n"
        "s.bind(socket.getaddrinfo('127.0.0.1', 0)[0][-1])\n"
        "s.listen(1)\n"
        "s.accept()\n"
    )
    board.wait_for("sleep")
    assert len(board.events("wdt")) == 1


def test_a_panic_is_a_reset_that_keeps_rtc_memory(start):
    board = start(
        main="import machine\n"
        "rtc = machine.RTC()\n"
        "if machine.reset_cause() == 2:\n"
        "    with open('memory', 'wb') as file: file.write(rtc.memory())\n"
        "    machine.deepsleep()\n"
        "rtc.memory(b'kept')\n"
        "machine.WDT(timeout=600)\n"  # which the reset stops
        "print('ready')\n"
        "while True: pass\n"
    )
    with console(board) as port:
        port.read_until(b"ready\r\n")
    board.panic()
    board.wait_for("sleep")
    assert board.events("crash")[0]["status"] == -signal.SIGSEGV
    assert [event["cause"] for event in board.events("boot")] == [1, 2]
    board.power_off()
    assert read_image(board.flash)["memory"] == b"kept"


def test_rtc_memory_has_its_limit(start):
    board = start()
    assert (
        board.execute(
            "import machine\nrtc = machine.RTC()\n"
            "rtc.memory(bytes(2048))\nprint(len(rtc.memory()))\n"
            "try:\n    rtc.memory(bytes(2049))\nexcept ValueError: print('too long')"
        )
        == "2048\ntoo long"
    )


def test_kill_takes_the_interpreter_along(start):
    board = start(main=IDLE_MAIN)
    (interpreter,) = board.interpreters()
    board.power_off(signal.SIGKILL)
    eventually(lambda: not is_alive(interpreter))
    board = start()
    (interpreter,) = board.interpreters()
    assert board.power_off(signal.SIGTERM) == 0
    assert not is_alive(interpreter)
    assert not board.link.is_symlink()


def test_two_boards_never_share_a_flash(start, tmp_path, capfd):
    board = start(main=IDLE_MAIN)
    second = VirtualBoard(board.flash.parent, f"--link={tmp_path / 'other'}")
    assert second.process.wait(30) == 2
    assert "in use by another board" in capfd.readouterr().err
    assert board.link.exists()
