"""`python -m tools.boards`: check every board; `draw`: draw the wiring anew, then check."""

import argparse
import sys

from tools import image
from tools.boards import check, draw, facts


def main(argv=None):
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="tools.boards", description=__doc__)
    parser.add_argument("draw", nargs="?", choices=["draw"], help="draw the wiring anew first")
    is_to_draw = parser.parse_args(argv).draw is not None
    failed = False
    for name in image.known_boards():
        try:
            said, wrong = _check(name, is_to_draw)
        except Exception as e:  # noqa: BLE001 - board.py is a maker's code; the others are checked too
            said, wrong = "", [f"boards/{name} cannot be read: {type(e).__name__}: {e}"]
        failed = failed or bool(wrong)
        print(f"{name:18} {'FAILED' if wrong else 'ok':7} {said}")
        for line in wrong:
            print(f"  {line}")
    return int(failed)


def _check(name, is_to_draw):
    board = facts.load(name)
    if is_to_draw and board.toml.get("part"):
        for file, text in draw.drawings(board).items():
            (board.folder / file).write_text(text)
    pins = " ".join(f"GPIO{use.pin}:{use.kind}" for use in board.uses())
    return f"{board.json['mcu']:8} {pins}", check.complaints(board)


if __name__ == "__main__":
    sys.exit(main())
