"""`flash`: put MicroPython, from a file, and the agent's volume on a board, with esptool.

Everything is checked before a byte is written: the file, the board it is for, the chip and the
size of the flash at the other end of the line. What the flash held is gone afterwards.
"""

import argparse
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tools import image
from tools.boards import facts
from tools.firmware_file import read
from tools.port import seen

_BAUD = 460800


class FlashError(Exception):
    """Nothing was written, or not all; the text says what to do."""


def esptool(chip, port, *arguments):
    """Return the command line of esptool for a board on `port`."""
    name = chip.name.replace("-", "").lower()
    options = ["--chip", name, "--port", port, "--baud", str(_BAUD)]
    return [sys.executable, "-m", "esptool", *options, *map(str, arguments)]


def flash_mib_on(chip, port, more=()):
    """Ask the board for the size of its flash in MiB; esptool refuses another chip here.

    Raises:
        FlashError: no answer, another chip, or no size.
    """
    command = esptool(chip, port, *more, "flash-id")
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise FlashError(
            f"{done.stdout.strip()}\nno {chip.name} answers on {port}: hold its BOOT button while "
            "this starts, and let nothing else have the port open"
        )
    found = re.search(r"flash size: (\d+)MB", done.stdout)
    if not found:
        raise FlashError(f"{done.stdout.strip()}\nthe board does not tell the size of its flash")
    return int(found[1])


def block_count(firmware, flash_mib):
    """Return how many blocks the volume has, and where it begins, in this MicroPython's layout."""
    offset, size = firmware.vfs
    room = flash_mib * 1024 * 1024 - offset
    if room <= 0 or (size or 0) > room:
        raise FlashError(f"{flash_mib} MB of flash are too few for this MicroPython: FLASH_MIB=")
    return (size or room) // 4096, offset


def flash(board, firmware_path, args):
    """Check everything, then write; see `main` for `args`."""
    firmware = read(firmware_path, board.chip, args.sha256)
    print(f"{firmware_path}: {firmware.version}, SHA-256 {firmware.sha256}")
    if not args.sha256:
        print("  not compared with anything: give SHA256=, from where you got the file")
    flash_mib = board.toml["flash_mib"]
    if not args.dry_run:
        wrong = seen(args.port)
        if wrong:
            raise FlashError(f"{args.port}: {wrong}")
        found = flash_mib_on(board.chip, args.port, args.esptool)
        if found != (args.flash_mib or flash_mib):
            raise FlashError(
                f"the board has {found} MB of flash, not {args.flash_mib or flash_mib}:"
                f" FLASH_MIB={found}"
            )
    blocks, offset = block_count(firmware, args.flash_mib or flash_mib)
    volume = args.out / f"{board.name}.img"
    image.build(board, volume, args.cert, args.defaults, block_count=blocks, offset=offset)
    parts = [board.chip.flash_offset, firmware_path, offset, volume]
    parts = [hex(part) if isinstance(part, int) else part for part in parts]
    command = esptool(board.chip, args.port, *args.esptool, "write-flash", *parts)
    print(shlex.join(command), flush=True)
    if args.dry_run:
        print(f"a dry run: nothing was written to {args.port}, nor was it opened")
    elif subprocess.run(command).returncode:
        raise FlashError("esptool failed: the flash is half written; run this again")


def main(argv=None):
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="tools.flash", description=__doc__)
    parser.add_argument("--port", required=True)
    parser.add_argument("--board", required=True)
    parser.add_argument("--firmware", required=True, type=Path, help="MicroPython's .bin file")
    parser.add_argument("--sha256", help="what the file's must be")
    parser.add_argument("--flash-mib", type=int, help="where it is not the board's usual size")
    parser.add_argument("--cert", action="append", default=[], type=Path, metavar="FILE")
    parser.add_argument("--defaults", type=Path, help="settings, a JSON object in a file")
    parser.add_argument("--out", default=Path("build"), type=Path, help="folder for the volume")
    parser.add_argument("--dry-run", action="store_true", help="print the command, write nothing")
    parser.add_argument("--esptool", action="append", default=[], help="an option for esptool")
    args = parser.parse_args(argv)
    try:
        if args.board == "host":
            raise FlashError(
                "the virtual board has no boot loader: `make image`, and start it on that file; "
                "or say which board: BOARD=ESP32_GENERIC"
            )
        flash(facts.load(args.board), args.firmware, args)
    except (FlashError, OSError, ValueError) as e:
        print(f"flash: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
