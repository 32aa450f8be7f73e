"""Provision boards: apply settings, verify them, run the self-test, write a report.

Secrets (wifi.password, lwa.client_secret, lwa.refresh_token) come from the environment, as
LOWTIDE_WIFI_PASSWORD and so on, or from --secrets FILE, which only you may open. Run the same
command again to finish what is open. Exit status: 0 all good, 1 some are not, 2 nothing was done.
"""

import argparse
import os
import sys
import threading
from pathlib import Path

from tools.provision import batch, settings
from tools.provision.board import SELFTEST_STEPS
from tools.provision.register import Registrar
from tools.provision.report import GOOD, Report
from tools.provision.run import Run
from tools.provision.settings import SERIAL, InputError
from tools.provision.show import Show, one_line

_STEPS = SELFTEST_STEPS + 3


def main(arguments=None):
    """Run the command line; return the exit status."""
    given = _parser().parse_args(arguments)
    registrar = report = None
    try:
        wanted, rows = _input(given)
        stop = threading.Event()
        if given.register:
            registrar = Registrar(given.redirect_port, lines=_stdin(), stopped=stop.is_set)
        path = given.report or _beside(given.csv or given.file)
        report = Report(path)
        show = Show(given.port, _STEPS, plain=given.register)
        run = Run(wanted, report, show, stop, rows, registrar, given.again)
        return _run(run, given.port, show, path)
    except InputError as e:
        for line in e.lines:
            print(f"provision: {line}", file=sys.stderr)
        return 2
    finally:
        for each in (registrar, report):
            if each:
                each.close()


def _input(given):
    """Return the settings of all boards, and those of each; everything is checked here."""
    wrong, found = [], {}
    readers = {
        "file": lambda: settings.settings(given.file),
        "secrets": lambda: settings.secrets(given.secrets, os.environ),
        "rows": lambda: batch.rows(given.csv) if given.csv else None,
        "ports": lambda: _distinct(given.port),
    }
    for name, reader in readers.items():
        try:
            found[name] = reader()
        except InputError as e:
            wrong += e.lines
    if wrong:
        raise InputError(*wrong)
    wanted, rows = found["file"] | found["secrets"], found["rows"]
    if SERIAL in wanted and rows:
        raise InputError(f"{given.file}: {SERIAL}: comes from {given.csv}; leave it out here")
    if SERIAL in wanted and len(given.port) > 1:
        raise InputError(f"{given.file}: {SERIAL}: one for many boards; give them in a CSV file")
    if given.register and wanted.get("lwa.refresh_token"):
        raise InputError("lwa.refresh_token: registering gets one; leave it out of the secrets")
    return wanted, rows


def _distinct(ports):
    real = [os.path.realpath(port) for port in ports]
    for port in ports:
        if real.count(os.path.realpath(port)) > 1:
            raise InputError(f"{port}: one port twice")


def _run(run, ports, show, path):
    status = None
    try:
        run.run(ports)
    except KeyboardInterrupt:
        status = 130
    except OSError as e:
        show.close()
        print(f"provision: {path}: {e.strerror}; stopped", file=sys.stderr)
        return 1
    if show.close():
        for port, done in run.results.items():
            if done[1] != GOOD:
                print(one_line(port, *done))
    rest = list(_not_good(run.results, ports))
    told = f"{len(ports)} of {len(ports)} good"
    if rest:
        told = f"{len(rest)} of {len(ports)} not good: {', '.join(rest)}"
        told += "; see above why: the same command again goes on with them"
    print(f"provision: {told}; report: {path}")
    return status or (1 if rest else 0)


def _not_good(results, ports):
    for port in ports:
        serial, result, _ = results.get(port, ("", "", ""))
        if result != GOOD:
            yield f"{serial} on {port}" if serial else port


def _stdin():
    try:
        return open(0, "rb", buffering=0, closefd=False)
    except OSError:
        return None


def _beside(path):
    return path.with_name(path.stem + "-report.csv")


def _port(text):
    if text.isdecimal() and int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"want a port from 0 to 65535, not {text}")


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m tools.provision",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="settings, .toml or .yaml")
    add("--port", nargs="+", required=True, metavar="PORT", help="of each board")
    add("--csv", type=Path, metavar="FILE", help=f"a row a board; first line: {SERIAL}, ...")
    add("--secrets", type=Path, metavar="FILE", help=".toml or .yaml, mode 0600")
    add("--report", type=Path, metavar="FILE", help=".csv or .json; default: beside the CSV file")
    add("--again", action="store_true", help="do what is good anew too: secrets have changed")
    add("--register", action="store_true", help="have each board registered with Amazon")
    add(
        "--redirect-port",
        type=_port,
        default=8765,
        metavar="N",
        help="of http://localhost:N/, where the browser comes back; 0: any (default: 8765)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
