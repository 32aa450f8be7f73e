"""`python -m tools.drs_sim`: arguments, wiring, and the servers' common life."""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

import uvicorn

from tools.drs_sim import api, certs, control
from tools.drs_sim.clock import MAX_SPEED, parse_iso
from tools.drs_sim.front import Front
from tools.drs_sim.simulator import Simulator, open_calendar
from tools.drs_sim.sntp import SntpServer
from tools.drs_sim.store import Store, StoreError

_HOST = "127.0.0.1"
_KEEP_ALIVE_S = 75
_TICK_S = 0.1
_SAVE_S = 1.0


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"drs_sim: {message}\n")


class _Server(uvicorn.Server):
    """A server that leaves the signals to `main`: two of them share the process."""

    def capture_signals(self):
        return contextlib.nullcontext()


def main() -> int:
    """Run until SIGTERM or SIGINT; return the exit status."""
    arguments = _parse()
    try:
        store = Store(str(arguments.state))
        files = certs.prepare(arguments.state)
        arguments.ready.unlink(missing_ok=True)
        sockets = [
            _bind(socket.SOCK_STREAM, arguments.port),
            _bind(socket.SOCK_STREAM, arguments.control_port),
            _bind(socket.SOCK_DGRAM, arguments.ntp_port),
        ]
    except (OSError, StoreError, ValueError) as error:
        print(f"drs_sim: {error}", file=sys.stderr)
        return 2
    clock = open_calendar(store, arguments.time, arguments.speed, arguments.paused)
    asyncio.run(_serve(Simulator(store, clock), sockets, files, arguments.ready))
    store.close()
    return 0


def _parse():
    parser = _Parser(prog="drs_sim", description="A Dash Replenishment Service on loopback.")
    for name in ("--port", "--control-port", "--ntp-port"):
        parser.add_argument(name, type=_port, default=0, help="0 (default): any free port")
    parser.add_argument("--speed", type=_speed, help="virtual seconds a second, default 1")
    parser.add_argument(
        "--time",
        type=_time,
        default=round(time.time() * 1000),
        metavar="ISO8601",
        help="where a new calendar starts, default now",
    )
    parser.add_argument("--paused", action="store_true", help="start with the calendar standing")
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


async def _serve(sim, sockets, files, ready):
    service_socket, desk_socket, ntp_socket = sockets
    context = certs.server_context(files)
    service = _server(
        api.create_app(sim), http=Front, ssl_context_factory=lambda config, default: context
    )
    desk = _server(control.create_app(sim), http="httptools")

    def stop():
        sim.clock.close()
        service.should_exit = desk.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await loop.create_datagram_endpoint(lambda: SntpServer(sim.clock.now_ms), sock=ntp_socket)
    sim.tick()
    await asyncio.gather(
        service.serve([service_socket]),
        desk.serve([desk_socket]),
        _announce((service, desk), sockets, files, ready),
        _beat(sim),
    )
    sim.tick()


def _server(app, **options):
    return _Server(
        uvicorn.Config(
            app,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            date_header=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=1,
            **options,
        )
    )


def _bind(kind, port):
    # Named outright: asyncio turns Nagle's delay off only where it can see that this is TCP.
    protocol = socket.IPPROTO_TCP if kind == socket.SOCK_STREAM else socket.IPPROTO_UDP
    bound = socket.socket(socket.AF_INET, kind, protocol)
    if kind == socket.SOCK_STREAM:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((_HOST, port))
    except OSError as error:
        raise OSError(f"port {port}: {error.strerror}") from error
    return bound


async def _announce(servers, sockets, files, ready):
    """Write the ready file, in one step, once everything listens."""
    while not all(server.started for server in servers):
        await asyncio.sleep(0.005)
    service, desk, ntp = (f"{_HOST}:{bound.getsockname()[1]}" for bound in sockets)
    found = {
        "drs": f"https://{service}",
        "token": f"https://{service}/auth/o2/token",
        "control": f"http://{desk}",
        "ntp": ntp,
        "ca_pem": str(files.ca_pem),
        "ca_der": str(files.ca_der),
        "pid": os.getpid(),
    }
    temporary = ready.with_name(ready.name + ".tmp")
    temporary.write_text(json.dumps(found) + "\n")
    temporary.replace(ready)
    print(f"drs_sim: service {found['drs']}, control {found['control']}", flush=True)


async def _beat(sim):
    """Let events happen when they fall due, and keep the calendar's position on disk."""
    saved = time.monotonic()
    while not sim.clock.closed:
        await asyncio.sleep(_TICK_S)
        if time.monotonic() - saved >= _SAVE_S or sim.orders.is_due(sim.clock.now_ms()):
            sim.tick()
            saved = time.monotonic()


if __name__ == "__main__":
    sys.exit(main())
