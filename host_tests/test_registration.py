"""Registering a device by its console, and test orders, against the simulator's own sign-in."""

import base64
import hashlib
import json
import re
from contextlib import closing

import pytest
from board_kit import BACK, MODEL, Unregistered

from tools.demo.bench import SLOT
from tools.virtual_board import driver


@pytest.fixture
def board(unregistered):
    """Have every test's board be one that is still to be registered."""
    return unregistered


def test_a_device_registers_itself_and_orders(board):
    board.flash()
    board.start()
    assert board.status()["missing"] == "lwa.refresh_token"
    assert board.register() == {"ok": True, "slots": {SLOT: True}, "slot": SLOT}
    assert board.console.command("config slot.id")["value"] == SLOT
    board.until(missing=None, uplink=None)
    board.run_low()
    board.until(state="placed")
    (order,) = board.orders()
    assert order["serial"] == "A0001"
    (device,) = [d for d in board.bench.books()["devices"] if d["serial"] == "A0001"]
    assert not device["test"]


def challenge_of(verifier):
    """Return the S256 challenge of a verifier, as RFC 7636 has it."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier).digest()).rstrip(b"=").decode()


def verifiers_in(data, challenge):
    """Return what in `data` has this challenge: the board's verifiers are 43 characters long."""
    runs = re.findall(rb"[\w-]{43,}", data)
    windows = {run[at : at + 43] for run in runs for at in range(len(run) - 42)}
    return [window for window in windows if challenge_of(window) == challenge]


def test_the_verifier_is_in_no_output_and_not_in_flash(board):
    made_up = b"Verifier-" + b"_" * 34
    assert verifiers_in(b"\xffxy" + made_up + b"z\0", challenge_of(made_up)) == [made_up]
    board.flash()
    board.start()
    board.console._heard = (said := []).append
    link = board.begin()
    assert "code_challenge_method=S256" in link
    challenge = link.partition("code_challenge=")[2].partition("&")[0]
    assert len(challenge) == 43
    raw = board.bench.flash.read_bytes()
    said.append(str(board.idle("register " + board.consent(link))))
    (exchange,) = [r for r in board.bench.books()["requests"] if r["path"] == "/auth/o2/token"][:1]
    assert exchange["status"] == 200
    raw += board.bench.flash.read_bytes()
    said += [link, str(board.log()), str(board.status()), str(board.console.command("config"))]
    assert verifiers_in(raw, challenge) == []
    assert verifiers_in("\n".join(said).encode(), challenge) == []
    assert "code_verifier" not in link


def test_of_several_slots_one_is_to_be_chosen(tmp_path):
    with closing(Unregistered(tmp_path, [SLOT, "Soap"])) as board:
        board.flash()
        board.start()
        answer = board.register()
        assert answer["slots"] == {SLOT: True, "Soap": False}
        assert answer["slot"] == ""
        assert board.status()["missing"] == "slot.id"
        board.console.command("config slot.id Soap")
        board.until(missing=None, blocked="unsubscribed")


@pytest.mark.parametrize(
    "missing", ["wifi.ssid", "lwa.client_id", "device.model", "device.serial"]
)
def test_what_registering_needs_is_named(board, missing):
    board.settings[missing] = ""
    board.flash()
    board.start()
    assert board.refused("register " + BACK) == f"set {missing} first"


def test_a_refusal_of_the_customer_is_passed_on(board):
    board.flash()
    board.start()
    back = board.consent(board.begin(), answer="deny")
    assert "error=access_denied" in back
    assert board.refused("register " + back).startswith("access_denied: ")


def test_a_code_serves_once_and_only_for_the_link_it_came_of(board):
    board.flash()
    board.start()
    back = board.consent(board.begin())
    assert "no registration begun" in board.refused("register http://localhost:1/?code=abc")
    board.begin()
    assert "code refused" in board.refused("register " + back)
    back = board.consent(board.begin())
    board.idle("register " + back)
    assert "no registration begun" in board.refused("register " + back)


def test_where_the_network_fails_the_same_address_may_be_given_again(board):
    board.flash()
    board.start()
    back = board.consent(board.begin())
    fault = {"path": "/auth/o2/token", "action": "close-before"}
    board.bench.control("PUT", "/faults", [fault])
    assert board.refused("register " + back)
    assert board.idle("register " + back)["slot"] == SLOT


def test_a_change_of_the_stage_forgets_the_registration(board):
    board.flash()
    board.start()
    board.register()
    answer = board.console.command("config device.stage test")
    assert answer["value"] == "test"
    assert "register again" in answer["forgotten"]
    assert board.status()["missing"] == "lwa.refresh_token"


@pytest.fixture
def bringup(board):
    """A board that is registered as a test device, its bin full."""
    board.flash(**{"device.stage": "test"})
    board.start()
    board.register()
    board.until(uplink=None, missing=None)
    return board


def test_a_test_order_needs_no_low_level_is_one_and_is_cancelled(bringup):
    board = bringup
    answer = board.idle("order --test")
    assert answer["charged"] == "nothing: a test order"
    status = board.until(state="placed")
    (order,) = board.orders()
    assert order["detailCode"] == "TEST_ORDER_PLACED"
    assert status["event_id"] == order["id"]
    assert "open" in board.refused("order --test")
    answer = board.idle("order --cancel")
    assert answer["order"] == "cancelled; nothing is charged"
    board.until(state="none")
    assert board.bench.record().state == "none"
    board.idle("order --test")
    board.until(state="placed")
    assert len(board.orders()) == 2
    assert all(order["detailCode"] == "TEST_ORDER_PLACED" for order in board.orders())


def test_a_test_order_of_unknown_outcome_is_not_sent_twice_and_can_be_cancelled(bringup):
    board = bringup
    board.bench.control("PUT", "/faults", [{"path": "/replenish", "action": "close-after"}])
    board.idle("order --test")
    board.until(state="attempt")
    assert "repeat window" in board.refused("order --test")
    board.idle("order --cancel")
    board.until(state="none")
    assert len(board.orders()) == 1


def test_test_orders_are_for_test_devices(board):
    board.flash()
    board.start()
    board.register()
    board.until(uplink=None, missing=None)
    assert "device.stage is not test" in board.refused("order --test")
    assert "device.stage is not test" in board.refused("order --cancel")
    assert board.orders() == []


def test_a_real_order_of_a_test_device_is_said_aloud_and_kept(bringup):
    # Its token was set by hand, and is a real device's.
    board = bringup
    device = {"model": MODEL, "serial": "A0001", "slots": [SLOT], "test": False}
    keys = board.bench.control("POST", "/devices", device)
    board.bench.control("PUT", "/options", {"cancel_test_on_real": "ignored"})
    both = {"lwa." + name: keys[name] for name in ("client_secret", "refresh_token")}
    board.console.command("config " + json.dumps(both), "config keys")
    board.idle("order --test")
    board.until_logged("A REAL ORDER")
    board.until(state="placed")
    assert "is it real?" in board.refused("order --cancel")
    assert board.bench.record().state != "none"
    assert "open" in board.refused("order --test")


def test_the_registration_goes_on_after_a_power_cut(board):
    board.flash()
    board.start()
    board.register()
    board.console.close()
    board.bench.power_cut()
    assert driver.read_image(board.bench.flash)["config.rec"]
    board.start()
    board.until(missing=None, uplink=None)
