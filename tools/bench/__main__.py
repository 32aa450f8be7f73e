"""`python -m tools.bench NAME...`: each measurement is a module here with a `main()`."""

import sys
from importlib import import_module

NAMES = ("uplink", "wake", "service")


def main() -> int:
    """Run the named measurements, one after the other; return 0, or the first other status."""
    names = sys.argv[1:]
    if not names or not set(names) <= set(NAMES):
        print(f"bench: say which: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    for number, name in enumerate(names):
        if number:
            print()
        status = import_module(f"tools.bench.{name}").main()
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
