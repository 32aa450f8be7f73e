"""`python -m tools.drs_sim`: wiring, and the servers' common life."""

import asyncio
import contextlib
import errno
import gc
import socket
import sys
import time

import uvicorn

from tools import ready_file
from tools.drs_sim import announce, api, arguments, certs, control
from tools.drs_sim.bad_certs import BadCertificates
from tools.drs_sim.courier import Courier
from tools.drs_sim.front import Front
from tools.drs_sim.simulator import Simulator, open_calendar
from tools.drs_sim.sns_signer import Signer
from tools.drs_sim.sntp import SntpServer
from tools.drs_sim.store import Store, StoreError

_LOOPBACK = "127.0.0.1"
_KEEP_ALIVE_S = 75
_TICK_S = 0.1
_SAVE_S = 1.0


class _Server(uvicorn.Server):
    """A server that leaves the signals to `main`: two of them share the process."""

    def capture_signals(self):
        return contextlib.nullcontext()


def main() -> int:
    """Run until a signal ends it; return the exit status."""
    given = arguments.parse()
    ready_file.drop_stale(given.ready)
    try:
        store = Store(str(given.state))
        given.ready.unlink(missing_ok=True)
        files = certs.prepare(given.state, given.host)
        sockets = [
            _bind(socket.SOCK_STREAM, given.port, given.host),
            _bind(socket.SOCK_STREAM, given.control_port, _LOOPBACK),
            _bind(socket.SOCK_DGRAM, given.ntp_port, given.host),
        ]
    except (OSError, StoreError, ValueError) as error:
        print(f"drs_sim: {error}", file=sys.stderr)
        return 2
    sim = Simulator(store, open_calendar(store, given.time, given.speed, given.paused))
    with sim.step():
        for option in given.option:
            sim.options.change(option)
        if given.fault is not None:
            sim.faults.replace(given.fault)
    # What is there by now stays; each call leaves little behind: look for garbage less often.
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    try:
        asyncio.run(_serve(sim, sockets, files, given))
    finally:
        # Before another simulator can have the books, and write its own.
        ready_file.drop_own(given.ready)
        store.close()
    return 0


async def _serve(sim, sockets, files, given):
    service_socket, desk_socket, ntp_socket = sockets
    context = certs.server_context(files)
    sim.faults.watch(BadCertificates(context, files, sim.faults.take_certificate))
    places = announce.Places(*("%s:%d" % bound.getsockname() for bound in sockets))
    sim.topic.press.service_url = places.service
    sim.topic.press.signer = Signer(files)
    service = _server(
        api.create_app(sim), http=Front, ssl_context_factory=lambda config, default: context
    )
    desk = _server(control.create_app(sim), http="httptools")

    def stop():
        sim.clock.close()
        service.should_exit = desk.should_exit = True

    loop = asyncio.get_running_loop()
    for number in ready_file.ending_signals():
        loop.add_signal_handler(number, stop)
    await loop.create_datagram_endpoint(lambda: SntpServer(sim.clock.now_ms), sock=ntp_socket)
    sim.tick()
    await asyncio.gather(
        service.serve([service_socket]),
        desk.serve([desk_socket]),
        _announce(sim, (service, desk), places, files, given),
        _beat(sim),
        Courier(sim).run(),
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


def _bind(kind, port, host):
    # Named outright: asyncio turns Nagle's delay off only where it can see that this is TCP.
    protocol = socket.IPPROTO_TCP if kind == socket.SOCK_STREAM else socket.IPPROTO_UDP
    bound = socket.socket(socket.AF_INET, kind, protocol)
    if kind == socket.SOCK_STREAM:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        remedy = "; another make sim? stop it" if error.errno == errno.EADDRINUSE else ""
        raise OSError(f"port {port} of {host}: {error.strerror}{remedy}") from error
    return bound


async def _announce(sim, servers, places, files, given):
    """Say where everything is, once it listens."""
    while not all(server.started for server in servers):
        await asyncio.sleep(0.005)
    ready_file.write(given.ready, announce.found(places, files))
    announce.print_places(places, files)
    if given.demo_device:
        announce.print_demo_device(sim, places, files, given.state)


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
