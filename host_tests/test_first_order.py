"""From a blank image to the first order, as the README has it, and all that can go wrong there."""

import re
import time

import pytest
from board_kit import HANG_S, MODEL, START

from tools import image
from tools.demo.bench import SLOT, Bench
from tools.drs_sim.announce import _config_line
from tools.virtual_board import driver

README = (image.ROOT / "README.md").read_text()
PROMPT = b"lowtide> "


class Person:
    """Somebody with a terminal on the port."""

    def __init__(self, port):
        import serial

        self.port = serial.Serial(port, 115200, timeout=0.1)
        self.lines = 0
        # The first prompt may have come before the port was open: Enter brings another one.
        self.port.write(b"\r")
        self._until_prompt()
        self.port.timeout = 0.5
        while self.port.read(256):
            pass
        self.port.timeout = 0.1

    def _until_prompt(self):
        end, heard = time.monotonic() + HANG_S, b""
        while not heard.endswith(PROMPT):
            assert time.monotonic() < end, heard
            heard += self.port.read(1)
        return heard.decode().replace("\r\n", "\n")

    def type(self, line):
        """Type a line; return what came until the next prompt."""
        self.port.write(line.encode() + b"\r")
        self.lines += 1
        return self._until_prompt()


def test_the_first_order_goes_as_the_readme_says(unregistered):
    section = README.partition("## A board from blank to its first order")[2]
    typed = re.findall(r"```\n(.*?)```", section, re.S)[1].splitlines()
    assert [line.split()[0] for line in typed] == (
        ["help", "config", "register", "register", "selftest", "status"]
    )
    board, bench = unregistered, unregistered.bench
    bench.power_on()
    bench.deploy()
    person = Person(bench.board["port"])
    assert "register" in person.type("help")
    # As `make sim` prints it.
    person.type(_config_line(board.settings))
    link = re.search(r"link: (https\S+)", person.type(typed[2]))[1]
    back = board.consent(link)
    assert back.startswith(typed[3].split()[1].removesuffix("..."))
    assert f"slot: {SLOT}" in person.type("register " + back)
    answer = person.type("selftest")
    while "under way" in answer:
        time.sleep(0.2)
        answer = person.type("selftest")
        person.lines -= 1
    assert "selftest: ok" in answer, answer
    assert "missing: -" in person.type("status")
    bench.level = 0.1
    answer = person.type("order")
    assert "on its way" in answer, answer
    board.until_ordered()
    assert person.lines <= 10
    (order,) = board.orders()
    assert (order["serial"], order["slot"]) == ("A0001", SLOT)


# What goes wrong on the way, by the first words of the README's row: how, and what is said.
WRONG = {
    "unknown command": ("statsu", "unknown command"),
    "unknown setting": ("config wifi.sid x", "unknown setting"),
    "nothing goes behind NAME": ("sleep 60", "nothing goes behind sleep"),
    "want JSON": ('config {"wifi.ssid":"x"', "want JSON"),
    "NAME: want ...": ("config drs.port 0", "drs.port: want a whole number from 1 to 65535"),
    "set NAME first": ("register http://localhost:8765/", "set wifi.ssid first"),
    "want register URI": ("register nowhere", "want register URI"),
    "no registration begun": ("register http://a/?code=b", "no registration begun"),
    "device.stage is not test": ("order --cancel", "device.stage is not test"),
    "not configured: slot.id": ("order", "not configured: "),
}


@pytest.mark.parametrize("row", WRONG)
def test_what_goes_wrong_at_the_console_is_one_line_with_its_remedy(blank, row):
    line, says = WRONG[row]
    if row == "want register URI":
        blank.type(_config_line({**BASE, "wifi.ssid": "x"}))
    answer = blank.type(line)
    (error,) = [text for text in answer.split("\n") if text.startswith("error: ")]
    assert says in error
    assert f"`{row}`" in README, row


BASE = {"lwa.client_id": "c", "device.model": MODEL, "device.serial": "A0001"}


@pytest.fixture(scope="module")
def blank(tmp_path_factory):
    """A person at a blank board; the rows above leave it as it is, but for one."""
    bench = Bench(tmp_path_factory.mktemp("blank"), START)
    try:
        bench.start_simulator()
        bench.level = 0.6
        driver.write_image(bench.flash, image.compiled("host"))
        bench.power_on()
        yield Person(bench.board["port"])
    finally:
        bench.close()
