"""A run of the provisioning tool: what arrives, what proves it, what a second one redoes."""

import json
import os
import random
import signal
import string
import subprocess
import sys
import threading

import pytest
from provision_kit import SECRETS, SETTINGS, stored

from tools.image import ROOT


def test_settings_secrets_and_serial_arrive_in_one_line_and_are_proved(bench):
    board = bench.board()
    status, said = bench.run(board)
    assert status == 0 and f"provision: 1 of 1 good; report: {bench.path}" in said
    assert board.settings == {
        "device.serial": "A",
        "level.reorder_pct": 25,
        "lwa.client_id": "c",
        "lwa.refresh_token": SECRETS["LOWTIDE_LWA_REFRESH_TOKEN"],
        "slot.id": "Paper",
        "wifi.password": SECRETS["LOWTIDE_WIFI_PASSWORD"],
        "wifi.ssid": "Home",
    }
    assert len(stored(board)) == 1 and board.lines[-2:] == ["selftest", "json off"]
    row = bench.report()["A"]
    assert (row["result"], row["version"], row["port"]) == ("good", "0.1.0", board.port)


def test_a_row_counts_before_the_file(bench):
    bench.csv.write_text("device.serial,level.reorder_pct,slot.id\nA,30,\nB,,Cups\n")
    boards = [bench.board(), bench.board()]
    assert bench.run(*boards)[0] == 0
    shown = [(b.settings["level.reorder_pct"], b.settings["slot.id"]) for b in boards]
    assert shown == [(30, "Paper"), (25, "Cups")]


def test_a_long_token_takes_a_second_line_and_the_serial_goes_first(bench, monkeypatch):
    token = "Atzr|" + "x" * 2043
    monkeypatch.setenv("LOWTIDE_LWA_REFRESH_TOKEN", token)
    monkeypatch.setenv("LOWTIDE_LWA_CLIENT_SECRET", "y" * 256)
    board = bench.board()
    assert bench.run(board)[0] == 0
    assert board.settings["lwa.refresh_token"] == token
    first, second = stored(board)
    assert '"device.serial"' in first and max(len(first), len(second)) <= 2300


def test_names_beyond_ascii_arrive_as_they_are(bench):
    bench.file.write_text('wifi.ssid = "Büro 5 \U0001f9fb"\n')
    board = bench.board()
    assert bench.run(board)[0] == 0
    assert board.settings["wifi.ssid"] == "Büro 5 \U0001f9fb" and "\\u" not in stored(board)[0]


def test_boards_that_wait_for_others_are_kept_awake(bench, monkeypatch):
    monkeypatch.setattr("tools.provision.run._WORD_S", 0.2)
    waiting, silent = bench.board(), bench.board()
    silent.on["json"] = lambda _: None
    assert bench.run(waiting, silent)[0] == 1 and bench.result("A")[0] == "good"
    first = waiting.lines.index("time")
    assert waiting.lines.count("time") > 3 and "selftest" in waiting.lines[first:]


# Proof.


def test_a_setting_that_reads_back_otherwise_is_a_failure(bench):
    board = bench.board()

    def forgetful(rest):
        answer = board._config(rest)
        board.settings.pop("level.reorder_pct", None)
        return answer

    board.on["config"] = forgetful
    assert bench.run(board)[0] == 1
    assert bench.result("A") == (
        "failed",
        "read back level.reorder_pct = 20, which is not what was set",
    )


def test_a_selftest_that_fails_is_in_the_report_with_its_reason(bench):
    board = bench.board()
    board.fails = {"gauge": "disconnected: check its wiring", "wifi": "no Wi-Fi (201)"}
    status, said = bench.run(board)
    reason = "gauge: FAILED: disconnected: check its wiring; wifi: FAILED: no Wi-Fi (201)"
    assert status == 1 and bench.result("A") == ("failed", reason) and reason in said


def test_the_customers_network_is_not_the_factorys_to_test(bench, monkeypatch):
    for name in SECRETS:
        monkeypatch.delenv(name)
    board = bench.board()
    assert bench.run(board)[0] == 0
    untested = "not tested: token: not set: see 'help lwa.refresh_token'"
    assert bench.result("A") == ("good", untested)
    broken = bench.board()
    broken.fails = {"gauge": "disconnected"}
    assert bench.run(broken)[0] == 1
    assert bench.result("B") == ("failed", "gauge: FAILED: disconnected")
    silent = bench.board()
    silent.on["selftest"] = lambda _: {"ok": False, "error": "out of memory"}
    assert bench.run(silent)[0] == 1 and "out of memory" in bench.result("C")[1]


def test_a_selftest_waits_for_an_uplink_under_way(bench):
    board, refusals = bench.board(), [1, 1]

    def busy(rest):
        if refusals:
            refusals.pop()
            return {"ok": False, "error": "an uplink is under way; try again in a minute"}
        return board._selftest(rest)

    board.on["selftest"] = busy
    assert bench.run(board)[0] == 0 and board.lines.count("selftest") == 3


def test_settings_wait_for_an_uplink_that_has_the_memory(bench):
    board, refusals = bench.board(), {True: 2, False: 2}

    def busy(rest):
        if refusals[bool(rest)]:
            refusals[bool(rest)] -= 1
            raise ValueError("out of memory; nothing done: try again after the uplink")
        return board._config(rest)

    board.on["config"] = busy
    assert bench.run(board)[0] == 0 and len(stored(board)) == 3


# Run again.


def test_a_second_run_does_not_redo_what_is_good(bench):
    good, bad = bench.board(), bench.board()
    bad.fails = {"token": "refused"}
    assert bench.run(good, bad)[0] == 1
    before = bench.report()["A"]
    bad.fails.clear()
    status, said = bench.run(good, bad)
    assert status == 0 and "already" in said
    assert not stored(good) and "selftest" not in good.lines and "selftest" in bad.lines
    assert bench.report()["A"] == before and bench.result("B")[0] == "good"


@pytest.mark.parametrize("change", ["file", "board", "firmware"])
def test_what_is_good_is_redone_where_it_is_no_longer_so(bench, change):
    board = bench.board()
    assert bench.run(board)[0] == 0
    if change == "file":
        bench.file.write_text(SETTINGS.replace("25", "30"))
    elif change == "board":
        board.settings["lwa.refresh_token"] = ""
    else:
        board.on["status"] = lambda rest: board._status(rest) | {"version": "0.2.0"}
    assert bench.run(board)[0] == 0 and "selftest" in board.lines
    assert board.settings["lwa.refresh_token"] and bench.result("A")[0] == "good"


def test_changed_secrets_are_set_where_it_is_asked_for(bench, monkeypatch):
    board = bench.board()
    assert bench.run(board)[0] == 0
    monkeypatch.setenv("LOWTIDE_WIFI_PASSWORD", "another one")
    assert bench.run(board)[0] == 0 and not stored(board)
    assert bench.run(board, options=["--again"])[0] == 0 and "selftest" in board.lines
    assert board.settings["wifi.password"] == "another one" and set(bench.report()) == {"A"}


def test_a_board_that_was_left_is_one_row_and_not_two(bench):
    board = bench.board()
    board.on["selftest"] = lambda _: board.unplug()
    assert bench.run(board)[0] == 1
    assert bench.run(board)[0] == 1
    assert set(bench.report()) == {"A"} and "no such port" in bench.result("A")[1]


def start(bench, *boards):
    """Start the tool as a process of its own, as from a terminal."""
    command = [sys.executable, "-m", "tools.provision", str(bench.file), "--csv", str(bench.csv)]
    return subprocess.Popen(
        [*command, "--port", *(board.port for board in boards)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | SECRETS,
    )


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_an_interrupted_run_is_finished_by_the_next(bench, number, status):
    boards = [bench.board() for _ in range(3)]
    testing = threading.Semaphore(0)
    boards[0].on["selftest"] = boards[1].on["selftest"] = lambda _: testing.release()
    process = start(bench, *boards)
    assert testing.acquire(timeout=20) and testing.acquire(timeout=20)
    while "good" not in bench.path.read_text():
        assert process.poll() is None
    process.send_signal(number)
    said = process.communicate(timeout=20)[0]
    assert process.returncode == status and "Traceback" not in said
    results = {serial: row["result"] for serial, row in bench.report().items()}
    assert results == {"A": "open", "B": "open", "C": "good"}
    if number == signal.SIGINT:
        named = f"A on {boards[0].port}, B on {boards[1].port}"
        assert f"2 of 3 not good: {named}; see above why: the same command again goes on" in said
        assert bench.result("A")[1] == "selftest: interrupted"
    for board in boards:
        board.on.clear()
    assert bench.run(*boards)[0] == 0 and not stored(boards[2])
    assert [board.settings["device.serial"] for board in boards] == ["A", "B", "C"]


# No secret anywhere.


def test_no_secret_in_anything_that_is_printed_or_written(bench, monkeypatch):
    """Whatever the secrets are, and even where a board says them."""
    dice = random.Random(7)
    letters = string.ascii_letters + string.digits + "|\"'\\,;{}%é "
    for turn in range(12):
        secrets = ["".join(dice.choices(letters, k=dice.randint(8, 60))).strip() for _ in range(3)]
        names = ("WIFI_PASSWORD", "LWA_CLIENT_SECRET", "LWA_REFRESH_TOKEN")
        for name, secret in zip(names, secrets, strict=True):
            monkeypatch.setenv("LOWTIDE_" + name, secret)
        board = bench.board()
        command = dice.choice(["config", "selftest", "status"])

        def talkative(rest, board=board, command=command, secrets=secrets):
            if command == "config" and not rest:
                return board._config(rest)
            board.say(f"wifi: FAILED: {secrets[0]} is wrong")
            return {"ok": False, "error": f"I was given {rest} and {' '.join(secrets)}"}

        board.on[command] = talkative
        bench.path = bench.folder / f"r{turn}.{dice.choice(['csv', 'json'])}"
        options = ["--report", str(bench.path)]
        status, said = bench.run(board, options=options)
        assert status == 1 and ("***" in said or command == "config")
        written = bench.path.read_text()
        for secret in secrets:
            for text in (said, written):
                assert secret not in text and json.dumps(secret)[1:-1] not in text
        board.close()
