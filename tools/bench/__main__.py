"""`python -m tools.bench [NAME...]`: measurements, all of them or those named, and one table."""

import sys
import time
from importlib import import_module

from tools.bench.summary import table

# Each is a module here with a `measure()` that prints its own and returns its rows.
NAMES = ("store", "uplink", "wake", "flow", "size", "fleet", "service")


def main() -> int:
    """Run the measurements, one after the other; return 0, or 2 for a name that there is not."""
    names = sys.argv[1:] or NAMES
    if not set(names) <= set(NAMES):
        print(f"bench: say which: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    rows, began = [], time.monotonic()
    for name in names:
        rows += import_module(f"tools.bench.{name}").measure()
        print()
    print(table(rows))
    print(f"\nbench: {len(rows)} figures in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
