"""The one table in which every measurement ends: Lowtide, a peer, and who is better."""

from collections.abc import Iterable
from dataclasses import dataclass

_LINE = "{:<56}{:>10}{:>10}  {:<34}{}"


@dataclass(frozen=True)
class Row:
    """One figure beside a peer's. Less is better, unless `more_is_better`.

    `theirs` is None where there is nothing to put beside it. Figures that are apart by no more
    than the share `noise` are equal.
    """

    what: str
    unit: str
    ours: float
    theirs: float | None = None
    peer: str = ""
    more_is_better: bool = False
    noise: float = 0

    @property
    def verdict(self) -> str:
        """Who is better: "Lowtide", "the other", "equal", or "" without a peer."""
        if self.theirs is None:
            return ""
        if abs(self.ours - self.theirs) <= self.noise * max(self.ours, self.theirs):
            return "equal"
        return "Lowtide" if (self.ours > self.theirs) == self.more_is_better else "the other"


def table(rows: Iterable[Row]) -> str:
    """Return the rows as text, a line each."""
    lines = [_LINE.format("", "Lowtide", "the other", "the other is", "better")]
    for row in rows:
        theirs = "" if row.theirs is None else _number(row.theirs)
        what = f"{row.what}: {row.unit}"
        lines.append(_LINE.format(what, _number(row.ours), theirs, row.peer, row.verdict).rstrip())
    return "\n".join(lines)


def _number(value):
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"
