"""Command line of the virtual board; see README.md beside it."""

import argparse
import datetime
import fcntl
import http.client
import math
import os
import re
import sys
import time
import urllib.parse
from pathlib import Path

from tools import ready_file
from tools.virtual_board import flash, shims
from tools.virtual_board.board import PWRON_RESET, Board, Faults
from tools.virtual_board.bridge import Bridge, Waker
from tools.virtual_board.clock import BoardClock
from tools.virtual_board.events import Events
from tools.virtual_board.interpreter import Parts
from tools.virtual_board.peripherals import Peripherals
from tools.virtual_board.radio import Air, Radio
from tools.virtual_board.relay import Relay
from tools.virtual_board.serial_port import SerialPort
from tools.virtual_board.world import ClockFollower, World

_FIRST_FREE_FD = 10  # the interpreter's own descriptors are below


class _Parser(argparse.ArgumentParser):
    def error(self, message: str):
        self.exit(2, f"virtual_board: {message}\n")


def _heap(text: str) -> str:
    if not re.fullmatch(r"[1-9]\d*[kKmM]?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 128k")
    return text


def _unix_time(text: str) -> float:
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an ISO 8601 time") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return moment.timestamp()


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = -1.0
    if not 0 <= speed <= 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a speed")
    return speed


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a count from 1")
    return int(text)


def _span(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)(-(\d*))?", text)
    first, last = (0, 0) if not found else (int(found[1]), int(found[1]))
    if found and found[2]:
        last = int(found[3] or 1 << 30)
    if not 1 <= first <= last:
        raise argparse.ArgumentTypeError(f"{text!r} is not a span such as 3, 3-5 or 3-")
    return first, last


def _ppm(text: str) -> float:
    try:
        ppm = float(text)
    except ValueError:
        ppm = math.nan
    if not -500_000 <= ppm <= 500_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a drift in parts per million")
    return ppm


def _url(text: str) -> str:
    try:
        parts = urllib.parse.urlsplit(text)
        is_one = parts.scheme == "http" and parts.hostname and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not the `control` of a simulator's ready file, such as "
            "http://127.0.0.1:18080"
        )
    return text


def _arguments() -> argparse.Namespace:
    parser = _Parser(prog="virtual_board", description="A virtual ESP32 behind a serial port.")
    parser.add_argument("--flash", type=Path, required=True, help="2 MiB littlefs image")
    parser.add_argument("--link", type=Path, required=True, help="name of the serial port")
    parser.add_argument("--level", type=Path, required=True, help="amount in the bin, 0.0 to 1.0")
    parser.add_argument("--ready", type=Path, required=True, help="JSON file, written when ready")
    parser.add_argument("--heap", type=_heap, default="128k")
    parser.add_argument(
        "--clock-from", type=_url, metavar="CONTROL_URL", help="follow a simulator's clock"
    )
    parser.add_argument("--speed", type=_speed, help="of the calendar (default 1)")
    parser.add_argument("--time", type=_unix_time, help="start of the calendar (default now)")
    parser.add_argument("--sleep-drift", type=_ppm, default=0, metavar="PPM")
    parser.add_argument("--air", type=Path, help="JSON file that spoils the Wi-Fi")
    parser.add_argument("--cut-after", type=_count, default=0, metavar="N")
    parser.add_argument("--fail-reads", type=_span, default=(0, 0), metavar="FIRST-LAST")
    parser.add_argument("--events", type=Path, help="file for JSON lines")
    arguments = parser.parse_args()
    if arguments.clock_from and (arguments.speed is not None or arguments.time is not None):
        parser.error("--clock-from excludes --speed and --time")
    for name in ("flash", "link", "ready", "events"):
        path = getattr(arguments, name)
        if path and not path.parent.is_dir():
            parser.error(f"--{name}: no such folder: {path.parent}; make it first")
    if arguments.link.exists() and not arguments.link.is_symlink():
        parser.error(f"{arguments.link} exists and is not a link")
    return arguments


def _world(arguments: argparse.Namespace, waker: Waker) -> World:
    if arguments.clock_from:
        try:
            follower = ClockFollower(arguments.clock_from, waker.wake)
        except (OSError, ValueError, http.client.HTTPException) as e:
            why = " ".join(str(e).split())  # it may quote lines of whoever is there instead
            raise OSError(
                f"--clock-from: no simulator at {arguments.clock_from}: "
                f"start `make sim` first ({why})"
            ) from e
        follower.start()
        return follower.world
    start = time.time() if arguments.time is None else arguments.time
    return World(start, 1.0 if arguments.speed is None else arguments.speed)


def _high_fd(fd: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE_FD)


def main() -> int:
    arguments = _arguments()
    ready_file.drop_stale(arguments.ready)
    waker = Waker()
    try:
        world = _world(arguments, waker)
        flash.prepare(arguments.flash)
        flash_fd = _high_fd(flash.open_alone(arguments.flash))
        arguments.ready.unlink(missing_ok=True)
        events = Events(arguments.events, world)
        air = Air(arguments.air)
        air.look()
        port = SerialPort(arguments.link)
    except (OSError, ValueError) as exc:
        print(f"virtual_board: {exc}", file=sys.stderr)
        return 2
    clock = BoardClock(world, arguments.sleep_drift)
    rom_fd = os.memfd_create("shims")
    os.write(rom_fd, shims.image())
    parts = Parts(flash_fd, _high_fd(rom_fd), _high_fd(clock.faketime_fd), arguments.heap)
    radio = Radio(air, events)
    relay = Relay(radio) if arguments.air else None
    peripherals = Peripherals(clock, arguments.level, arguments.flash, radio, relay)
    faults = Faults(arguments.cut_after, arguments.fail_reads)
    board = Board(parts, world, peripherals, events, port.send, faults)
    try:
        board.boot(PWRON_RESET)
        ready_file.write(arguments.ready, {"port": port.name, "link": str(arguments.link)})
        return Bridge(board, port, clock, waker).run()
    finally:
        board.power_off()
        port.close()
        ready_file.drop_own(arguments.ready)


if __name__ == "__main__":
    sys.exit(main())
