"""`make deploy` on the virtual board: only what changed, all or nothing, wherever it ends."""

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from deploy_kit import asleep, cli, run, version

from tools import deploy, image, prompt
from tools.virtual_board.driver import read_image, write_image


def sent(said):
    return [line.split(":")[0] for line in said if line.endswith("bytes sent") and ":" in line]


def test_a_blank_board_gets_all_and_the_second_time_nothing_moves(start, staged):
    board = start()
    old = staged[staged["old"]]
    assert len(sent(run(board, old))) == len(old)
    assert version(board) == staged["old"]
    before = board.flash.read_bytes()
    (line,) = run(board, old)
    assert line.endswith("nothing moved")
    assert version(board) == staged["old"]
    assert board.flash.read_bytes() == before


def test_an_update_sends_what_changed_and_the_next_one_removes_what_is_left(start, staged):
    board = start()
    run(board, staged[staged["old"]])
    (old,) = [name for name in listing(board) if name.startswith("fw-")]
    said = run(board, staged["9.9.9"])
    (new,) = {name for name in listing(board) if name.startswith("fw-")} - {old}
    assert sent(said) == [f"/{new}/lowtide/__init__.mpy", "/boot.py"]
    code = [name for name in image.layout(staged["9.9.9"]) if name.startswith("fw-")]
    assert said[2] == f"{len(code) - 1} files copied on the board" and len(said) == 4
    assert version(board) == "9.9.9"
    assert run(board, staged["9.9.9"])[0] == f"removed /{old}, of an older version"
    assert [name for name in listing(board) if name.startswith("fw-")] == [new]
    assert version(board) == "9.9.9"


def listing(board):
    names = board.execute("import os; print(' '.join(os.listdir('/')))").split()
    board.mpremote("reset")
    return names


def test_going_back_to_the_version_before_sends_the_pointer_only(start, staged):
    board = start()
    run(board, staged[staged["old"]])
    run(board, staged["9.9.9"])
    assert sent(run(board, staged[staged["old"]])) == ["/boot.py"]
    assert version(board) == staged["old"]


def test_the_flat_layout_of_before_is_taken_over_and_then_cleared(start, tmp_path, staged):
    write_image(tmp_path / "flash.img", staged[staged["old"]])
    board = start()
    assert version(board) == staged["old"]
    assert "/app.mpy" not in sent(run(board, staged["9.9.9"]))
    assert version(board) == "9.9.9"
    run(board, staged["9.9.9"])
    assert {"app.mpy", "hal.mpy", "board.mpy", "lowtide"} & set(listing(board)) == set()
    board.mpremote("reset")
    assert version(board) == "9.9.9"


def test_either_main_py_starts_either_version(start, tmp_path, staged):
    # The one file that both versions share; a deploy replaces it before boot.py.
    files = image.layout(staged["9.9.9"])
    files["main.py"] = b"# of an older version\nimport app\n\napp.run()\n"
    write_image(tmp_path / "flash.img", files)
    assert version(start()) == "9.9.9"
    assert image.layout(staged["9.9.9"])["main.py"].count(b"app.run()") == 1


@pytest.mark.parametrize("share", [0, 0.3, 0.7, 1])
def test_a_cable_pulled_leaves_the_old_version_and_the_watchdog_starts_it(
    start, staged, monkeypatch, share
):
    # 1: everything is there but boot.py.
    code = [name for name in image.layout(staged["9.9.9"]) if name.startswith("fw-")]
    files = max(1, int(len(code) * share))
    monkeypatch.setattr(prompt, "_WATCHDOG_MS", 2000)
    board = start()
    run(board, staged[staged["old"]])
    assert version(board) == staged["old"]
    record = read_image(board.flash)["order.rec"]
    run(board, staged["9.9.9"], pull_after=files)
    board.wait_for("wdt")
    assert version(board) == staged["old"]
    said = run(board, staged["9.9.9"])
    assert version(board) == "9.9.9"
    copied = [int(line.split()[0]) for line in said if line.endswith("copied on the board")]
    assert sum(copied) + len(sent(said)) == len(code) + 1 - files
    assert read_image(board.flash)["order.rec"] == record


def test_a_certificate_is_added_beside_those_there_are(start, staged, tmp_path):
    board = start()
    for name in ("one", "two"):
        pem = x509.load_pem_x509_certificate(trustme.CA().cert_pem.bytes())
        (tmp_path / f"{name}.pem").write_bytes(pem.public_bytes(Encoding.PEM))
        image.stage("host", tmp_path / "stage", [tmp_path / f"{name}.pem"])
        run(board, image.contents(tmp_path / "stage"))
    assert (
        board.execute("import os; print(sorted(os.listdir('/certs')))") == "['one.der', 'two.der']"
    )


def test_a_new_board_begins_with_its_settings_and_an_old_one_keeps_its_own(start, staged):
    board = start()
    old = staged[staged["old"]]
    records = {"config.rec": b"settings", "order.rec": b"record"}
    said = run(board, old, records=records)
    assert sent(said)[-4:] == ["/order.rec", "/config.rec", "/main.py", "/boot.py"]
    (line,) = run(board, old, records={"config.rec": b"other", "order.rec": b"other"})
    assert line.endswith("nothing moved")
    assert read_image(board.flash)["config.rec"] == b"settings"


def test_a_boot_py_that_is_broken_is_deployed_over(start, tmp_path, staged):
    files = image.layout(staged[staged["old"]])
    files["boot.py"] = files["boot.py"].replace(b"import hal", b"import no_such_module")
    write_image(tmp_path / "flash.img", files)
    board = start()
    run(board, staged["9.9.9"])
    assert version(board) == "9.9.9"


def test_a_board_that_sleeps_is_waited_for_and_the_hint_says_what_to_do(start, staged):
    board = asleep(start, staged)
    said = []

    def say(line):
        said.append(line)
        if "reset button" in line:
            # Whoever reads the hint gives the board its power back.
            board.power_off()
            start()

    target = prompt.Target(str(board.link), say)
    target.restart()
    assert "press its reset button" in said[0]


def test_what_cannot_be_is_said_in_one_line(start, tmp_path):
    port = "/dev/tty-none"
    assert cli("--port", port, "--board", "nope")[1].startswith("deploy: no board 'nope'")
    status, error = cli("--port", port, "--board", "host")
    assert status == 1
    assert error.startswith(f"deploy: {port}: no such port; is the board plugged in?")
    status, error = cli("--port", port, "--board", "host", "--cert", "no.pem")
    assert (status, error) == (1, "deploy: no certificate no.pem\n")
    names = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        names += ["--cert", str(tmp_path / folder / "root.pem")]
        trustme.CA().cert_pem.write_to_path(names[-1])
    assert "another certificate has that name" in cli("--port", port, "--board", "host", *names)[1]


class Described:
    """A board of which only what it says of itself matters."""

    def __init__(self, described, version):
        self._about = described, version

    def about(self):
        return self._about


@pytest.mark.parametrize(
    ("machine", "version", "board", "wrong"),
    [
        ("Generic ESP32 module with ESP32", (1, 24), "ESP32_GENERIC", None),
        ("Generic ESP32S3 module with ESP32S3", (1, 29), "ESP32_GENERIC_S3", None),
        ("ESP32C3 module with ESP32-C3 FH4", (1, 26), "ESP32_GENERIC_C3", None),
        (
            "Generic ESP32S3 module with ESP32S3",
            (1, 29),
            "ESP32_GENERIC",
            "is for esp32: see BOARD=",
        ),
        ("Generic ESP32 module with ESP32", (1, 29), "ESP32_GENERIC_C3", "is for esp32c3"),
        ("Generic ESP32 module with ESP32", (1, 23), "ESP32_GENERIC", "needs 1.24: make flash"),
        ("Generic ESP32 module with ESP32", (1, 29), "host", "host is for the virtual board"),
    ],
)
def test_a_board_of_another_kind_is_refused(machine, version, board, wrong):
    from tools.boards import facts

    if wrong is None:
        deploy.check_fits(Described(machine, version), facts.load(board))
        return
    with pytest.raises(prompt.BoardError, match=wrong):
        deploy.check_fits(Described(machine, version), facts.load(board))
