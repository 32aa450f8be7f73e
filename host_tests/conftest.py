"""Two lanes over host_tests/both, CPython and the real MicroPython, and the kits' fixtures."""

import os
from pathlib import Path

import pytest
from mp_runner import MicroPythonFile

# The kits whose fixtures the tests name.
pytest_plugins = ["board_kit", "drs_sim_kit", "maker_kit", "provision_kit", "virtual_board_kit"]
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
