"""What the README says is backed: the tests and the make targets that it names exist."""

import re
from pathlib import Path

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
