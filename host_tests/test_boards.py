"""Boards: every one that there is, and each rule on one that breaks it."""

import dataclasses
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from lowtide.gauges.counter import Counter
from tools import image
from tools.boards import __main__ as command
from tools.boards import check, draw, facts
from tools.boards.chips import CHIPS

HARDWARE = [name for name in image.known_boards() if name != "host"]


def test_there_are_the_boards_that_the_readme_promises():
    assert {"ESP32_GENERIC", "ESP32_GENERIC_S3", "ESP32_GENERIC_C3", "LOWTIDE_SCALE"} <= set(
        HARDWARE
    )


@pytest.mark.parametrize("name", image.known_boards())
def test_every_board_holds(name):
    assert check.complaints(facts.load(name)) == []


@pytest.mark.parametrize("name", HARDWARE)
def test_table_and_picture_show_every_pin_of_board_py(name):
    board = facts.load(name)
    pins = {f"GPIO{use.pin}" for use in board.uses()}
    assert len(pins) >= 2
    table = (board.folder / "wiring.md").read_text()
    assert pins == set(re.findall(r"^\| (GPIO\d+) \|", table, re.M))
    drawn = ElementTree.parse(board.folder / "wiring.svg").iter("{http://www.w3.org/2000/svg}text")
    assert pins == {t.text for t in drawn if re.fullmatch(r"GPIO\d+", t.text)}


@pytest.mark.parametrize("name", HARDWARE)
def test_no_text_of_the_picture_leaves_it(name):
    root = ElementTree.parse(image.ROOT / "boards" / name / "wiring.svg").getroot()
    width = int(root.get("width"))
    for text in root.iter("{http://www.w3.org/2000/svg}text"):
        if text.get("text-anchor") is None:
            # 13 px sans-serif: 7 px a letter on average, bold ones included.
            assert int(text.get("x")) + 7 * len(text.text) < width, text.text


@pytest.mark.parametrize("name", image.known_boards())
def test_the_driver_that_a_board_names_reads_and_has_what_a_gauge_needs(name):
    board = facts.load(name)
    driver = board.module.gauge(facts._NotingHal())
    assert callable(driver.read)
    for attribute in ("sleep", "below", "keeps"):
        assert hasattr(driver, attribute)
    points = [point.split(":") for point in board.module.TABLE.split()]
    assert len(points) >= 2
    assert {int(permille) for _, permille in points} >= {0, 1000}


def test_the_board_of_the_readme_is_one():
    text = (image.ROOT / "boards" / "README.md").read_text()
    (source,) = re.findall(r"```python\n(.*?)```", text, re.S)
    scale = facts.load("LOWTIDE_SCALE")
    names = {}
    exec(compile(source, "board.py", "exec"), names)
    hal = facts._NotingHal()
    assert callable(names["gauge"](hal).read)
    assert {use.pin for use in hal.uses} <= {use.pin for use in scale.uses()}


@pytest.fixture
def broken(tmp_path):
    """Make a copy of a board with changes to its files; return what the checker says."""

    def broken(name="ESP32_GENERIC", file="board.py", redraw=True, **changes):
        folder = tmp_path / name
        shutil.copytree(image.ROOT / "boards" / name, folder)
        text = (folder / file).read_text()
        for old, new in changes.pop("change"):
            assert text.count(old) >= 1, old
            text = text.replace(old, new)
        (folder / file).write_text(text)
        if file == "board.py" and redraw:
            # The wiring follows, so that only the rule in question is broken.
            path = folder / "board.toml"
            toml = path.read_text()
            for old, new in changes.get("wires", ()):
                assert old in toml
                toml = toml.replace(old, new)
            path.write_text(toml)
        board = facts.load_folder(folder)
        if redraw:
            for drawn, text in draw.drawings(board).items():
                (folder / drawn).write_text(text)
        return check.complaints(facts.load_folder(folder))

    return broken


@pytest.mark.parametrize(
    ("name", "pin", "other", "why"),
    [
        ("ESP32_GENERIC", "LED_PIN = 25", "LED_PIN = 24", "no such pin"),
        ("ESP32_GENERIC", "LED_PIN = 25", "LED_PIN = 12", "a strapping pin"),
        ("ESP32_GENERIC", "LED_PIN = 25", "LED_PIN = 6", "wired to the flash"),
        ("ESP32_GENERIC", "LED_PIN = 25", "LED_PIN = 17", "PSRAM in a WROVER"),
        ("ESP32_GENERIC", "LED_PIN = 25", "LED_PIN = 3", "the serial console"),
        ("ESP32_GENERIC", "LED_PIN = 25", "LED_PIN = 35", "input only"),
        ("ESP32_GENERIC", "adc_read_uv(34)", "adc_read_uv(27)", "ADC2, which cannot be used with"),
        ("ESP32_GENERIC", "adc_read_uv(34)", "adc_read_uv(18)", "no ADC on this pin"),
        ("ESP32_GENERIC_S3", "LED_PIN = 6", "LED_PIN = 22", "no such pin"),
        ("ESP32_GENERIC_S3", "LED_PIN = 6", "LED_PIN = 45", "a strapping pin"),
        ("ESP32_GENERIC_S3", "LED_PIN = 6", "LED_PIN = 27", "flash or the PSRAM"),
        ("ESP32_GENERIC_S3", "LED_PIN = 6", "LED_PIN = 35", "octal"),
        ("ESP32_GENERIC_S3", "LED_PIN = 6", "LED_PIN = 19", "USB"),
        ("ESP32_GENERIC_S3", "LED_PIN = 6", "LED_PIN = 43", "the serial console"),
        ("ESP32_GENERIC_C3", "LED_PIN = 10", "LED_PIN = 9", "a strapping pin"),
        ("ESP32_GENERIC_C3", "LED_PIN = 10", "LED_PIN = 13", "flash in the module"),
        ("ESP32_GENERIC_C3", "LED_PIN = 10", "LED_PIN = 18", "USB"),
        ("ESP32_GENERIC_C3", "adc_read_uv(3)", "adc_read_uv(5)", "ADC2"),
    ],
)
def test_a_pin_that_cannot_is_refused(broken, name, pin, other, why):
    old, new = re.search(r"\d+(?=\)?$)", pin)[0], re.search(r"\d+(?=\)?$)", other)[0]
    wires = [(f'"GPIO{old}"', f'"GPIO{new}"')]
    (line,) = broken(name, change=[(pin, other)], wires=wires)
    assert line.startswith(f"GPIO{new}: ") and why in line


def test_a_pin_used_twice_is_refused(broken):
    wires = [('"GPIO25"', '"GPIO34"')]
    lines = broken(change=[("LED_PIN = 25", "LED_PIN = 34")], wires=wires)
    assert "GPIO34: used twice" in lines


def test_a_pull_on_a_pin_that_has_none_is_refused(broken):
    change = [("pin(33, pin.IN, pin.PULL_UP)", "pin(39, pin.IN, pin.PULL_UP)")]
    (line,) = broken("LOWTIDE_SCALE", change=change, wires=[('"GPIO33"', '"GPIO39"')])
    assert line.startswith("GPIO39: wants a pull resistor")


def test_a_pin_that_is_to_wake_must_be_an_rtc_pin(broken):
    wake = "pin(19, pin.IN); data.irq(wake=2)"
    change = [
        (
            "clock, data = pin(32, pin.OUT), pin(33, pin.IN, pin.PULL_UP)",
            "clock = pin(32, pin.OUT); data = " + wake,
        )
    ]
    (line,) = broken("LOWTIDE_SCALE", change=change, wires=[('"GPIO33"', '"GPIO19"')])
    assert line == "GPIO19: is to wake the chip, which only RTC pins can"


def test_wiring_that_does_not_say_what_board_py_does_is_refused(broken):
    lines = broken(change=[("LED_PIN = 25", "LED_PIN = 26")])
    assert lines == [
        "GPIO26: used by board.py, not in board.toml",
        "GPIO25: in board.toml, not used by board.py",
    ]


def test_a_drawing_of_before_is_refused(broken):
    lines = broken(file="board.toml", redraw=False, change=[("cathode", "the other leg")])
    assert [line.partition(" is not")[0] for line in lines] == ["wiring.md", "wiring.svg"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            ('"power.mode"', '"power.mod"'),
            "power.mod: unknown setting; did you mean power.mode?",
        ),
        (('"battery"', '"batery"'), "power.mode: want mains or battery"),
        (
            ('"power.mode" = "battery"', '"wifi.password" = "of-a-test"'),
            "wifi.password: a secret does not belong into an image",
        ),
    ],
)
def test_a_default_that_no_board_takes_is_refused_by_its_name(broken, change, why):
    lines = broken("LOWTIDE_SCALE", file="board.toml", change=[change])
    assert lines == [f"board.toml: {why}"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (('"esp32"', '"esp32p4"'), "board.json: no table for mcu 'esp32p4'"),
        (('"0x1000"', '"0"'), "board.json: flash_offset 0 is not the chip's, 0x1000"),
        (('"vendor"', '"seller"'), "board.json: vendor is missing"),
    ],
)
def test_a_board_json_that_cannot_be_is_refused(broken, change, why):
    assert broken(file="board.json", change=[change])[0].startswith(why)


def test_an_image_of_a_board_that_breaks_a_rule_is_not_made(tmp_path):
    board = facts.load("ESP32_GENERIC")
    json = board.json | {"deploy_options": {"flash_offset": "0x2000"}}
    with pytest.raises(image.ImageError, match="flash_offset"):
        image.build(dataclasses.replace(board, json=json), tmp_path / "out.img")
    assert not (tmp_path / "out.img").exists()


def test_a_counter_is_wired_as_the_readme_writes_it():
    counter = re.search(r"`(Counter\(.*?\))` \|", (image.ROOT / "README.md").read_text())[1]
    hal = facts._NotingHal()
    names = {"Counter": Counter, "Pin": hal.machine.Pin, "time": hal.time}
    assert eval(counter, names).keeps == 4
    assert [use.kind for use in hal.uses] == ["pulled"]


def test_a_board_that_cannot_be_read_is_named_and_the_others_are_checked(capsys, monkeypatch):
    load = facts.load

    def broken(name):
        if name == "ESP32_GENERIC":
            raise ZeroDivisionError("in board.py")
        return load(name)

    monkeypatch.setattr(facts, "load", broken)
    assert command.main([]) == 1
    lines = capsys.readouterr().out
    assert "boards/ESP32_GENERIC cannot be read: ZeroDivisionError: in board.py" in lines
    assert lines.count(" ok ") == len(image.known_boards()) - 1


@pytest.mark.parametrize(
    ("constants", "why"),
    [
        ({"LED_PIN": 25, "TABLE": "1:0 2:1000"}, "LED_ON"),
        ({"TABLE": "nonsense"}, "TABLE"),
        ({"TABLE": "5:0 5:1000"}, "TABLE"),
        ({"TABLE": "5:1000 9:1000"}, "TABLE"),
        ({"TABLE": ""}, "TABLE"),
        ({}, "TABLE"),
    ],
)
def test_a_constant_that_board_py_lacks_is_named(constants, why):
    (line,) = check._constants(SimpleNamespace(**constants))
    assert why in line


def test_the_command_says_of_each_board_how_it_is(capsys):
    assert command.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [[name, "ok"] for name in image.known_boards()]
    with pytest.raises(SystemExit):
        command.main(["drew"])


@pytest.mark.parametrize("chip", CHIPS.values(), ids=lambda chip: chip.name)
def test_a_chips_table_names_pins_that_exist(chip):
    pins = chip.input_only | chip.adc1 | chip.adc2 | chip.rtc
    for taken in chip.taken.values():
        pins |= taken
    assert pins <= chip.exists
    assert not chip.adc1 & chip.adc2
    assert "Datasheet" in chip.source


# -- frozen into MicroPython's own build ----------------------------------------------------------


class Manifest:
    """What MicroPython has for manifest files, as far as ours use it and as it documents it."""

    def __init__(self):
        self.frozen, self.included = {}, []

    def run(self, path):
        def include(other):
            if other.startswith("$("):
                self.included.append(other)
            else:
                self.run((path.parent / other).resolve())

        def module(name, base_path=".", opt=None):
            source = (path.parent / base_path / name).resolve()
            assert source.is_file() and opt == 2
            self.frozen[name] = source

        def package(name, base_path=".", opt=None):
            base = (path.parent / base_path).resolve()
            assert (base / name).is_dir() and opt == 2
            for source in (base / name).rglob("*.py"):
                self.frozen[str(source.relative_to(base))] = source

        exec(path.read_text(), {"include": include, "module": module, "package": package})


@pytest.mark.parametrize("name", HARDWARE)
def test_the_manifest_freezes_what_is_deployed(name):
    manifest = Manifest()
    manifest.run(image.ROOT / "boards" / name / "manifest.py")
    assert manifest.included == ["$(PORT_DIR)/boards/manifest.py"]
    deployed = {str(target.with_suffix(".py")): source for source, target in image.sources(name)}
    starters = {starter: image.FIRMWARE / starter for starter in image.STARTERS}
    assert manifest.frozen == deployed | starters
    assert all(Path(source).is_file() for source in manifest.frozen.values())
