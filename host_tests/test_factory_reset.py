"""`factory-reset`: nothing is left of the settings, wherever in the flash it once was."""

import contextlib
import json
import time

import pytest
from board_kit import HANG_S, wait

from tools.demo.bench import SLOT
from tools.device import DeviceError
from tools.virtual_board import driver

PIECE = 8


def configure(board, values):
    """Set several settings; in the middle of an uplink long ones may find no room."""
    end = time.monotonic() + HANG_S
    while True:
        try:
            return board.console.command("config " + json.dumps(values), "config of secrets")
        except DeviceError as e:
            if "out of memory" not in str(e) or time.monotonic() > end:
                raise


def secrets_of(board):
    """Give the board secrets, and others before them, by its console; return them all."""
    old = {
        "wifi.password": "an-old-Wi-Fi-key!",
        "lwa.client_secret": "an-old-client-secret/" + "".join(map(chr, range(48, 123))),
        "lwa.refresh_token": "Atzr|old." + "".join(f"{n:04x}" for n in range(110)),
    }
    new = {
        "wifi.password": "horse#staple#correct",
        "lwa.client_secret": board.keys["client_secret"],
        "lwa.refresh_token": board.keys["refresh_token"],
    }
    for values in (old, new, {"slot.capacity": 7}, {"slot.capacity": 8}):
        configure(board, values)
    return list(old.values()) + list(new.values())


def left_in(path, secrets):
    """Return the pieces of secrets that the raw flash holds."""
    raw = path.read_bytes()
    pieces = {s.encode()[at : at + PIECE] for s in secrets for at in range(len(s) - PIECE + 1)}
    # What the firmware itself says is no trace.
    return [piece for piece in pieces if piece in raw and piece not in _FIRMWARE]


_FIRMWARE = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def restarted(board):
    """Wait until the board has begun anew; return its status."""
    board.console.close()
    boots = board.bench.folder / "events"
    wait(lambda: '"reset"' in boots.read_text(), lambda: "no reset")
    board.console = board.bench.console()
    return board.status()


def test_a_factory_reset_deregisters_and_leaves_no_trace_in_the_raw_flash(board):
    board.flash()
    board.start()
    board.until(uplink=None)
    secrets = secrets_of(board)
    board.run_low()
    event_id = board.until(state="placed", uplink=None)["event_id"]
    assert left_in(board.bench.flash, secrets)
    answer = board.console.command("factory-reset")
    assert answer == {"ok": True, "deregistered": True, "wiped": True}
    status = restarted(board)
    assert (status["missing"], status["state"], status["event_id"]) == ("wifi.ssid", "none", None)
    assert left_in(board.bench.flash, [*secrets, event_id]) == []
    files = driver.read_image(board.bench.flash)
    assert "config.rec" not in files and "config.rec.tmp" not in files
    (call,) = board.requests("/registration")
    assert (call["method"], call["status"]) == ("DELETE", 200)
    # It can be set up again.
    device = {"model": "M", "serial": "S1", "slots": [SLOT], "test": False}
    settings = board.bench.settings(board.bench.control("POST", "/devices", device))
    configure(board, settings)
    board.until(missing=None, uplink=None)


def test_a_factory_reset_that_cannot_deregister_changes_nothing_and_says_what_to_do(board):
    board.flash()
    board.start()
    board.until_clock()
    board.until(uplink=None)
    before = driver.read_image(board.bench.flash)["config.rec"]
    for path in ("/subscriptionInfo", "/registration"):
        fault = {"path": path, "action": "status", "status": 500}
        board.bench.control("PUT", "/faults", [fault])
        with pytest.raises(DeviceError, match="nothing wiped: try again, or with --offline"):
            board.console.command("factory-reset")
    assert driver.read_image(board.bench.flash)["config.rec"] == before
    assert board.status()["missing"] is None
    with pytest.raises(DeviceError, match="want factory-reset"):
        board.console.command("factory-reset now")
    answer = board.console.command("factory-reset --offline")
    assert answer == {"ok": True, "deregistered": False, "wiped": True}
    assert restarted(board)["missing"] == "wifi.ssid"


# Flash operations after power-on: the files go, the log moves, the free blocks are filled.
CUTS = (1, 2, 4, 8, 60, 3000)


def test_a_factory_reset_that_the_power_cuts_is_as_before_or_without_settings(board):
    board.flash()
    board.start()
    board.until(uplink=None)
    secrets = secrets_of(board)
    board.until(uplink=None)
    board.console.close()
    board.bench.power_cut()
    image = board.bench.flash.read_bytes()
    seen = set()
    for cut in CUTS:
        board.bench.flash.write_bytes(image)
        board.bench.power_on("--cut-after", str(cut))
        console = board.bench.console()
        process = board.bench._processes.pop("virtual_board")
        end = time.monotonic() + HANG_S
        # Refused as long as the first uplink is under way.
        while process.poll() is None:
            assert time.monotonic() < end, cut
            with contextlib.suppress(OSError):  # the port goes with the board
                console._serial.write(b"factory-reset --offline\n")
            time.sleep(0.2)
        assert process.returncode == 75
        console.close()
        board.bench.power_on()
        board.console = board.bench.console()
        status = board.status()
        seen.add(status["missing"])
        assert status["missing"] in (None, "wifi.ssid") and status["fault"] is None, cut
        assert status["state"] == "none"
        if status["missing"]:
            assert "config.rec" not in driver.read_image(board.bench.flash)
            assert board.console.command("factory-reset")["wiped"]
            assert left_in(board.bench.flash, secrets) == [], cut
        board.console.close()
        board.bench.power_cut()
    assert seen == {None, "wifi.ssid"}
    assert board.orders() == []
