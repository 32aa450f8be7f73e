"""What the README says is backed: the tests and the make targets that it names exist."""

import re
import subprocess
from pathlib import Path

import trustme
from test_flash import micropython

from lowtide import config, console
from lowtide.settings import SECRET, check, want

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def test_every_test_that_the_readme_names_exists():
    named = set(re.findall(r"`(test_\w+)`", README))
    sources = "".join(path.read_text() for path in ROOT.glob("host_tests/**/*.py"))
    assert len(named) > 40
    assert {name for name in named if f"def {name}(" not in sources} == set()


def test_every_make_target_that_the_readme_names_exists():
    named = set(re.findall(r"make ([a-z]+)", README)) - {"it"}
    makefile = (ROOT / "Makefile").read_text()
    assert {name for name in named if not re.search(rf"^{name}:", makefile, re.M)} == set()


def settings():
    """Return the table of settings as the firmware has it, in Markdown."""
    lines = (ROOT / "firmware/lowtide/help.txt").read_text().splitlines()
    told = {name: text for name, text, _ in (line.split("|") for line in lines)}
    for name in config.names():
        default = config.point(name)[1]
        shown = "" if default == "" else f"`{default}`"
        yield f"| `{name}` | {want(name)} | {shown} | {told[name]} |"


def test_the_table_of_settings_is_the_firmwares():
    table = "\n".join(settings())
    assert table in README, f"README.md wants this table of settings:\n{table}"


def test_help_knows_every_command_and_setting_and_no_other():
    lines = (ROOT / "firmware/lowtide/help.txt").read_text().splitlines()
    commands = " ".join((console.COMMANDS, console.JOBS, console.LEAVE)).split()
    assert [line.split("|")[0] for line in lines[len(commands) :]] == list(config.names())
    assert {line.split("|")[0] for line in lines[: len(commands)]} == set(commands)
    for line in lines:
        name, _, example = line.split("|")
        if name not in commands and config.point(name)[0] != SECRET:
            check(name, example)
    for name in commands:
        assert f"| `{name}" in README or f"`{name}`" in README, name


def test_every_command_from_the_box_that_needs_no_board_works(tmp_path):
    section = README.partition("## From the box")[2].partition("\n## ")[0]
    blocks = re.findall(r"```\n(.*?)```", section, re.S)
    commands = [line.strip() for block in blocks for line in block.splitlines() if line.strip()]
    without_board = [line for line in commands if not line.endswith("# board")]
    assert len(without_board) == 2 and len(commands) == 7
    (tmp_path / "root.pem").write_bytes(trustme.CA().cert_pem.bytes())
    (tmp_path / "micropython.bin").write_bytes(micropython())
    for name in ("root.pem", "micropython.bin"):
        without_board = [line.replace(f"={name}", f"={tmp_path / name}") for line in without_board]
    said = [
        subprocess.run(
            line, shell=True, check=True, cwd=ROOT, capture_output=True, text=True
        ).stdout
        for line in without_board
    ]
    assert "build/ESP32_GENERIC.img: 2097152 bytes at 0x200000" in said[0]
    assert "MicroPython v1.26.1" in said[1] and "write-flash 0x1000" in said[1]
