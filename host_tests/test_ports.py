"""What a port that cannot be opened says, in every tool."""

import subprocess

import pytest
import serial
from deploy_kit import cli

from tools import device, image, port
from tools.device import Device


@pytest.mark.parametrize("target", ["console", "dev", "hil"])
def test_make_itself_says_what_is_wrong_with_a_port(tmp_path, target):
    plain = tmp_path / "plain"
    plain.touch()
    command = ["make", "-s", target, f"PORT={plain}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=image.ROOT)
    assert done.stderr.startswith(f"{plain}: not a serial port\n")


def test_a_port_that_is_not_there_says_how_to_get_one(tmp_path):
    # Where the virtual board's is, `make board` makes it, whatever else was left there.
    link = tmp_path / "board"
    assert port.seen(str(link)).startswith("no such port; start 'make board' first")
    link.symlink_to(tmp_path / "gone")
    assert port.seen(str(link)).startswith("no such port; start 'make board' first")
    assert port.seen("/dev/tty-none").startswith("no such port; is the board plugged in?")


@pytest.mark.parametrize("target", ["console", "provision"])
def test_a_target_that_takes_no_board_asks_for_none(target):
    done = subprocess.run(["make", "-s", target], capture_output=True, text=True, cwd=image.ROOT)
    assert done.stdout == (
        f"say which port: make {target} PORT=/dev/ttyUSB0, or PORT=build/board\n"
    )


def test_a_port_says_why_it_cannot_be_opened(start, tmp_path, monkeypatch):
    board = start()
    assert not port.seen(str(board.link)) and not port.seen("rfc2217://127.0.0.1:9")
    with serial.Serial(str(board.link), exclusive=True):
        assert cli("--port", str(board.link), "--board", "host") == (
            1,
            f"deploy: {board.link}: in use by another program; close its console\n",
        )
        with pytest.raises(device.DeviceError, match="in use by another program"):
            Device(str(board.link), exclusive=True)
    # Root may open everything.
    monkeypatch.setattr("os.access", lambda *_: False)
    for error in (None, PermissionError("x")):
        assert port.why(str(board.link), error).startswith("no permission; your user belongs in")
