"""The MicroPython lane itself: a lane that cannot fail proves nothing."""

import subprocess
import sys

import mp_runner
import pytest

FAILING = """
import kit  # the shared helpers are within reach

def test_good():
    assert kit.HOUR == 3600

def test_bad():
    one = 1
    assert one == 2

def test_exits():
    raise SystemExit(0)
"""


def test_a_failing_test_is_reported_with_its_micropython_traceback(tmp_path):
    (tmp_path / "test_mixed.py").write_text(FAILING)
    results = mp_runner.run_file(tmp_path / "test_mixed.py")
    assert results["test_good"] is None
    assert "AssertionError" in results["test_bad"]
    assert "line 9, in test_bad" in results["test_bad"]
    assert "SystemExit" in results["test_exits"]


def test_a_file_that_does_not_import_fails_every_test(tmp_path):
    (tmp_path / "test_broken.py").write_text("import no_such_module\ndef test_x(): pass\n")
    results = mp_runner.run_file(tmp_path / "test_broken.py")
    assert set(results) == {""}
    assert "no_such_module" in results[""]


def test_an_interpreter_that_dies_passes_for_no_test_it_did_not_report(tmp_path):
    (tmp_path / "test_dies.py").write_text(
        "import os\ndef test_a(): pass\ndef test_b(): os.system('kill -9 $PPID')\n"
    )
    results = mp_runner.run_file(tmp_path / "test_dies.py")
    assert results["test_a"] is None
    assert "test_b" not in results
    assert "interpreter ended with" in results[""]


def test_a_missing_interpreter_is_a_failure(tmp_path):
    (tmp_path / "test_ok.py").write_text("def test_ok(): pass\n")
    with pytest.raises(RuntimeError, match="does not start"):
        mp_runner.run_file(tmp_path / "test_ok.py", str(tmp_path / "micropython"))


def test_pytest_reports_both_lanes_and_their_failures(tmp_path):
    both = tmp_path / "both"
    both.mkdir()
    (both / "test_mixed.py").write_text(FAILING)
    (both / "kit.py").write_text("HOUR = 3600\n")
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["mp_runner"]\n')
    for name in ("mp_runner.py", "lane.py"):
        (tmp_path / name).write_text((mp_runner.HERE / name).read_text())
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "--rootdir", str(tmp_path), str(both)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILED both/test_mixed.py::test_bad[micropython]" in done.stdout
    assert "FAILED both/test_mixed.py::test_bad " in done.stdout
    assert "PASSED both/test_mixed.py::test_good[micropython]" in done.stdout
