"""The command line; what is wrong with it is one clear line, and exit status 2."""

import argparse
import ipaddress
import time
from pathlib import Path

from tools.drs_sim import faults, inputs, options
from tools.drs_sim.clock import MAX_SPEED, parse_iso


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"drs_sim: {message}\n")


def parse() -> argparse.Namespace:
    """Return the arguments of this process."""
    parser = _Parser(prog="drs_sim", description="A Dash Replenishment Service on loopback.")
    for name in ("--port", "--control-port", "--ntp-port"):
        parser.add_argument(name, type=_port, default=0, help="0 (default): any free port")
    parser.add_argument(
        "--host",
        type=_address,
        default="127.0.0.1",
        help="IPv4 address of this computer for service and time, where a board is to reach them",
    )
    parser.add_argument("--speed", type=_speed, help="virtual seconds a second, default 1")
    parser.add_argument(
        "--time",
        type=_time,
        default=round(time.time() * 1000),
        metavar="ISO8601",
        help="where a new calendar starts, default now",
    )
    parser.add_argument("--paused", action="store_true", help="start with the calendar standing")
    parser.add_argument(
        "--option",
        type=_option,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="where the sources disagree: see tools/README.md; repeatable",
    )
    parser.add_argument(
        "--fault",
        type=_fault,
        action="append",
        metavar="JSON",
        help="an entry of the fault script, in place of the kept one; repeatable",
    )
    parser.add_argument(
        "--demo-device", action="store_true", help="register a device; print how a board gets it"
    )
    parser.add_argument("--state", type=Path, required=True, help="the books (SQLite)")
    parser.add_argument("--ready", type=Path, required=True, help="written when all listens")
    arguments = parser.parse_args()
    for path in (arguments.state, arguments.ready):
        if not path.parent.is_dir():
            parser.error(f"no such folder: {path.parent}")
    return arguments


def _port(text):
    value = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"not a port: {text}")
    return value


def _address(text):
    try:
        if ipaddress.IPv4Address(text).is_unspecified:
            raise ValueError("a certificate needs one address")
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not an address of this computer: {error}") from error
    return text


def _speed(text):
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= MAX_SPEED:  # false for NaN as well
        raise argparse.ArgumentTypeError(f"not a speed from 0 to {MAX_SPEED}: {text}")
    return value


def _time(text):
    try:
        return parse_iso(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from error


def _option(text):
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"not NAME=VALUE: {text}")
    return _checked(options.parse, {name: value})


def _fault(text):
    return _checked(lambda body: faults.parse([inputs.parse_json(body)])[0], text.encode())


def _checked(parse, value):
    try:
        return parse(value)
    except inputs.BadInput as error:
        raise argparse.ArgumentTypeError(str(error)) from error
