"""The parts of README.md that are measured: each lies between two marks and is written anew."""

import re

from tools.image import ROOT

PATH = ROOT / "README.md"


def part(name: str, new: str | None = None) -> str:
    """Return what lies between the marks of `name`, the marks' own lines not included.

    `new`: what is written there first.

    Raises:
        ValueError: the README has no such marks.
    """
    text = PATH.read_text()
    found = re.search(rf"(<!-- {name}: .*-->\n)(.*?)(<!-- /{name} -->\n)", text, re.DOTALL)
    if not found:
        raise ValueError(
            f"{PATH.name} has no lines `<!-- {name}: COMMAND -->`, `<!-- /{name} -->`"
        )
    if new is None:
        return found[2]
    PATH.write_text(text[: found.start(2)] + new + text[found.end(2) :])
    return new
