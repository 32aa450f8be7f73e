"""The one table of `make bench`, the heap of the order flow, the names that it takes."""

import subprocess
import sys

import pytest

from tools.bench import fleet, flow, size
from tools.bench.__main__ import NAMES
from tools.bench.summary import Row, markdown, table
from tools.image import ROOT

# Below the 128 KiB that are promised, and falling with what `python -m tools.bench flow` finds.
HEAP = 108 * 1024


@pytest.mark.parametrize("console", [True, False])
def test_the_whole_order_flow_runs_in_its_heap(console):
    assert flow.completes(HEAP, console)


def test_a_heap_that_is_too_small_for_the_order_flow_is_noticed():
    assert not flow.completes(64 * 1024, console=False)


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (Row("a", "ms", 1, 2, "peer"), "Lowtide"),
        (Row("a", "ms", 2, 1, "peer"), "the other"),
        (Row("a", "ms", 2, 2, "peer"), "equal"),
        (Row("a", "ms", 0, 0, "peer", noise=0.1), "equal"),
        (Row("a", "ms", 1.05, 1, "peer", noise=0.1), "equal"),
        (Row("a", "ms", 1.2, 1, "peer", noise=0.1), "the other"),
        (Row("a", "calls a second", 2, 1, "peer", more=True), "Lowtide"),
        (Row("a", "calls a second", 1, 2, "peer", more=True), "the other"),
        (Row("a", "ms", 1), ""),
        (Row("a", "bytes", 2, 1, "promised", is_limit=True), "MISSED"),
        (Row("a", "bytes", 1, 1, "promised", is_limit=True), "held"),
    ],
)
def test_a_row_says_who_is_better(row, verdict):
    assert row.verdict == verdict


def test_the_table_has_a_line_for_every_row_and_hides_none():
    lines = table([Row("a", "ms", 1.5), Row("b", "bytes", 2000, 1000, "peer")]).splitlines()
    assert len(lines) == 3
    assert lines[1].split() == ["a:", "ms", "1.50"]
    assert lines[2].split() == ["b:", "bytes", "2,000", "1,000", "peer", "the", "other"]


def test_the_readme_has_a_line_for_each_figure_and_names_who_is_better():
    rows = [
        *(Row("a", "ms", 2, 1, "x"), Row("a", "ms", 2, 3, "y")),
        *(Row("b", "ms", 1, 1, "x"), Row("c", "ms", 1, 1, "x"), Row("c", "ms", 1, 2, "y")),
        *(Row("d", "bytes", 2, limit, "most", is_limit=True) for limit in (3, 1)),
    ]
    assert markdown(rows).splitlines()[2:] == [
        "| a: ms | 2 | 1 x; 3 y | x |",
        "| b: ms | 1 | 1 x | equal |",
        "| c: ms | 1 | 1 x; 2 y | Lowtide |",
        "| d: bytes | 2 | 3 most; 1 most | MISSED: most |",
    ]


def test_the_size_is_set_beside_enviro_s_and_what_is_promised():
    rows = size.measure()
    assert {row.theirs for row in rows} == {30_700, 24_000, 36_000}
    assert 0 < rows[0].ours < rows[2].ours


def test_the_fleet_is_timed_on_one_worker_and_on_two(monkeypatch):
    ran = []
    monkeypatch.setattr(fleet, "run", lambda of, workers: ran.append((of.devices, workers)))
    one, two = fleet.measure()
    assert ran[:2] == [(24, 1), (48, 2)]
    assert one.theirs is None and two.theirs == one.ours


def test_a_measurement_that_there_is_not_is_said():
    done = subprocess.run(
        [sys.executable, "-m", "tools.bench", "wakes"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr == f"bench: say which: {', '.join(NAMES)}; or --readme\n"
