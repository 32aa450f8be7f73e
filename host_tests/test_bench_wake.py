"""What a wake loads and calls, told by the device itself: the firmware on the virtual board."""

import re

import pytest

from tools import readme
from tools.bench.board import board, firmware

NETWORK = {"asyncio", "ssl", "tls", "socket"} | {
    f"lowtide.{name}" for name in ("console", "drs", "https", "link", "uplink")
}


@pytest.fixture(scope="module")
def wakes():
    """The three wakes in which a bin is confirmed low; the last one orders."""
    with board(firmware()) as bench:
        bench.talk_and_sleep()
        made = bench.run_low()
        assert bench.orders() == 1
        yield made


def test_the_readme_s_wake_is_about_the_one_that_is_measured(wakes):
    shown = re.search(r"measure wake: bytes of .mpy loaded \| ([\d,]+) ", readme.part("bench"))
    loaded = wakes[0].mpy_bytes
    assert abs(int(shown[1].replace(",", "")) - loaded) < loaded / 10, (
        "stale: .venv/bin/python -m tools.bench --readme"
    )


def test_a_measure_wake_does_not_grow_with_history():
    with board(firmware()) as bench:
        bench.talk_and_sleep()
        made = []
        for orders in (1, 2):
            bench.live()
            assert bench.orders() == orders
            made.append(bench.measure_wakes(2))
    early, late = made
    assert [w.flash for w in early + late] == [0] * 4
    assert max(w.heap for w in late) <= max(w.heap for w in early)
    assert [w.ours for w in late] == [w.ours for w in early]


def test_an_uplink_wake_that_orders_writes_flash(wakes):
    # The count of the test above can be other than 0.
    assert wakes[2].flash > 0 == wakes[0].flash


def test_a_measure_wake_loads_nothing_of_the_network_and_connects_to_nobody(wakes):
    for measure in wakes[:2]:
        assert "lowtide.agent" in measure.ours
        assert not NETWORK & {*measure.ours, *measure.others}
        assert measure.traffic.connections == 0


def test_an_uplink_wake_takes_its_token_through_deep_sleep_and_makes_one_handshake(wakes):
    uplink = wakes[2]
    assert {"lowtide.https", "lowtide.uplink", "asyncio"} <= {*uplink.ours, *uplink.others}
    assert "lowtide.console" not in uplink.ours
    assert (uplink.traffic.connections, uplink.traffic.handshakes) == (1, 1)


def test_the_bytes_of_a_wake_are_those_of_the_files_that_it_loaded(wakes, tmp_path):
    from tools import image

    image.stage("host", tmp_path / "stage")
    for name, size in wakes[2].ours.items():
        path = tmp_path / "stage" / name.replace(".", "/")
        file = path / "__init__.mpy" if path.is_dir() else path.with_suffix(".mpy")
        assert file.stat().st_size == size
