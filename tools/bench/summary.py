"""The one table in which every measurement ends: Lowtide, a peer, and who is better."""

from collections.abc import Iterable
from dataclasses import dataclass

_LINE = "{:<56}{:>10}{:>10}  {:<34}{}"


@dataclass(frozen=True)
class Row:
    """One figure beside a peer's, or beside a limit of our own. Less is better, unless `more`.

    `theirs` is None where there is nothing to put beside it. Figures that are apart by no more
    than the share `noise` are equal.
    """

    what: str
    unit: str
    ours: float
    theirs: float | None = None
    peer: str = ""
    more: bool = False
    noise: float = 0
    is_limit: bool = False

    @property
    def verdict(self) -> str:
        """Who is better: "Lowtide", "the other", "equal"; of a limit "held" or "MISSED"."""
        if self.theirs is None:
            return ""
        if self.is_limit:
            return "held" if self.ours <= self.theirs else "MISSED"
        if abs(self.ours - self.theirs) <= self.noise * max(self.ours, self.theirs):
            return "equal"
        return "Lowtide" if (self.ours > self.theirs) == self.more else "the other"


def table(rows: Iterable[Row]) -> str:
    """Return the rows as text, a line each."""
    lines = [_LINE.format("", "Lowtide", "the other", "the other is", "better")]
    for row in rows:
        theirs = "" if row.theirs is None else _number(row.theirs)
        what = f"{row.what}: {row.unit}"
        lines.append(_LINE.format(what, _number(row.ours), theirs, row.peer, row.verdict).rstrip())
    return "\n".join(lines)


def markdown(rows: Iterable[Row]) -> str:
    """Return the rows for the README: a line for each figure, with all that are beside it."""
    figures = {}
    for row in rows:
        figures.setdefault((f"{row.what}: {row.unit}", _number(row.ours)), []).append(row)
    lines = ["| what | Lowtide | the others | better |", "|---|--:|---|---|"]
    for (what, ours), beside in figures.items():
        others = "; ".join(f"{_number(row.theirs)} {row.peer}" for row in beside if row.peer)
        lines.append(f"| {what} | {ours} | {others} | {_better(beside)} |")
    return "\n".join(lines) + "\n"


def _better(rows):
    verdicts = [row.verdict for row in rows]
    found = [row.peer for row in rows if row.verdict == "the other"]
    found += [f"MISSED: {row.peer}" for row in rows if row.verdict == "MISSED"]
    for verdict in ("Lowtide", "held", "equal"):
        if not found and verdict in verdicts:
            found = [verdict]
    return "; ".join(found)


def _number(value):
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"
