"""The whole loop: the firmware on the virtual board against the simulator, as a maker has it."""

import json

import pytest
from board_kit import HOUR_S, START

from tools.demo.bench import SLOT
from tools.virtual_board import driver


def test_a_blank_board_is_deployed_configured_and_orders_once(board):
    board.bench.power_on()
    board.bench.deploy()
    board.console = board.bench.console()
    assert board.status()["missing"] == "wifi.ssid"
    for name, value in board.settings.items():
        board.console.command(f"config {name} {value}")
    assert abs(board.status()["level"] - 0.6) < 0.01
    board.run_low()
    status = board.until(state="placed")
    (order,) = board.orders()
    assert status["event_id"] == order["id"]
    assert status["time"] == board.bench.books()["now"]
    assert board.bench.record().event_id == order["id"]


def test_nothing_leaves_the_board_if_the_root_certificate_is_another(board, tmp_path):
    import trustme
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import load_pem_x509_certificate

    other = trustme.CA()
    pem = load_pem_x509_certificate(other.cert_pem.bytes())
    (tmp_path / "other.der").write_bytes(pem.public_bytes(Encoding.DER))
    board.certificates = [tmp_path / "other.der"]
    board.flash()
    board.start()
    board.until_logged("certificate refused")
    board.run_low()
    board.reading()
    status = board.status()
    assert (status["state"], status["event_id"]) == ("none", None)
    assert board.bench.books()["requests"] == []


def test_a_name_that_the_certificate_lacks_is_refused(board):
    board.flash(**{"lwa.host": "127.0.0.2"})
    board.start()
    board.until_logged("127.0.0.2")
    assert board.bench.books()["requests"] == []


def test_no_trust_anchor_is_said_in_one_line(board):
    board.certificates = []
    board.flash()
    board.start()
    board.until_logged("no trust anchor")


def test_unsubscribed_blocks_and_clears_by_itself_within_a_day(board):
    path = f"/devices/S1/slots/{SLOT}/subscription"
    board.bench.control("POST", path, {"subscribed": False})
    board.flash()
    board.start()
    board.until(blocked="unsubscribed")
    board.run_low()
    assert board.orders() == []
    board.bench.control("POST", path, {"subscribed": True})
    board.bench.advance(24 * HOUR_S)
    board.until(state="placed", blocked=None)
    assert len(board.orders()) == 1


def test_revoked_stops_all_calls_until_a_new_token_is_set(board):
    board.bench.control("POST", "/devices/S1/revoke")
    board.flash()
    board.start()
    board.until(blocked="revoked")
    calls = len(board.bench.books()["requests"])
    board.pass_days(3)
    assert len(board.bench.books()["requests"]) == calls
    device = {"model": "M", "serial": "S1", "slots": [SLOT], "test": False}
    keys = board.bench.control("POST", "/devices", device)
    board.console.command(f"config lwa.refresh_token {keys['refresh_token']}", "config token")
    board.until(blocked=None)
    board.run_low()
    board.until(state="placed")


def test_a_slot_the_service_does_not_know_blocks_until_it_is_corrected(board):
    board.flash(**{"slot.id": "Nonsense"})
    board.start()
    board.until(blocked="no_such_slot")
    board.run_low()
    assert board.requests("/replenish") == []
    board.console.command(f"config slot.id {SLOT}")
    board.until(blocked=None)


@pytest.mark.parametrize(
    "fault",
    [
        {"action": "close-after"},
        {"action": "close-before"},
        {"action": "garbage"},
        {"action": "close-during"},
        {"action": "status", "status": 500, "body": {"message": "oops"}},
        {"action": "status", "status": 200, "body": "not JSON"},
        {"action": "status", "status": 200, "body": ""},
        {"action": "status", "status": 200, "body": {"detailCode": "SOMETHING_NEW"}},
        {"action": "status", "status": 200, "body": {"detailCode": "x" * 20000}},
        {"action": "status", "status": 200, "body": []},
    ],
    ids=lambda fault: f"{fault['action']}-{str(fault.get('body', ''))[:24]}",
)
def test_an_answer_lost_or_unreadable_is_repeated_and_never_duplicates(board, fault):
    board.bench.control("PUT", "/faults", [{"path": "/replenish", **fault}])
    board.flash()
    board.start()
    board.run_low()
    board.until(state="attempt")
    board.until_logged("next try in")
    assert board.bench.record().state == "attempt"
    board.bench.advance(HOUR_S)
    status = board.until(state="placed")
    (order,) = board.orders()
    assert status["event_id"] == order["id"]


def test_a_power_cut_between_answer_and_flash_keeps_the_order(board):
    hold = {"path": "/replenish", "action": "delay", "seconds": 30}
    board.bench.control("PUT", "/faults", [hold])
    board.flash()
    board.start()
    board.run_low()
    board.until_ordered()
    board.console.close()
    board.bench.power_cut()
    assert board.bench.record().state == "attempt"
    board.bench.control("PUT", "/faults", [])
    board.start()
    board.run_low()
    status = board.until(state="placed")
    (order,) = board.orders()
    assert status["event_id"] == order["id"]


def test_the_console_answers_while_an_uplink_waits_for_the_service(board):
    hold = {"path": "/subscriptionInfo", "action": "delay", "seconds": 12}
    board.bench.control("PUT", "/faults", [hold])
    board.flash()
    board.start()
    board.until_requested("/subscriptionInfo")
    for line in ("status", "why", "help", "measure", "config level.reorder_pct 25"):
        assert board.console.command(line)["ok"], line
    assert "under way" in board.status()["uplink"]
    board.until(uplink=None)
    assert board.console.command("config level.reorder_pct")["value"] == 25


def _flip(name):
    def damage(folder):
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(data)

    return damage


def _cut(name):
    def damage(folder):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])

    return damage


def _lose(name):
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize("damage", [_flip, _cut, _lose], ids=["flipped", "truncated", "missing"])
def test_a_damaged_record_counts_as_an_attempt_and_orders_after_the_horizon(board, damage):
    board.flash(damage=damage("order.rec"))
    board.start()
    board.until_logged("order record lost or damaged")
    board.run_low()
    assert board.until(state="attempt")["low"]
    board.pass_days(9)
    assert board.orders() == []
    board.pass_days(1)
    for _ in range(3):
        board.reading()
    board.until(state="placed")
    assert len(board.orders()) == 1


@pytest.mark.parametrize("damage", [_flip, _cut], ids=["flipped", "truncated"])
def test_a_damaged_configuration_is_said_and_buys_nothing(board, damage):
    board.flash(damage=damage("config.rec"))
    before = driver.read_image(board.bench.flash)["order.rec"]
    board.start()
    assert "configuration" in board.status()["fault"]
    board.console.command(f"time {START}")
    board.run_low()
    board.reading()
    assert board.bench.books()["requests"] == []
    assert driver.read_image(board.bench.flash)["order.rec"] == before


def test_a_measure_wake_without_change_writes_no_flash(board):
    board.flash(**{"power.mode": "battery"})
    board.start()
    bench = board.bench
    board.until_clock()
    board.console.command("sleep")
    bench.asleep()
    for _ in range(5):
        bench.advance(901)
        bench.asleep()
    events = [json.loads(line) for line in (bench.folder / "events").read_text().splitlines()]
    sleeps = [event for event in events if event["event"] == "sleep"][1:]
    assert len(sleeps) == 5
    assert [(e["programs"], e["erases"]) for e in sleeps] == [(0, 0)] * 5


def test_no_secret_is_ever_said(board):
    board.flash()
    board.start()
    said = str(board.console.command("config")) + str(board.status())
    for name in ("lwa.client_secret", "lwa.refresh_token"):
        said += str(board.console.command(f"config {name}"))
    board.run_low()
    board.until(state="placed")
    said += str(board.log())
    assert board.keys["refresh_token"] not in said
    assert board.keys["client_secret"] not in said


def test_tokens_of_the_longest_kind_fit_into_the_devices_memory(board):
    # 2,048 characters each (LWA's documented maximum), heap 128 KB, console not loaded.
    long = {"access_token": "Atza|" + "a" * 2043, "expires_in": 3600, "token_type": "bearer"}
    fault = {"path": "/auth/o2/token", "action": "status", "status": 200, "times": 99}
    board.bench.control("PUT", "/faults", [{**fault, "body": long}])
    board.flash(**{"lwa.refresh_token": "Atzr|" + "b" * 2043, "power.mode": "battery"})
    board.start()
    board.until_clock()
    board.console.command("sleep")
    board.bench.asleep()
    known = len(board.bench.books()["requests"])
    board.bench.advance(3 * HOUR_S)
    board.bench.asleep()
    new = [(r["path"], r["status"]) for r in board.bench.books()["requests"][known:]]
    assert new[:2] == [("/auth/o2/token", 200), ("/subscriptionInfo", 400)]
