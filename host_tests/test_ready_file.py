"""The ready files of simulator and virtual board: there while the process is, and no older one."""

import json
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from drs_sim_kit import ROOT, Sim

from tools import ready_file
from tools.virtual_board.driver import VirtualBoard


@pytest.fixture(autouse=True)
def _hang_up_is_not_ignored():
    # By those who start here, even where these tests run under nohup.
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def start(tool, folder, *options):
    """Run a tool that ends by itself, its ready file in `folder`."""
    return subprocess.run(
        [sys.executable, "-m", f"tools.{tool}", "--ready", folder / "ready.json", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def board(folder, flash, *options):
    """Return the options of a board."""
    return ("--flash", flash, "--link", folder / "link", "--level", folder / "level", *options)


def ended_pid():
    """Return the number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize(
    "left",
    [
        lambda: json.dumps({"pid": ended_pid()}),
        lambda: json.dumps({"pid": os.getpid()}),  # a number that another process has by now
        lambda: '{"pid": "x"}',
        lambda: "[]",
        lambda: "\0\xff",
    ],
)
@pytest.mark.parametrize("tool", ["drs_sim", "virtual_board"])
def test_what_an_earlier_run_left_goes_before_anything_can_fail(tool, left, tmp_path):
    ready = tmp_path / "ready.json"
    ready.write_text(left(), encoding="latin-1")
    wrong = tmp_path / "folder"
    wrong.mkdir()
    options = ("--state", wrong) if tool == "drs_sim" else board(tmp_path, wrong)
    assert start(tool, tmp_path, *options).returncode == 2
    assert not ready.exists()


def test_the_boards_old_file_is_gone_while_it_waits_for_the_simulator(tmp_path):
    ready = tmp_path / "ready.json"
    ready.write_text(json.dumps({"pid": ended_pid()}))
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        server.settimeout(60)
        url = "http://127.0.0.1:%d" % server.getsockname()[1]
        options = board(tmp_path, tmp_path / "flash", "--clock-from", url)
        done = pool.submit(start, "virtual_board", tmp_path, *options)
        with server.accept()[0]:
            assert not ready.exists()
        assert done.result().returncode == 2


def test_a_number_that_this_process_has_itself_is_of_an_earlier_one(tmp_path):
    ready = tmp_path / os.path.basename(sys.executable)  # which its command line holds
    ready_file.write(ready, {})
    ready_file.drop_stale(ready)
    assert not ready.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_simulators_is_there_while_it_runs_also_beside_a_second_start(tmp_path, number):
    sim = Sim(tmp_path)
    refused = start("drs_sim", tmp_path, "--state", tmp_path / "state.db")
    assert refused.returncode == 2
    ready = tmp_path / "ready.json"
    assert json.loads(ready.read_text()) == sim.ready
    assert sim.stop(number) == 0
    assert not ready.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_boards_is_there_while_it_runs_also_beside_a_second_start(tmp_path, number):
    running = VirtualBoard(tmp_path)
    ready = tmp_path / "board.json"
    options = board(tmp_path, running.flash, "--ready", ready)
    assert start("virtual_board", tmp_path, *options).returncode == 2
    assert json.loads(ready.read_text())["pid"] == running.process.pid
    assert running.power_off(number) == 0
    assert not ready.exists()
    # The number of the pty that it led to is soon another program's.
    assert not os.path.lexists(running.link)


def test_a_closed_terminal_ends_nothing_that_nohup_started(monkeypatch):
    monkeypatch.setattr(signal, "getsignal", lambda number: signal.SIG_DFL)
    assert signal.SIGHUP in ready_file.ending_signals()
    monkeypatch.setattr(signal, "getsignal", lambda number: signal.SIG_IGN)
    assert set(ready_file.ending_signals()) == {signal.SIGTERM, signal.SIGINT}


def test_at_the_end_the_file_of_another_process_stays(tmp_path):
    ready = tmp_path / "ready.json"
    ready.write_text('{"pid": 1}')
    ready_file.drop_own(ready)
    assert ready.exists()
