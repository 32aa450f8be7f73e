"""The figures of a fleet as a table."""

from datetime import UTC, datetime

# What `judge` counts, in words; its docstring has the definitions.
ROWS = (
    ("orders", "orders"),
    ("false", "false orders: nowhere near due"),
    ("early", "orders too early"),
    ("beside_pack", "orders beside a pack not yet opened"),
    ("dry", "stock-outs"),
    ("avoidable", "  that an order when due would have avoided"),
    ("clearly", "  a day later, too"),
    ("dry_beside", "bin dry beside a pack, for people to load"),
    ("refills", "refills in a depletion"),
    ("missed", "  not seen"),
    ("phantom", "refills seen that were none"),
    ("left", "left over in the end, in full bins"),
)
GOAL = ("false", "avoidable")
_SHOWN = 5


def figures(tally):
    """Return {policy: {row: count}}, what was left over in full bins."""
    found = {}
    for policy, counts in tally.counts.items():
        found[policy] = dict(counts, left=round(counts["hoard"] / 1000))
    return found


def table(tally, device_years):
    """Return the table's lines: each policy's counts, in brackets those of 100 device-years."""
    shown = figures(tally)
    lines = [f"{'':<44}" + "".join(f"{policy:>22}" for policy in shown)]
    for row, words in ROWS:
        cells = [_cell(policy, row, counts[row], device_years) for policy, counts in shown.items()]
        lines.append(f"{words:<44}" + "".join(cells))
    lines.append("in brackets: in 100 device-years")
    return lines


def _cell(policy, row, count, device_years):
    if policy != "lowtide" and row in ("refills", "missed", "phantom"):
        return f"{'none':>13}{'':>9}"  # it knows no refills
    share = f"({count * 100 / device_years:.1f})"
    return f"{count:>13,}{share:>9}"


def cases(tally, policy="lowtide"):
    """Return lines that tell of the first cases of what should not be."""
    lines = []
    for what in (*GOAL, "missed", "phantom"):
        found = [case for case in tally.cases if case[:2] == (policy, what)]
        for _, _, number, at_s, why in found[:_SHOWN]:
            lines.append(f"{what} at device {number}, {when(at_s)}: {why}")
    return lines


def when(at_s):
    """Return a time as text."""
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M}"
