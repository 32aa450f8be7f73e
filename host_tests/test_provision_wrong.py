"""What a person in the factory gets wrong: it is said, and holds up nothing else."""

import os

import pytest
from provision_kit import stored


def test_nothing_is_touched_by_wrong_input_and_all_of_it_is_said(bench):
    board = bench.board()
    bench.file.write_text("level.reorder_pct = 99\n")
    bench.rows("A", "A")
    secrets = bench.folder / "secrets.toml"
    secrets.write_text('wifi.password = "hunter-22"\n')
    secrets.chmod(0o644)
    status, said = bench.run(board, board, options=["--secrets", str(secrets)])
    assert status == 2 and not board.lines and not bench.path.exists()
    for part in ("level.reorder_pct", "line 3: A is in line 2", "chmod 600", "one port twice"):
        assert part in said
    assert all(line.startswith("provision: ") for line in said.splitlines())


def test_a_wrong_port_and_a_busy_one_do_not_hold_up_the_others(bench):
    good, busy, gone = bench.board(), bench.board(), bench.board()
    gone.unplug()
    with open_alone(busy.port):
        status, said = bench.run(gone, busy, good)
    assert status == 1 and good.settings["device.serial"] == "A"
    assert "no such port" in said and "in use by another program" in said
    last = f"provision: 2 of 3 not good: {gone.port}, {busy.port}; see above why: the same command"
    assert said.splitlines()[-1].startswith(last)


def open_alone(port):
    import serial

    return serial.Serial(port, exclusive=True)


def test_a_board_that_does_not_answer_is_reported(bench):
    silent, prompt = bench.board(), bench.board()
    silent.on["json"] = lambda _: None
    prompt.on["json"] = lambda _: prompt.say(">>> json on")
    status, said = bench.run(silent, prompt)
    assert status == 1 and "no answer in 2 s; is it powered?" in said
    assert "MicroPython's own prompt answers" in said
    assert set(bench.report()) == {silent.port, prompt.port}


@pytest.mark.parametrize("port", ["abc", "-1", "65536", ""])
def test_a_port_for_the_browser_that_is_none_is_refused(bench, port):
    with pytest.raises(SystemExit, match="2"):
        bench.run(bench.board(), options=["--register", f"--redirect-port={port}"])
    assert f"want a port from 0 to 65535, not {port}" in bench.said() and not bench.path.exists()


def test_nothing_is_sent_where_the_report_cannot_be_written(bench, monkeypatch):
    board = bench.board()
    bench.path.touch()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    status, said = bench.run(board)
    assert status == 1 and "No space left" in said and not stored(board)
