"""Virtual boards with programs of a test's own, for the tests of the virtual board."""

import littlefs
import pytest
import serial

from tools.virtual_board.driver import VirtualBoard, read_image, write_image

# Sleeps an hour each time and keeps a diary: cause, wake reason, RTC memory, whole hours passed.
SLEEPER = """\
import machine, time
rtc = machine.RTC()
past = rtc.memory()
with open("diary", "a") as diary:
    print(machine.reset_cause(), machine.wake_reason(), past, time.time() // 3600, file=diary)
rtc.memory(past + b"x")
try:
    machine.deepsleep(3600_000)
finally:
    open("ran on", "w").close()
"""


@pytest.fixture
def start(tmp_path):
    """Starts boards; files given by keyword (without .py) make a new flash image."""
    boards = []

    def start(*options, **files):
        if files:
            sources = {f"{name}.py": source for name, source in files.items()}
            write_image(tmp_path / "flash.img", sources)
        boards.append(VirtualBoard(tmp_path, *options))
        return boards[-1]

    yield start
    for board in boards:
        board.power_off()


def console(board):
    return serial.Serial(str(board.link), 115200, timeout=20)


def diary(board):
    try:
        return read_image(board.flash).get("diary", b"").decode().splitlines()
    except littlefs.LittleFSError:
        return []  # looked while it was being written
