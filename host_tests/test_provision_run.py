"""Runs of the provisioning tool over consoles on ptys: what is done, shown and remembered."""

import csv
import json
import os
import random
import signal
import string
import subprocess
import sys
import threading

import pytest
from provision_kit import FakeBoard

from tools.image import ROOT
from tools.provision import __main__ as provision
from tools.provision import board as console

SETTINGS = 'wifi.ssid = "Home"\nlwa.client_id = "c"\nlevel.reorder_pct = 25\nslot.id = "Paper"\n'
SECRETS = {
    "LOWTIDE_WIFI_PASSWORD": "hunter-22",
    "LOWTIDE_LWA_REFRESH_TOKEN": "Atzr|IwEBIJ-secret",
}


class Bench:
    """A folder with the tool's files, and boards."""

    def __init__(self, folder, capsys):
        self.folder, self._capsys = folder, capsys
        self.file, self.csv = folder / "settings.toml", folder / "batch.csv"
        self.path = folder / "batch-report.csv"
        self.file.write_text(SETTINGS)
        self.rows("A", "B", "C")
        self.boards = []

    def rows(self, *serials):
        self.csv.write_text("\n".join(("device.serial", *serials, "")))

    def board(self, **stored):
        self.boards.append(FakeBoard(**stored))
        return self.boards[-1]

    def run(self, *boards, options=()):
        """Run the tool over the boards; return the exit status and all that it printed."""
        for board in boards:
            board.lines.clear()
        arguments = [str(self.file), "--port", *(board.port for board in boards), *options]
        if self.csv.exists():
            arguments += ["--csv", str(self.csv)]
        status = provision.main(arguments)
        said = self._capsys.readouterr()
        return status, said.out + said.err

    def report(self):
        """Return `{serial or port: row}`."""
        with open(self.path, newline="") as file:
            return {row["serial"] or row["port"]: row for row in csv.DictReader(file)}

    def result(self, name):
        row = self.report()[name]
        return row["result"], row["reason"]


@pytest.fixture
def bench(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(console, "CONNECT_S", 2)
    monkeypatch.setattr(console, "_UNDER_WAY_S", 0.05)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    bench = Bench(tmp_path, capsys)
    yield bench
    for board in bench.boards:
        board.close()


def stored(board):
    """Return the lines that set anything."""
    return [line for line in board.lines if line.startswith("config ")]


def test_settings_secrets_and_serial_arrive_in_one_line_and_are_proved(bench):
    board = bench.board()
    status, said = bench.run(board)
    assert status == 0 and "1 good, 0 not good" in said
    assert board.settings == {
        "device.serial": "A",
        "level.reorder_pct": 25,
        "lwa.client_id": "c",
        "lwa.refresh_token": SECRETS["LOWTIDE_LWA_REFRESH_TOKEN"],
        "slot.id": "Paper",
        "wifi.password": SECRETS["LOWTIDE_WIFI_PASSWORD"],
        "wifi.ssid": "Home",
    }
    assert len(stored(board)) == 1 and board.lines.index("selftest") == len(board.lines) - 1
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


# Which board got which serial number.


def test_ten_boards_at_once_get_ten_serial_numbers(bench):
    serials = [f"S{n}" for n in range(10)]
    bench.rows(*serials)
    boards = [bench.board() for _ in serials]
    assert bench.run(*boards)[0] == 0
    assert [board.settings["device.serial"] for board in boards] == serials
    assert {row["serial"]: row["port"] for row in bench.report().values()} == {
        serial: board.port for serial, board in zip(serials, boards, strict=True)
    }


def test_a_board_keeps_the_serial_number_it_carries(bench):
    board, blank = bench.board(device__serial="A"), bench.board()
    assert bench.run(blank, board)[0] == 0
    assert board.settings["device.serial"] == "A" and blank.settings["device.serial"] == "B"


def test_a_stranger_and_a_copy_are_left_alone(bench):
    stranger, one, other = (bench.board(device__serial=name) for name in ("Z", "C", "C"))
    status, said = bench.run(stranger, one, other)
    assert status == 1 and "Z, which is not of this batch" in said and "two boards" in said
    assert not any(stored(board) for board in (stranger, one, other))
    bench.csv.unlink()
    bench.path = bench.folder / "settings-report.csv"
    assert bench.run(one, other)[0] == 1 and not stored(one) and not stored(other)


def test_a_second_run_gives_other_boards_other_serial_numbers(bench):
    first, second, third = bench.board(), bench.board(), bench.board()
    first.fails = {"gauge": "disconnected"}
    assert bench.run(first)[0] == 1 and bench.run(second)[0] == 0 and bench.run(third)[0] == 0
    assert [b.settings["device.serial"] for b in (first, second, third)] == ["A", "B", "C"]
    status, said = bench.run(bench.board())
    assert status == 1 and "no serial number is left" in said


def test_a_refused_setting_gives_the_serial_number_back(bench):
    board = bench.board()

    def refuse(rest):
        if rest:
            raise ValueError("level.reorder_pct: want less")
        return board._config(rest)

    board.on["config"] = refuse
    status, said = bench.run(board)
    assert status == 1 and "level.reorder_pct: want less" in said
    assert set(bench.report()) == {board.port}
    board.on.clear()
    assert bench.run(board)[0] == 0 and set(bench.report()) == {"A"}


def test_a_line_that_never_arrived_gives_the_serial_number_back(bench):
    board = bench.board()
    board.on["config"] = lambda rest: None if rest else board._config(rest)
    assert bench.run(board)[0] == 1
    assert bench.result(board.port)[0] == "failed" and "A" not in bench.report()


def test_an_answer_that_was_lost_keeps_the_serial_number_on_the_board(bench):
    board = bench.board()

    def deaf(rest):
        answer = board._config(rest)
        return None if rest else answer

    board.on["config"] = deaf
    assert bench.run(board)[0] == 1 and bench.result("A")[0] == "failed"
    board.on.clear()
    assert bench.run(board)[0] == 0 and bench.result("A")[0] == "good"


def test_a_board_cut_off_in_between_keeps_its_serial_number_from_the_others(bench):
    board = bench.board()

    def cut(rest):
        if not rest:
            return board._config(rest)
        board.unplug()
        return None

    board.on["config"] = cut
    status, said = bench.run(board)
    assert status == 1 and "unplugged" in said
    assert bench.result("A")[0] == "failed"
    other = bench.board()
    assert bench.run(other)[0] == 0 and other.settings["device.serial"] == "B"
    # Its row deleted by hand, it is free again.
    lines = bench.path.read_text().splitlines(True)
    bench.path.write_text("".join(line for line in lines if not line.startswith("A,")))
    third = bench.board()
    assert bench.run(third)[0] == 0 and third.settings["device.serial"] == "A"


def test_without_a_batch_a_board_keeps_its_serial_number_or_none(bench):
    bench.csv.unlink()
    bench.path = bench.folder / "settings-report.csv"
    named, blank = bench.board(device__serial="Z"), bench.board()
    assert bench.run(named, blank)[0] == 0
    assert set(bench.report()) == {"Z", blank.port} and "device.serial" not in blank.settings


def test_a_serial_number_in_the_file_is_for_one_board(bench):
    bench.file.write_text('device.serial = "X"\n')
    one, other = bench.board(), bench.board()
    status, said = bench.run(one, other)
    assert status == 2 and "device.serial" in said and "leave it out" in said
    bench.csv.unlink()
    status, said = bench.run(one, other)
    assert status == 2 and "one for many boards" in said and not one.lines
    assert bench.run(one)[0] == 0 and one.settings["device.serial"] == "X"


def test_another_identity_forgets_the_registration(bench, monkeypatch):
    monkeypatch.delenv("LOWTIDE_LWA_REFRESH_TOKEN")
    board = bench.board(device__serial="A", lwa__client_id="old", lwa__refresh_token="Atzr|old")
    assert bench.run(board)[0] == 0
    assert board.settings["lwa.refresh_token"] == ""
    assert "set lwa.refresh_token" in bench.result("A")[1]


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
    untested = "not tested: token: not configured yet: register, or set lwa.refresh_token"
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
            raise ValueError("out of memory; nothing done: try again when the uplink is over")
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
        assert "1 good, 2 not good; the same command again goes on with them" in said
        assert bench.result("A")[1] == "selftest: interrupted"
    for board in boards:
        board.on.clear()
    assert bench.run(*boards)[0] == 0 and not stored(boards[2])
    assert [board.settings["device.serial"] for board in boards] == ["A", "B", "C"]


# What a person in the factory gets wrong.


def test_nothing_is_touched_by_wrong_input_and_all_of_it_is_said(bench):
    board = bench.board()
    bench.file.write_text("level.reorder_pct = 99\n")
    bench.rows("A", "A")
    secrets = bench.folder / "secrets.toml"
    secrets.write_text('wifi.password = "hunter-22"\n')
    secrets.chmod(0o644)
    status, said = bench.run(board, board, options=["--secrets", str(secrets)])
    assert status == 2 and not board.lines and not bench.path.exists()
    for part in ("level.reorder_pct", "line 3: A is in line 2", "chmod 600", "one port twice"):
        assert part in said
    assert all(line.startswith("provision: ") for line in said.splitlines())


def test_a_wrong_port_and_a_busy_one_do_not_hold_up_the_others(bench):
    good, busy, gone = bench.board(), bench.board(), bench.board()
    gone.unplug()
    with open_alone(busy.port):
        status, said = bench.run(gone, busy, good)
    assert status == 1 and good.settings["device.serial"] == "A"
    assert "no such port" in said and "in use by another program" in said


def open_alone(port):
    import serial

    return serial.Serial(port, exclusive=True)


def test_a_board_that_does_not_answer_is_reported(bench):
    silent, prompt = bench.board(), bench.board()
    silent.on["json"] = lambda _: None
    prompt.on["json"] = lambda _: prompt.say(">>> json on")
    status, said = bench.run(silent, prompt)
    assert status == 1 and "no answer in 2 s; is it powered?" in said
    assert "MicroPython's own prompt answers" in said
    assert set(bench.report()) == {silent.port, prompt.port}


def test_nothing_is_sent_where_the_report_cannot_be_written(bench, monkeypatch):
    board = bench.board()
    bench.path.touch()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    status, said = bench.run(board)
    assert status == 1 and "No space left" in said and not stored(board)


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
