"""`make demo` interrupted: one line, and nothing of it goes on."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tools import image
from tools.virtual_board.driver import eventually, is_alive


@pytest.fixture
def demo(tmp_path):
    # As a terminal has it: a group of its own, which gets Ctrl-C as one.
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.demo", "--keep", tmp_path],
        cwd=image.ROOT,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_ctrl_c_is_one_line_and_stops_everything(demo, tmp_path):
    ready = [tmp_path / "drs_sim.json", tmp_path / "virtual_board.json"]
    eventually(lambda: demo.poll() is not None or all(path.exists() for path in ready), 60)
    pids = [json.loads(path.read_text())["pid"] for path in ready]
    os.killpg(demo.pid, signal.SIGINT)
    said = demo.communicate(timeout=60)[1]
    assert (demo.returncode, said) == (130, "demo: interrupted\n")
    assert not any(is_alive(pid) for pid in pids)
    assert not any(path.exists() for path in ready)
