"""`make hil`: the board on LOWTIDE_PORT, real or virtual, through its serial port."""

import os
import time
from pathlib import Path

import pytest

from tools import image, prompt
from tools.boards import facts
from tools.device import started
from tools.virtual_board.driver import eventually

PORT = os.environ.get("LOWTIDE_PORT", "")


BOARD = os.environ.get("LOWTIDE_BOARD", "host")


def pytest_configure():
    """Refuse a board that there is not before anything is done to the one on the port."""
    try:
        image.require_board(BOARD)
    except FileNotFoundError as e:
        raise pytest.UsageError(str(e)) from None


@pytest.fixture(scope="session")
def board():
    """What is known of the board, from LOWTIDE_BOARD."""
    return facts.load(BOARD)


@pytest.fixture(scope="session")
def certificates():
    """The root certificates to deploy, from LOWTIDE_CERT."""
    return [Path(name) for name in os.environ.get("LOWTIDE_CERT", "").split()]


class Bench:
    """The line to the board. One thing has it at a time: the prompt, or the agent's console."""

    def __init__(self, capsys):
        self._capsys = capsys
        self._open = []

    def prompt(self):
        """Stop whatever runs; return MicroPython's prompt."""
        self.let_go()
        # USB of the chip's own goes with each reset, and comes back.
        eventually(lambda: os.path.exists(PORT))
        target = prompt.Target(PORT, self.say)
        self._open.append(target.restart)
        return target

    def gone(self):
        """Note that the prompt has ended by itself: the board restarts."""
        self._open.clear()

    def console(self):
        """Return the agent's console; a prompt that was open ends with a reset."""
        self.let_go()
        device = started(PORT)
        self._open.append(device.leave)
        return device

    def let_go(self):
        """Close what is open, so that the board runs its agent."""
        while self._open:
            self._open.pop()()

    def say(self, line):
        """Show a figure, or what the person at the bench is to do."""
        with self._capsys.disabled():
            print(f"\n    {line}", end="", flush=True)


@pytest.fixture
def bench(capsys):
    """The line to the board, free again after each test."""
    bench = Bench(capsys)
    yield bench
    bench.let_go()


@pytest.fixture
def timed():
    """Return a function that tells the milliseconds since the test began."""
    began = time.monotonic()
    return lambda: round((time.monotonic() - began) * 1000)
