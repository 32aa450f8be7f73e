"""Two lanes over host_tests/both: CPython as usual, and the real MicroPython beside it."""

import os
from pathlib import Path

import pytest
from drs_sim_kit import START, Sim
from mp_runner import MicroPythonFile

BOTH = Path(__file__).parent / "both"
# `make hil` names a board; without one there is nothing to test.
collect_ignore = [] if os.environ.get("LOWTIDE_PORT") else ["hil"]


def pytest_collect_file(file_path, parent):
    """Collect each file of both/ a second time, for the interpreter."""
    if file_path.parent == BOTH and file_path.match("test_*.py"):
        return MicroPythonFile.from_parent(parent, path=file_path)
    return None


@pytest.fixture(autouse=True)
def empty_folder(request, monkeypatch, tmp_path):
    """Give each test of both/ an empty current folder, as the other lane does."""
    if request.path.parent == BOTH:
        monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def sim(tmp_path_factory):
    """Give the simulator that the tests of a file share."""
    running = Sim(tmp_path_factory.mktemp("drs_sim"), "--time", START)
    yield running
    assert running.stop() == 0


@pytest.fixture
def device(sim):
    """Give a device of the simulator's, registered and subscribed."""
    return sim.device()
