"""Which board got which serial number, whatever is cut off, refused or run again."""

import pytest
from provision_kit import stored


def test_ten_boards_at_once_get_ten_serial_numbers(bench):
    serials = [f"S{n}" for n in range(10)]
    bench.rows(*serials)
    boards = [bench.board() for _ in serials]
    assert bench.run(*boards)[0] == 0
    assert [board.settings["device.serial"] for board in boards] == serials
    assert {row["serial"]: row["port"] for row in bench.report().values()} == {
        serial: board.port for serial, board in zip(serials, boards, strict=True)
    }


def test_a_board_keeps_the_serial_number_it_carries(bench):
    board, blank = bench.board(device__serial="A"), bench.board()
    assert bench.run(blank, board)[0] == 0
    assert board.settings["device.serial"] == "A" and blank.settings["device.serial"] == "B"


def test_a_stranger_and_a_copy_are_left_alone(bench):
    stranger, one, other = (bench.board(device__serial=name) for name in ("Z", "C", "C"))
    status, said = bench.run(stranger, one, other)
    assert status == 1 and "Z, which is not of this batch" in said and "two boards" in said
    assert not any(stored(board) for board in (stranger, one, other))
    bench.csv.unlink()
    bench.path = bench.folder / "settings-report.csv"
    assert bench.run(one, other)[0] == 1 and not stored(one) and not stored(other)


def test_a_second_run_gives_other_boards_other_serial_numbers(bench):
    first, second, third = bench.board(), bench.board(), bench.board()
    first.fails = {"gauge": "disconnected"}
    assert bench.run(first)[0] == 1 and bench.run(second)[0] == 0 and bench.run(third)[0] == 0
    assert [b.settings["device.serial"] for b in (first, second, third)] == ["A", "B", "C"]
    status, said = bench.run(bench.board())
    assert status == 1 and "no serial number is left" in said


def test_a_refused_setting_gives_the_serial_number_back(bench):
    board = bench.board()

    def refuse(rest):
        if rest:
            raise ValueError("level.reorder_pct: want less")
        return board._config(rest)

    board.on["config"] = refuse
    status, said = bench.run(board)
    assert status == 1 and "level.reorder_pct: want less" in said
    assert set(bench.report()) == {board.port}
    board.on.clear()
    assert bench.run(board)[0] == 0 and set(bench.report()) == {"A"}


def test_a_line_that_never_arrived_gives_the_serial_number_back(bench):
    board = bench.board()
    board.on["config"] = lambda rest: None if rest else board._config(rest)
    assert bench.run(board)[0] == 1
    assert bench.result(board.port)[0] == "failed" and "A" not in bench.report()


def test_an_answer_that_was_lost_keeps_the_serial_number_on_the_board(bench):
    board = bench.board()

    def deaf(rest):
        answer = board._config(rest)
        return None if rest else answer

    board.on["config"] = deaf
    assert bench.run(board)[0] == 1 and bench.result("A")[0] == "failed"
    board.on.clear()
    assert bench.run(board)[0] == 0 and bench.result("A")[0] == "good"


def test_a_board_cut_off_in_between_keeps_its_serial_number_from_the_others(bench):
    board = bench.board()

    def cut(rest):
        if not rest:
            return board._config(rest)
        board.unplug()
        return None

    board.on["config"] = cut
    status, said = bench.run(board)
    assert status == 1 and "unplugged" in said
    assert bench.result("A")[0] == "failed"
    other = bench.board()
    assert bench.run(other)[0] == 0 and other.settings["device.serial"] == "B"
    # Its row deleted by hand, it is free again.
    lines = bench.path.read_text().splitlines(True)
    bench.path.write_text("".join(line for line in lines if not line.startswith("A,")))
    third = bench.board()
    assert bench.run(third)[0] == 0 and third.settings["device.serial"] == "A"


def test_without_a_batch_a_board_keeps_its_serial_number_or_none(bench):
    bench.csv.unlink()
    bench.path = bench.folder / "settings-report.csv"
    named, blank = bench.board(device__serial="Z"), bench.board()
    assert bench.run(named, blank)[0] == 0
    assert set(bench.report()) == {"Z", blank.port} and "device.serial" not in blank.settings


def test_a_serial_number_in_the_file_is_for_one_board(bench):
    bench.file.write_text('device.serial = "X"\n')
    one, other = bench.board(), bench.board()
    status, said = bench.run(one, other)
    assert status == 2 and "device.serial" in said and "leave it out" in said
    bench.csv.unlink()
    status, said = bench.run(one, other)
    assert status == 2 and "one for many boards" in said and not one.lines
    assert bench.run(one)[0] == 0 and one.settings["device.serial"] == "X"


IDENTITY = {"device.serial": "A", "device.model": "m", "lwa.client_id": "c"}


@pytest.mark.parametrize("name", IDENTITY)
@pytest.mark.parametrize("was", ["old", ""])
def test_the_registration_of_another_identity_is_left_alone(bench, name, was):
    bench.csv.unlink()
    lines = (f'{field} = "{value}"\n' for field, value in IDENTITY.items())
    bench.file.write_text("".join(lines))
    bench.path = bench.folder / "settings-report.csv"
    before = IDENTITY | {name: was, "lwa.refresh_token": "Atzr|old"}
    board = bench.board(**{field.replace(".", "__"): value for field, value in before.items()})
    for _ in range(2):
        status, said = bench.run(board)
        assert status == 1 and not stored(board) and board.settings == before
        told = f"{name}: it is registered with {was or 'none'}, not {IDENTITY[name]}; "
        assert f"failed: {told}factory-reset it first, or AGAIN=1 (--again) forgets" in said


def test_the_registration_of_another_identity_is_forgotten_where_it_is_asked_for(
    bench, monkeypatch
):
    monkeypatch.delenv("LOWTIDE_LWA_REFRESH_TOKEN")
    board = bench.board(device__serial="A", lwa__client_id="old", lwa__refresh_token="Atzr|old")
    status, said = bench.run(board, options=["--again"])
    assert status == 0 and "serial number A, is forgotten here and not at the service" in said
    assert board.settings["lwa.refresh_token"] == ""
    assert "'help lwa.refresh_token'" in bench.result("A")[1]


def test_a_board_cut_off_between_two_lines_of_settings_goes_on_without_a_question(
    bench, monkeypatch
):
    """The registration is never on a board without the identity that it is of."""
    monkeypatch.setenv("LOWTIDE_LWA_REFRESH_TOKEN", "Atzr|" + "x" * 2043)
    model = "m" * 64
    bench.csv.write_text(f"device.serial,device.model\nA,{model}\n")
    board, lines = bench.board(), [1]

    def cut(rest):
        if not rest:
            return board._config(rest)
        return lines.pop() and board._config(rest) if lines else None

    board.on["config"] = cut
    assert bench.run(board)[0] == 1 and len(stored(board)) == 2
    board.on.clear()
    status, said = bench.run(board)
    assert status == 0 and "forgotten" not in said, said
    assert board.settings["device.model"] == model and board.settings["lwa.refresh_token"]
