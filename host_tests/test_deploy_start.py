"""The end of `make deploy`: what runs on the board is looked at, and said."""

import json
import shutil

import pytest
import serial

import lowtide
from tools import deploy, device, image
from tools.device import Device


def answers_at_first(board):
    """Return what the console gives back for a line, as a person who comes next sees it."""
    with serial.Serial(str(board.link), 115200, timeout=10) as line:
        line.write(b"time\r")
        return line.read_until(b"Z\r\n").decode()


def deployed(board, capsys):
    """Deploy as `make deploy` does; return its status, the last line of it, and its error."""
    status = deploy.main(["--port", str(board.link), "--board", "host"])
    said = capsys.readouterr()
    return status, said.out.splitlines()[-1], said.err


def test_it_ends_with_the_version_that_answers_and_what_to_type_next(start, capsys):
    board = start()
    ends = (
        f"Lowtide {lowtide.VERSION} answers on {board.link}, not set up: wifi.ssid; "
        f"next: make console PORT={board.link}"
    )
    assert deployed(board, capsys) == (0, ends, "")
    # Nothing moves, and it is looked at all the same; nobody is left in JSON mode.
    assert deployed(board, capsys) == (0, ends, "")
    assert "time\r\ntime: " in answers_at_first(board)


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        ("app.py", "import no_such", "ImportError: no module named 'no_such' (File \"app\""),
        ("boot.py", "def (", 'SyntaxError: invalid syntax (File "boot.py"'),
        ("lowtide/console.py", "1 / 0", 'ZeroDivisionError: divide by zero (File "console"'),
    ],
)
def test_a_version_that_cannot_start_fails_with_its_reason(
    start, tmp_path, capsys, monkeypatch, source, line, reason
):
    board, whole = start(), image.FIRMWARE
    broken = tmp_path / "firmware"
    shutil.copytree(whole, broken)
    text = (broken / source).read_text()
    (broken / source).write_text(text.replace("import sys\n", f"import sys\n{line}\n", 1))
    monkeypatch.setattr(image, "FIRMWARE", broken)
    status, _, error = deployed(board, capsys)
    assert status == 1
    assert error.startswith(f"deploy: what is on the board does not run: {board.link}: {reason}")
    assert error.endswith("; mend it, or take the version before, and deploy again\n")
    assert error.count("\n") == 1
    monkeypatch.setattr(image, "FIRMWARE", whole)
    assert deployed(board, capsys)[0] == 0


def test_another_version_that_answers_is_no_success(start, capsys, monkeypatch):
    answers = lowtide.VERSION
    monkeypatch.setattr(lowtide, "VERSION", "9.9.9")
    status, _, error = deployed(start(), capsys)
    assert status == 1
    assert f": {answers} answers, not 9.9.9: it is frozen" in error


def test_a_board_on_a_battery_and_one_in_safe_mode_say_so(start, capsys):
    board = start()
    assert deployed(board, capsys)[0] == 0
    board.execute("import machine; machine.RTC().memory(bytes((3, 0, 0)))")
    assert (
        ", in safe mode after three crashes; `reboot` leaves it; next"
        in (deployed(board, capsys)[1])
    )
    settings = {"lwa.client_id": "c", "lwa.refresh_token": "Atzr|of-a-test", "slot.id": "s"}
    settings |= {"wifi.ssid": "x", "power.mode": "battery"}
    settings |= dict.fromkeys(("drs.host", "lwa.host", "ntp.host"), "127.0.0.1")
    settings |= dict.fromkeys(("drs.port", "lwa.port", "ntp.port"), 9)
    console = Device(str(board.link))
    console.command("config " + json.dumps(settings))
    console.leave()
    assert ", for ten seconds, then it sleeps; next" in deployed(board, capsys)[1]


def test_a_board_at_the_prompt_and_one_that_is_silent_are_told_apart(start, monkeypatch):
    board = start()
    with pytest.raises(device.DeviceError, match="MicroPython's own prompt answers"):
        device.started(str(board.link))
    monkeypatch.setattr(device, "_START_S", 2)
    board.mpremote("exec", "--no-follow", "while True: pass")
    with pytest.raises(device.DeviceError, match="no answer in 2 s"):
        device.started(str(board.link))
