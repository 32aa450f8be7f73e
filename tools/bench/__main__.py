"""`python -m tools.bench [--readme | NAME...]`: the measurements, or those named; one table.

`--readme` writes the table of those that are about the firmware into README.md, too.
"""

import sys
import time
from importlib import import_module

from tools import readme
from tools.bench.summary import markdown, table

# Each is a module here with a `measure()` that prints its own and returns its rows.
ABOUT_FIRMWARE = ("store", "uplink", "wake", "flow")
NAMES = (*ABOUT_FIRMWARE, "size", "fleet", "service")


def main() -> int:
    """Run the measurements, one after the other; return 0, or 2 for a name that there is not."""
    if sys.argv[1:] in (["-h"], ["--help"]):
        print(f"{__doc__}\nNAME: {', '.join(NAMES)}")
        return 0
    to_readme = sys.argv[1:] == ["--readme"]
    names = ABOUT_FIRMWARE if to_readme else sys.argv[1:] or NAMES
    if not set(names) <= set(NAMES):
        print(f"bench: say which: {', '.join(NAMES)}; or --readme", file=sys.stderr)
        return 2
    rows, began = [], time.monotonic()
    for name in names:
        rows += import_module(f"tools.bench.{name}").measure()
        print()
    print(table(rows))
    if to_readme:
        readme.part("bench", markdown(rows))
    print(f"\nbench: {len(rows)} figures in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
