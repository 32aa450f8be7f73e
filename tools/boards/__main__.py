"""`python -m tools.boards`: check every board; `draw`: draw the wiring anew, then check."""

import sys

from tools import image
from tools.boards import check, draw, facts


def main(argv=None):
    """Run the command line; return the exit status."""
    argv = sys.argv[1:] if argv is None else argv
    if argv not in ([], ["draw"]):
        print("boards: want no argument, or: draw", file=sys.stderr)
        return 2
    failed = False
    for name in image.known_boards():
        board = facts.load(name)
        if argv and board.toml.get("part"):
            for file, text in draw.drawings(board).items():
                (board.folder / file).write_text(text)
        wrong = check.complaints(board)
        failed = failed or bool(wrong)
        pins = " ".join(f"GPIO{use.pin}:{use.kind}" for use in board.uses())
        print(f"{name:18} {'FAILED' if wrong else 'ok':7} {board.json['mcu']:8} {pins}")
        for line in wrong:
            print(f"  {line}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
