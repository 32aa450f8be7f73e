"""`python -m tools.bench NAME`: each measurement is a module here with a `main()`."""

import sys
from importlib import import_module

NAMES = ("service",)


def main() -> int:
    """Run the named measurement; return its exit status."""
    if len(sys.argv) != 2 or sys.argv[1] not in NAMES:
        print(f"bench: say which: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    return import_module(f"tools.bench.{sys.argv[1]}").main()


if __name__ == "__main__":
    sys.exit(main())
