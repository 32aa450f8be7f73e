"""What an uplink costs on the wire, as `make bench` counts it: the real MicroPython, a relay."""

import socket
import socketserver
import threading

import pytest

from tools.bench.interpreter import ProgramError, Programs
from tools.bench.relay import Relay
from tools.bench.rig import STATES, rig
from tools.bench.uplink import BYTES_AIM, smallest_heap

HANDSHAKES = {"valid": 1, "expired": 2, "rejected": 3}


@pytest.fixture(scope="module")
def bench():
    """The bench, running."""
    with rig() as ready:
        yield ready


@pytest.fixture(scope="module")
def uplinks(bench):
    """The traffic of Lowtide's uplink, by state of its token."""
    return {state: bench.run("bench_uplink", state)[1] for state in STATES}


@pytest.mark.parametrize("state", STATES)
def test_an_uplink_makes_one_handshake_two_or_three_as_its_token_is(uplinks, state):
    assert uplinks[state].handshakes == uplinks[state].connections == HANDSHAKES[state]


@pytest.mark.parametrize("state", STATES)
def test_an_uplink_never_has_two_connections_open_at_once(uplinks, state):
    assert uplinks[state].most_open == 1


@pytest.mark.parametrize("state", STATES)
def test_an_uplink_takes_hardly_more_bytes_than_its_messages_need(bench, uplinks, state):
    floor = bench.run("bench_floor", state)[1]
    assert floor.handshakes == HANDSHAKES[state]
    assert floor.total <= uplinks[state].total * 1.01
    assert uplinks[state].total <= BYTES_AIM * floor.total


def test_an_uplink_of_the_bench_places_one_order(bench):
    before = bench.orders()
    bench.run("bench_uplink")
    assert bench.orders() == before + 1


def test_the_bench_sees_what_a_connection_a_call_costs(bench, uplinks):
    traffic = bench.run("bench_requests")[1]
    assert traffic.handshakes == 4
    assert traffic.total > BYTES_AIM * uplinks["valid"].total


def test_an_unknown_ca_gets_an_order_from_requests_and_nothing_from_lowtide(bench):
    assert bench.orders_with_a_stranger("bench_client") == 0
    assert bench.orders_with_a_stranger("bench_requests") == 1


def test_too_small_a_heap_is_told_from_a_failure(bench, tmp_path):
    assert bench.run("bench_client", heap=16 * 1024)[0] is None
    with pytest.raises(ProgramError, match="ImportError"):
        Programs(tmp_path).run("no_such_program", {})


def test_the_smallest_heap_is_found_and_luck_at_one_size_is_not():
    assert smallest_heap(lambda heap: heap >= 40000) - 40000 in range(513)
    lucky = smallest_heap(lambda heap: heap >= 50000 or 39900 < heap < 40600)
    assert lucky >= 49500


def test_more_than_128_kb_of_heap_is_said():
    with pytest.raises(ValueError, match="does not complete"):
        smallest_heap(lambda heap: False)


class Echo(socketserver.BaseRequestHandler):
    """Gives back what it gets, until the client closes."""

    def handle(self):
        while data := self.request.recv(100):
            self.request.sendall(data)


@pytest.fixture
def relay():
    """A relay to an echo."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as echo:
        threading.Thread(target=echo.serve_forever, args=(0.01,), daemon=True).start()
        with Relay(echo.server_address[1]) as made:
            yield made
        echo.shutdown()


def connection(relay):
    """Return a connection through the relay over which one word went and came."""
    made = socket.create_connection(("127.0.0.1", relay.port))
    made.sendall(b"hello")
    assert made.recv(5) == b"hello"
    return made


def test_the_relay_tells_connections_at_once_from_one_after_the_other(relay):
    for _ in range(20):
        connection(relay).close()
    traffic = relay.take()
    assert (traffic.connections, traffic.most_open) == (20, 1)
    with connection(relay), connection(relay):
        pass
    traffic = relay.take()
    assert (traffic.connections, traffic.most_open) == (2, 2)
    assert (traffic.sent, traffic.received, traffic.handshakes) == (10, 10, 0)
