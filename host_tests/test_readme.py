"""What the README says is backed: the tests and the make targets that it names exist."""

import re
import subprocess
from pathlib import Path

import trustme
from test_flash import micropython

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
