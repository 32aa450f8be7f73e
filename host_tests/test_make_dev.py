"""`make dev` at a terminal: the agent from this computer's files."""

import os
import select
import subprocess

import pytest
from deploy_kit import asleep, run, version

from tools import image


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
