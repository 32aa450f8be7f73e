"""`deploy`: bring the firmware to a board over its serial port: what changed only, all or nothing.

The code goes into a folder of its own, beside the one that runs. Each file is written beside its
place, read back, and renamed; `boot.py`, which points to the folder, is the last one. A cable
pulled before that leaves the old version, which the watchdog starts a minute later. Then the
board is reset, and its console is asked what runs.
"""

import argparse
import re
import sys
from pathlib import Path

from tools import image
from tools.boards import facts
from tools.device import DeviceError, started
from tools.firmware_file import OLDEST
from tools.prompt import BoardError, Target, sha256

# In this order, after all others. Until boot.py is replaced the board starts the old version, with
# either main.py; a configuration without an order record would count as a lost one.
LAST = ("/order.rec", "/config.rec", "/main.py", "/boot.py")
_FOLDER = re.compile(r"/fw-[0-9a-f]{8}")
# What versions before folders left at the root.
_FLAT = re.compile(r"/(lowtide|app\.mpy|hal\.mpy|board\.mpy)")


def deploy(target, files, say, records=()):
    """Bring `files` (see `image.layout`) to the board; return how many bytes went over the wire.

    `records`: the settings that a new board begins with (see `image.records`).
    """
    wanted = {"/" + name: content for name, content in files.items()}
    root = target.root()
    if "/config.rec" not in root:
        new = {"/" + name: content for name, content in dict(records).items()}
        wanted |= {path: content for path, content in new.items() if path not in root}
    ours = [path for path in root if _FOLDER.fullmatch(path) or _FLAT.fullmatch(path)]
    present = target.hashes(*ours, "/certs", "/boot.py", "/main.py")
    running = _pointed_to(target) if "/boot.py" in root else None
    new = next(path[:12] for path in wanted if _FOLDER.match(path))
    missing = {path: c for path, c in wanted.items() if present.get(path) != sha256(c)}
    for path in _stale(ours, running, new):
        target.remove(path)
        say(f"removed {path}, of an older version")
        present = {p: sha for p, sha in present.items() if not p.startswith(path)}
    if not missing:
        say(f"{new[1:]} is on the board already: nothing moved")
        return 0
    need, free = sum(map(len, missing.values())) + 4096 * (len(missing) + 4), target.free()
    if need > free:
        raise BoardError(f"the flash has {free} bytes left, {need} are needed: remove files")
    # A cut leaves one `.tmp`, which is written over.
    where = {sha: path for path, sha in present.items() if not path.endswith(".tmp")}
    copied = sent = 0
    for path in sorted(missing, key=lambda path: (LAST.index(path) if path in LAST else -1, path)):
        same = where.get(sha256(missing[path]))
        target.put(path, missing[path], same)
        if same:
            copied += 1
        else:
            sent += len(missing[path])
            say(f"{path}: {len(missing[path])} bytes sent")
    if copied:
        say(f"{copied} files copied on the board")
    say(f"{new[1:]} is on the board, {sent} bytes sent")
    return sent


def _pointed_to(target):
    # Closed at once: left to the collector, it may be closed in the middle of a write.
    source = target.run("with open('/boot.py') as f: print(f.read())")
    found = re.search(r'path \+= \["(/fw-[0-9a-f]{8})"', source)
    return found and found[1]


def _stale(ours, running, new):
    # The flat files run as long as boot.py points to no folder.
    return [
        path
        for path in ours
        if path not in (running, new) and (running or not _FLAT.fullmatch(path))
    ]


def check_fits(target, board):
    """Refuse a board of another chip, or a MicroPython that is too old."""
    described, version = target.about()
    if version < OLDEST:
        raise BoardError(
            "the board's MicroPython is %d.%d, the agent needs %d.%d: make flash"
            % (version + OLDEST)
        )
    found = re.match(
        r"esp32([a-z]\d)?", described.rpartition(" with ")[2].replace("-", "").lower()
    )
    # The virtual board says that it is none of them.
    wanted = None if board.name == "host" else board.json["mcu"]
    if (found and found[0]) != wanted:
        meant = wanted or "the virtual board"
        raise BoardError(f"the board is a {described!r}, {board.name} is for {meant}: see BOARD=")


def what_runs(port, line):
    """Wait for the agent of a board that was just reset; return a line about it.

    Args:
        port, line: where it is, and that opened.

    Raises:
        BoardError: what was deployed does not answer.
    """
    from lowtide import VERSION

    try:
        console = started(port, line)
        try:
            status = console.job("status")
        finally:
            console.leave()
    except DeviceError as e:
        raise BoardError(
            f"what is on the board does not run: {e}; mend it, or take the version before, and"
            " deploy again"
        ) from None
    if status["version"] != VERSION:
        raise BoardError(
            f"{port}: {status['version']} answers, not {VERSION}: it is frozen into the board's"
            " MicroPython, flash another one"
        )
    state = ""
    if status["safe_mode"]:
        state = ", in safe mode after three crashes; `reboot` leaves it"
    elif status["missing"]:
        state = f", not set up: {status['missing']}"
    elif status["power"] == "battery":
        state = ", for ten seconds, then it sleeps"
    return f"Lowtide {VERSION} answers on {port}{state}; next: make console PORT={port}"


def main(argv=None):
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="tools.deploy", description=__doc__)
    parser.add_argument("--port", required=True)
    parser.add_argument("--board", required=True)
    parser.add_argument("--cert", action="append", default=[], type=Path, metavar="FILE")
    args = parser.parse_args(argv)
    say = lambda line: print(line, flush=True)  # noqa: E731
    try:
        board = facts.load(args.board)
        image.require_sound(board)
        files, records = image.compiled(board.name, args.cert), image.records(board)
        target = Target(args.port, say)
        try:
            check_fits(target, board)
            deploy(target, files, say, records)
        finally:
            line = target.restart_on_line()
        say(what_runs(args.port, line))
    except (BoardError, FileNotFoundError, ValueError) as e:
        print(f"deploy: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("deploy: interrupted; the same command again goes on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
