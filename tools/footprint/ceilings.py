"""The ceilings in `ceilings.toml`: held against what is measured, lowered, never raised."""

import re
import tomllib
from pathlib import Path

from tools.footprint.measure import PLATFORM, Size

FILE = Path(__file__).with_name("ceilings.toml")
GROUPS = ("loop", "people", "gauges", "texts")
NONE = Size(0, 0, 0)
# So far may a ceiling lie above what is measured: room for a line, not for a feature. Lowered, it
# is half that above. The heap's is wider: the table of names doubles when it is full.
_ROOM = {"module": 128, "flash": 512, "heap": 2048}
_ASK = ".venv/bin/python -m tools.footprint --lower"


def read(path: Path = FILE) -> dict:
    """Return the groups: each with `flash`, `heap` and `modules`, a ceiling each."""
    return tomllib.loads(path.read_text())


def order(ceilings: dict) -> list[str]:
    """Return the modules of the file, group after group."""
    return [name for group in GROUPS for name in ceilings[group]["modules"]]


def sums(ceilings: dict, sizes: dict[str, Size]) -> dict[str, Size]:
    """Return the `Size` of each group; what is MicroPython's own counts to the first."""
    found = {
        group: sum((sizes[name] for name in ceilings[group]["modules"] if name in sizes), NONE)
        for group in GROUPS
    }
    found[GROUPS[0]] += sizes.get(PLATFORM, NONE)
    return found


def complaints(ceilings: dict, sizes: dict[str, Size]) -> list[str]:
    """Return what is wrong, a line each, with what to do about it."""
    found = []
    listed = order(ceilings)
    for name in sorted(set(sizes) - {PLATFORM} - set(listed)):
        found.append(
            f'{name} has no ceiling: add `"{name}" = inf` to its group in {FILE.name}, then {_ASK}'
        )
    for name in listed:
        if name not in sizes:
            found.append(f"{name} is no module any more: take it out of {FILE.name}")
    for what, ceiling, measured, room in _pairs(ceilings, sizes):
        if measured > ceiling:
            found.append(
                f"{what} takes {measured:,} bytes, its ceiling is {ceiling:,}: make it smaller,"
                f" or raise that in {FILE.name} and say what for"
            )
        elif ceiling > measured + room:
            found.append(
                f"{what} takes {measured:,} bytes only, its ceiling is {ceiling:,}: {_ASK}"
            )
    return found


def lowered(text: str, sizes: dict[str, Size]) -> str:
    """Return the file's `text` with each ceiling at most a little above what is measured."""
    ceilings = tomllib.loads(text)
    for what, ceiling, measured, room in _pairs(ceilings, sizes):
        new = min(ceiling, measured + room // 2)
        if new < ceiling:
            text = _put(text, what, new)
    return text


def _pairs(ceilings, sizes):
    """Yield `(what, ceiling, measured, room)`: groups as "loop.flash", modules by their name."""
    for group, total in sums(ceilings, sizes).items():
        for kind in ("flash", "heap"):
            yield f"{group}.{kind}", ceilings[group][kind], getattr(total, kind), _ROOM[kind]
        for name, ceiling in ceilings[group]["modules"].items():
            if name in sizes:
                yield name, ceiling, sizes[name].flash, _ROOM["module"]


def _put(text, what, number):
    """Change one number of the file and nothing else, its comments least of all."""
    group, _, kind = what.partition(".")
    key = rf'^"?{re.escape(what)}"?'
    if group in GROUPS and kind in ("flash", "heap"):
        key = rf"^\[{group}\](?:.*\n)+?{kind}"
    return re.sub(rf"({key} = )\S+", rf"\g<1>{number}", text, count=1, flags=re.MULTILINE)
