"""`make hil` itself: it passes on the virtual board, and finds what is wrong with one."""

import os
import subprocess

import pytest

from tools import image
from tools.demo.bench import Bench


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path, "2026-03-02T08:00:00Z")
    yield bench
    bench.close()


def hil(*settings, **environment):
    """Run `make hil`; return its status and what it said."""
    done = subprocess.run(
        ["make", "-s", "hil", *settings],
        cwd=image.ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


def start(bench, level):
    bench.start_simulator()
    bench.control("POST", "/clock", {"speed": 1, "paused": False})
    bench.level = level
    bench.power_on()
    service = bench.service["drs"].removeprefix("https://")
    return [f"PORT={bench.board['link']}", f"CERT={bench.service['ca_der']}", f"TLS={service}"]


def test_every_test_passes_on_the_virtual_board(bench):
    status, said = hil(*start(bench, 0.5), "WIFI=x")
    assert status == 0, said
    assert "10 passed" in said and "skipped" not in said
    assert "back after" in said and "handshake" in said


def test_a_loose_gauge_and_a_strange_peer_are_found(bench, tmp_path):
    settings = start(bench, 0.5)
    (tmp_path / "level").unlink()
    other = Bench(tmp_path / "other", "2026-03-02T08:00:00Z")
    (tmp_path / "other").mkdir()
    try:
        other.start_simulator()
        settings[2] = "TLS=" + other.service["drs"].removeprefix("https://")
        status, said = hil(*settings, "WIFI=x")
    finally:
        other.close()
    assert status != 0
    assert "FAILED host_tests/hil/test_board.py::test_its_gauge_is_wired" in said
    assert (
        "FAILED host_tests/hil/test_board.py::test_tls_trusts_the_host_and_no_other_name" in said
    )
    assert "2 failed, 8 passed" in said


def test_without_a_port_it_says_what_to_type(tmp_path):
    status, said = hil()
    assert status != 0
    assert said.startswith("say which port: make hil PORT=/dev/ttyUSB0")
    assert hil(f"PORT={tmp_path}/none")[1].startswith(f"{tmp_path}/none: no such port; ")
