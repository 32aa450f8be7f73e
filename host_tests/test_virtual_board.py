"""The virtual board as the outside world sees it: real processes, real mpremote."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import littlefs
import pytest
import serial

HANG_S = 20
Y2000_UNIX_S = 946_684_800

LOOPING_MAIN = """\
import time
print("main is up")
while True:
    time.sleep_ms(5)
    print("tick")
"""


class VirtualBoard:
    """One power-on of a board whose files live in `folder`."""

    def __init__(self, folder, *options, wait=True):
        self.folder = folder
        self.link = folder / "tty"
        self.flash = folder / "flash.img"
        self.level = folder / "level"
        self.ready = folder / "ready.json"
        self.events_file = folder / "events"
        self.ready.unlink(missing_ok=True)
        files = ("flash", "link", "level", "ready")
        paths = ("flash.img", "tty", "level", "ready.json")
        arguments = [f"--{name}={folder / path}" for name, path in zip(files, paths, strict=True)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tools.virtual_board", *arguments, "--heap", "128k"]
            + ["--events", str(self.events_file), *options],
            cwd=Path(__file__).parent.parent,
            stderr=subprocess.PIPE,
            text=True,
        )
        if wait:
            eventually(lambda: self.ready.exists() or self.process.poll() is not None)
            assert self.ready.exists(), self.process.stderr.read()

    def mpremote(self, *arguments, check=True):
        command = [sys.executable, "-m", "mpremote", "connect", str(self.link), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout.replace("\r\n", "\n")

    def execute(self, source):
        return self.mpremote("exec", source).strip()

    def put(self, name, source):
        path = self.folder / name
        path.write_text(source)
        self.mpremote("fs", "cp", str(path), f":{name}")

    def serial(self):
        return serial.Serial(str(self.link), 115200, timeout=HANG_S)

    def events(self, kind=None):
        lines = self.events_file.read_text().splitlines() if self.events_file.exists() else []
        events = [json.loads(line) for line in lines]
        return [event for event in events if kind in (None, event["event"])]

    def wait_for_event(self, kind, count=1):
        eventually(lambda: len(self.events(kind)) >= count)
        return self.events(kind)[count - 1]

    def interpreters(self):
        return children(self.process.pid)

    def end(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        return self.process.wait(HANG_S)


def eventually(condition):
    """Waits for what must come; only a hang makes this fail."""
    end = time.monotonic() + HANG_S
    while not (value := condition()):
        assert time.monotonic() < end, "hung"
        time.sleep(0.01)
    return value


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def image_with(path, **files):
    """Writes a flash image that holds `files` (name without .py: source)."""
    volume = littlefs.LittleFS(block_size=4096, block_count=512)
    for name, source in files.items():
        with volume.open(f"{name}.py", "w") as file:
            file.write(source)
    path.write_bytes(bytes(volume.context.buffer))


@pytest.fixture
def start(tmp_path):
    boards = []

    def start(*options, **files):
        if files:
            image_with(tmp_path / "flash.img", **files)
        boards.append(VirtualBoard(tmp_path, *options))
        return boards[-1]

    yield start
    for board in boards:
        if board.process.poll() is None:
            board.end()
        board.process.stderr.close()


# The serial port


def test_a_new_board_is_empty_and_shows_nothing_of_the_host(start):
    board = start()
    assert board.execute("import os, sys; print(os.listdir('/'), os.getcwd(), sys.path)") == (
        "[] / ['', '.frozen', '/lib']"
    )


def test_mpremote_works_while_a_main_loops(start, tmp_path):
    board = start(main=LOOPING_MAIN)
    package = tmp_path / "package"
    package.mkdir()
    (package / "data.bin").write_bytes(bytes(range(256)) * 3)
    (tmp_path / "script.py").write_text("print(6 * 7)")
    for _ in range(3):
        board.mpremote("reset")
        assert board.execute("print('hello')") == "hello"
    board.mpremote("reset")
    assert board.mpremote("run", str(tmp_path / "script.py")).strip() == "42"
    board.mpremote("reset")
    board.mpremote("fs", "cp", "-r", str(package), ":")
    board.mpremote("reset")
    assert "data.bin" in board.mpremote("fs", "ls", ":package")
    board.mpremote("fs", "cp", ":package/data.bin", str(tmp_path / "back.bin"))
    assert (tmp_path / "back.bin").read_bytes() == bytes(range(256)) * 3
    board.mpremote("soft-reset")
    assert board.execute("import machine; print(machine.reset_cause())") == "5"


def test_mount_carries_every_byte_both_ways(start, tmp_path):
    board = start(main=LOOPING_MAIN)
    shared = tmp_path / "shared"
    shared.mkdir()
    data = bytes(range(256)) + b"\x03\r\n\n\x04\x01" * 50 + os.urandom(20_000)
    (shared / "in.bin").write_bytes(data)
    (tmp_path / "copy.py").write_text(
        "source, target = open('/remote/in.bin', 'rb'), open('/remote/out.bin', 'wb')\n"
        "while data := source.read(1500): target.write(data)\n"
        "target.close()\n"
        "many = [open('/remote/in.bin', 'rb') for _ in range(14)]\n"  # descriptors 3, 10, 13
        "for file in many: file.close()\n"
        "print('done')\n"
    )
    assert "done" in board.mpremote("mount", str(shared), "run", str(tmp_path / "copy.py"))
    assert (shared / "out.bin").read_bytes() == data


def test_control_c_and_d_by_hand(start):
    board = start(main=LOOPING_MAIN)
    with board.serial() as port:
        port.read_until(b"tick\r\n")
        port.write(b"\x03\x03\x03")
        port.read_until(b"KeyboardInterrupt: \r\n")
        port.read_until(b">>> ")
        port.write(b"while True: pass\r\r")
        port.read_until(b"\r\n... \r\n")
        time.sleep(0.1)
        port.write(b"\x03")
        assert port.read_until(b"KeyboardInterrupt: \r\n").endswith(b"KeyboardInterrupt: \r\n")
        port.read_until(b">>> ")
        port.write(b"\x04")
        assert b"MPY: soft reboot\r\nmain is up\r\ntick\r\n" in port.read_until(b"tick\r\n")
        port.write(b"\x03")
        port.read_until(b">>> ")
        port.write(b"\x01")
        port.read_until(b"raw REPL; CTRL-B to exit\r\n>")
        port.write(b"\x04")
        expected = b"OK\r\nMPY: soft reboot\r\nraw REPL; CTRL-B to exit\r\n>"
        assert port.read_until(b"exit\r\n>") == expected


def test_a_failing_main_leaves_its_traceback_and_the_prompt(start):
    board = start(boot="x = 1", main="print('x is', x)\nprint(y)\n")
    with board.serial() as port:
        port.write(b"\x04")
        port.read_until(b"x is 1\r\n")
        trace = port.read_until(b">>> ").decode()
    assert trace.startswith(
        "Traceback (most recent call last):\r\n"
        '  File "main.py", line 2, in <module>\r\n'
        "NameError: name 'y' isn't defined\r\n"
    )


def test_a_failing_boot_keeps_main_from_starting(start):
    board = start(boot="1 / 0", main="print('main ran')")
    with board.serial() as port:
        port.write(b"\x04")
        output = port.read_until(b"help()") + port.read_until(b">>> ")
    assert b"ZeroDivisionError" in output
    assert b"main ran" not in output


def test_output_that_nobody_hears_is_lost_and_a_flood_does_not_block(start):
    board = start(
        main="print('early')\nimport machine\nmachine.WDT(timeout=100_000)\n"
        "for i in range(60_000): print('flood', i)\nopen('done', 'w').close()\n"
    )
    eventually(lambda: "done" in read_volume(board.flash))
    with board.serial() as port:
        port.write(b"\r")
        assert b"early" not in port.read_until(b">>> ")


def read_volume(image):
    volume = littlefs.LittleFS(block_size=4096, block_count=512, mount=False)
    volume.context.buffer = bytearray(image.read_bytes())
    try:
        volume.mount()
        return volume.listdir("/")
    except littlefs.LittleFSError:
        return []  # looked while it was being written
