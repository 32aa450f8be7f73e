"""lowtide.https where an answer ends anywhere, or never: a Fault, and never a wrong answer."""

import itertools
import threading

import pytest
from tls_kit import INTERPRETERS, SECRET, Server, answer, case, cheap_server, run, try_all

ROOT, GOOD = cheap_server()
BODY = '{"a":1}'
FORMS = {
    "a length": answer(BODY.encode()),
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'4;x\r\n{"a"\r\n3\r\n:1}\r\n0\r\nX: y\r\n\r\n',
}
TICK_S = 0.02
LIMIT_S = 0.3


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """A folder with the root as DER, as `/certs` on the device."""
    folder = tmp_path_factory.mktemp("certs")
    (folder / "root.der").write_bytes(ROOT.der)
    return folder


def cutting(data, is_said):
    """Return a `serve` that answers a request for /n with n bytes of `data` and then the end.

    `is_said`: the server says goodbye in TLS, so that the end is no accident of the line.
    """

    def serve(connection, server):
        size = server.read_request(connection).split()[1][1:]
        connection.sendall(data[: int(size)])
        if is_said:
            connection.unwrap()

    return serve


@pytest.mark.parametrize("is_said", [True, False], ids=["goodbye said", "line cut"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_an_answer_cut_at_any_byte_is_a_fault(interpreter, form, is_said, roots):
    data = FORMS[form]
    with Server(GOOD, cutting(data, is_said)) as server:
        cases = [
            case(server.port, roots, requests=[("GET", "/%d" % size)])
            for size in range(len(data) + 1)
        ]
        results = run(interpreter, cases, at_once=12)
    assert results.pop() == [["ok", 200, BODY]]
    for size, result in enumerate(results):
        assert (size, [kind for kind, *_ in result]) == (size, ["Fault"])
    assert server.requests.count(SECRET.encode()) == len(data) + 1


def dripping(head, flood):
    """Return a `serve` that answers `head`, then bytes of `flood` for ever, one a tick."""

    def serve(connection, server):
        if server.context:
            server.read_request(connection)
        connection.sendall(head)
        for byte in itertools.cycle(flood):
            connection.sendall(bytes([byte]))
            threading.Event().wait(TICK_S)

    return serve


def silent(connection, server):
    """Take everything, say nothing."""
    while connection.recv(4096):
        pass


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SLOW = {
    "a handshake that drips": (None, dripping(b"\x16\x03\x03\x20\x00\x02", b"\0")),
    "no handshake": (None, silent),
    "no answer": (GOOD, silent),
    "a status line that drips": (GOOD, dripping(b"HTTP/1.1 200 ", b"O")),
    "a head that drips": (GOOD, dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n")),
    "100 that drips": (GOOD, dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
    "a body that drips": (
        GOOD,
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 8000\r\n\r\n", b"x"),
    ),
    "chunks that drip": (GOOD, dripping(CHUNKED, b"1\r\nx\r\n")),
    "trailers that drip": (GOOD, dripping(CHUNKED + b"0\r\n", b"X: y\r\n")),
}


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_a_server_that_drips_or_is_silent_ends_at_the_time_limit(interpreter, roots):
    rows = {name: (*row, {"timeout_s": LIMIT_S}) for name, row in SLOW.items()}
    for name, (results, _) in try_all(interpreter, rows, roots).items():
        # No other limit ends these: the bytes that they are allowed would take minutes.
        assert (name, results) == (name, [["Fault", "localhost: no answer in 0 s"]])
