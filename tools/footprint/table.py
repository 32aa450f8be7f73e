"""The table, for a terminal and for the README, where a test holds it to what is measured."""

from tools.footprint import ceilings as held
from tools.footprint.measure import PLATFORM, Size

_TITLES = {
    "loop": "the loop with one gauge",
    "people": "what a person at the console needs",
    "gauges": "the other gauges",
    "texts": "texts, read on demand",
}
_BOTH = "everything with one gauge"
_PEER = "pimoroni/enviro whole, orders nothing"
# Published sizes count a KB as 1,000 bytes (mpy-cross gives microdot's 12.3 KB as 12,225).
PEER_BYTES = 30_700
# What is promised, at most and aimed at, in bytes of flash.
PROMISES = {_TITLES["loop"]: (24_000, 20_000), _BOTH: (36_000, PEER_BYTES)}
_HEAD = ("module", "lines", "flash", "heap at import")


def rows(ceilings: dict, sizes: dict[str, Size]) -> list[tuple[str, Size | None, bool]]:
    """Return the rows as `(text, size, whether it is a sum)`; the peer's has no `Size`."""
    sums = held.sums(ceilings, sizes)
    made = []
    for group in held.GROUPS:
        made.append((_TITLES[group], sums[group], True))
        if group == held.GROUPS[0]:
            made.append((PLATFORM, sizes[PLATFORM], False))
        listed = sorted(name for name in ceilings[group]["modules"] if name in sizes)
        made += [(name, sizes[name], False) for name in listed]
        if group == "people":
            made.append((_BOTH, sums["loop"] + sums["people"], True))
            made.append((_PEER, None, True))
    return made


def plain(ceilings: dict, sizes: dict[str, Size]) -> str:
    """Return the table for a terminal, and how the promises stand."""
    line = "{:<42}{:>7}{:>9}{:>16}"
    lines = [line.format(*_HEAD)]
    for text, size, is_sum in rows(ceilings, sizes):
        numbers = _numbers(size)
        lines.append(line.format(text if is_sum else f"  {text}", *numbers))
    lines.append("")
    totals = {text: size.flash for text, size, _ in rows(ceilings, sizes) if size}
    for text, (most, aim) in PROMISES.items():
        lines.append(_promise(text, totals[text], most, aim))
    return "\n".join(lines)


def markdown(ceilings: dict, sizes: dict[str, Size]) -> str:
    """Return the table for the README."""
    lines = [f"| {' | '.join(_HEAD)} |", "|---|--:|--:|--:|"]
    for text, size, is_sum in rows(ceilings, sizes):
        name = f"**{text}**" if is_sum else text if text == PLATFORM else f"`{text}`"
        lines.append(f"| {name} | {' | '.join(_numbers(size))} |")
    return "\n".join(lines) + "\n"


def _numbers(size):
    if size is None:
        return "", f"{PEER_BYTES:,}", ""
    return tuple(f"{number:,}" if number else "" for number in (size.lines, size.flash, size.heap))


def _promise(text, bytes_, most, aim):
    if bytes_ <= aim:
        state = "held, and the aim too"
    elif bytes_ <= most:
        state = f"held, {bytes_ - aim:,} above the aim"
    else:
        state = f"MISSED by {bytes_ - most:,}"
    return f"promise: {text} at most {most:,} bytes, aim {aim:,}: {state} ({bytes_:,})"
