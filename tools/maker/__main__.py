"""`python -m tools.maker`: the receiver, or with `--show` what its ledger says."""

import argparse
import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import sys
from pathlib import Path

import uvicorn

from tools.maker import report
from tools.maker.app import create_app
from tools.maker.certificates import Visitor
from tools.maker.envelope import Hosts
from tools.maker.ledger import Ledger, LedgerError

_HOST = "127.0.0.1"


class _Server(uvicorn.Server):
    """A server that leaves the signals to `main`, so that ending is a success."""

    def capture_signals(self):
        return contextlib.nullcontext()


def main() -> int:
    """Run until SIGTERM or SIGINT, or show the ledger; return the exit status."""
    arguments = _parse()
    try:
        if arguments.show:
            print(report.text(Ledger(arguments.db, must_exist=True)), end="")
            return 0
        ledger = Ledger(arguments.db)
        visitor = Visitor(Hosts(arguments.cert_host), arguments.ca)
        bound = _bind(arguments.port)
    except (OSError, ValueError, LedgerError) as error:
        print(f"maker: {error}", file=sys.stderr)
        return 2
    app = create_app(ledger, visitor, arguments.topic)
    asyncio.run(_serve(app, visitor, bound, arguments.ready))
    ledger.close()
    return 0


def _parse():
    parser = argparse.ArgumentParser(prog="maker", description="Receives a maker's notifications.")
    parser.add_argument("--db", type=Path, required=True, help="the ledger (SQLite)")
    parser.add_argument("--show", action="store_true", help="print the ledger and end")
    parser.add_argument("--port", type=_port, default=0, help="0 (default): any free port")
    parser.add_argument("--ready", type=Path, help="written when it listens")
    parser.add_argument("--topic", help="the only topic; without it, the first one confirmed")
    parser.add_argument(
        "--cert-host",
        type=_local_host,
        action="append",
        default=[],
        metavar="HOST:PORT",
        help="a loopback address that certificates and confirmations may also come from",
    )
    parser.add_argument("--ca", type=Path, help="the authority of --cert-host (PEM)")
    return parser.parse_args()


def _port(text):
    value = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"not a port: {text}")
    return value


def _local_host(text):
    if not re.fullmatch(r"(127\.0\.0\.1|localhost|\[::1\]):[0-9]{1,5}", text):
        raise argparse.ArgumentTypeError(f"not a port of this machine: {text}")
    return text


def _bind(port):
    # Named outright: asyncio turns Nagle's delay off only where it can see that this is TCP.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((_HOST, port))
    return bound


async def _serve(app, visitor, bound, ready):
    config = uvicorn.Config(
        app, lifespan="off", ws="none", log_config=None, access_log=False, server_header=False
    )
    server = _Server(config)

    def stop():
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    await asyncio.gather(server.serve([bound]), _announce(server, bound, ready))
    await visitor.close()


async def _announce(server, bound, ready):
    while not server.started:
        await asyncio.sleep(0.005)
    url = f"http://{_HOST}:{bound.getsockname()[1]}"
    if ready is not None:
        temporary = ready.with_name(ready.name + ".tmp")
        temporary.write_text(json.dumps({"url": url, "pid": os.getpid()}) + "\n")
        temporary.replace(ready)
    print(f"maker: {url}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
