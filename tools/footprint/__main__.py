"""`python -m tools.footprint`: print what the firmware takes, refresh README, lower ceilings."""

import argparse
import sys

from tools import readme
from tools.footprint import ceilings, table
from tools.footprint.measure import measure

_NOTE = """\
Flash: bytes on the device (mpy-cross -O2; boot.py and main.py as source). Heap: bytes on the
64-bit host, code included, each module after those above it that it needs; objects take half as
much on an ESP32. A name is counted where it first comes up.
"""


def main(argv=None) -> int:
    """Run the command line; return 1 if a ceiling does not hold."""
    parser = argparse.ArgumentParser(prog="tools.footprint", description=__doc__)
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    parser.add_argument("--lower", action="store_true", help="lower the ceilings to what is there")
    args = parser.parse_args(argv)
    sizes = measure(ceilings.order(ceilings.read()))
    if args.lower:
        ceilings.FILE.write_text(ceilings.lowered(ceilings.FILE.read_text(), sizes))
    limits = ceilings.read()
    print(_NOTE)
    print(table.plain(limits, sizes))
    if args.readme:
        readme.part("footprint", table.markdown(limits, sizes))
    found = ceilings.complaints(limits, sizes)
    for complaint in found:
        print(f"ceiling: {complaint}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
