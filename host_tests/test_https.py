"""What lowtide.https takes for an answer, from real TLS servers, in both interpreters."""

import os
import socket
import ssl
import threading

import pytest
from tls_kit import (
    GET,
    INTERPRETERS,
    POST,
    SECRET,
    Server,
    answer,
    answering,
    case,
    cheap_server,
    run,
    try_all,
)

MAX_ANSWER = 8192
ROOT, GOOD = cheap_server()
TWICE = {"requests": [GET, POST]}
UNASKED = "closed, or spoke unasked"
BROKEN = "answer cut short, too long or not HTTP/1.1"
FAKE = answer(b'{"detailCode":"FORGED"}')


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """A folder with the root as DER, as `/certs` on the device."""
    folder = tmp_path_factory.mktemp("certs")
    (folder / "root.der").write_bytes(ROOT.der)
    return folder


@pytest.fixture(scope="module", params=INTERPRETERS)
def interpreter(request):
    """Each case is tried on each interpreter."""
    return request.param


def assert_fault(results, words="", kind="Fault"):
    """Check for one clear line that is not Insecure."""
    assert [each[0] for each in results] == [kind], results
    text = results[0][1]
    assert words in text and text and "\n" not in text and SECRET not in text, text


# -- answers ------------------------------------------------------------------------------------

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LONGEST = b"x" * (MAX_ANSWER - len(answer(b"x" * 1000)) + 1000)
ANSWERS = {
    "with a length": (answer(b'{"a":1}'), 200, '{"a":1}'),
    "chunked": (CHUNKED + b"4\r\nabcd\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n", 200, "abcd0123456789"),
    "chunked, with trailers": (CHUNKED + b"1\r\na\r\n0\r\nX: y\r\nZ: y\r\n\r\n", 200, "a"),
    "chunked, empty": (CHUNKED + b"0\r\n\r\n", 200, ""),
    "in big chunks": (
        CHUNKED + (b"7d0\r\n" + b"x" * 2000 + b"\r\n") * 3 + b"0\r\n\r\n",
        200,
        "x" * 6000,
    ),
    "an empty body": (answer(b""), 200, ""),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
    "304": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, ""),
    "no reason phrase": (b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", 200, "x"),
    "another reason phrase": (answer(b"x", status=b"200 Accepted and so on"), 200, "x"),
    "names in any case": (b"HTTP/1.1 200 OK\r\ncOnTeNt-LeNgTh:1 \r\n\r\nx", 200, "x"),
    "long fields": (
        answer(b"x", *(b"X: " + b"y" * n for n in (*range(506, 515), 2000))),
        200,
        "x",
    ),
    "a field twice": (answer(b"x", b"Set-Cookie: a", b"Set-Cookie: b"), 200, "x"),
    "100 first": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nA: b\r\n\r\n" + answer(b"x"),
        200,
        "x",
    ),
    "the longest": (answer(LONGEST), 200, LONGEST.decode()),
    "an error": (answer(b"no", status=b"400 Bad Request"), 400, "no"),
}


def test_answers_of_every_form_are_read(interpreter, roots):
    rows = {name: (GOOD, answering(row[0]), {}) for name, row in ANSWERS.items()}
    for name, (results, server) in try_all(interpreter, rows, roots).items():
        assert (name, results) == (name, [["ok", *ANSWERS[name][1:]]])
        assert server.connections == 1


def with_fields(*fields):
    """Return an answer with these fields and a body of five bytes."""
    return b"\r\n".join((b"HTTP/1.1 200 OK", *fields, b"", b"hello"))


LENGTH = b"Content-Length: 5"
BAD = {
    "not HTTP": b"SSH-2.0-OpenSSH_9.0\r\n\r\n",
    "junk": bytes(range(256)) * 8 + b"\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "a status line of one word": b"HTTP/1.1\r\n" + LENGTH + b"\r\n\r\nhello",
    "a signed status": b"HTTP/1.1 +200 OK\r\n" + LENGTH + b"\r\n\r\nhello",
    "a status of thousands of digits": b"HTTP/1.1 %s OK\r\n" % (b"1" * 6000),
    "an empty line first": b"\r\n" + answer(),
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n" + LENGTH + b"\r\n\r\nhello",
    "HTTP/2": b"HTTP/2 200\r\n" + LENGTH + b"\r\n\r\nhello",
    "no length": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello",
    "a status line too long": b"HTTP/1.1 200 " + b"x" * 9000,
    "a field too long": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 9000,
    "a head that never ends": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 2000,
    "a flood of fields": with_fields(*(b"%d:" % n for n in range(300)), LENGTH),
    "a flood of 100": b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
    "100 and nothing": b"HTTP/1.1 100 Continue\r\n\r\n",
    "an answer too long": answer(LONGEST + b"x"),
    "a length beyond all memory": with_fields(b"Content-Length: 99999999999999"),
    "a length of thousands of digits": with_fields(b"Content-Length: " + b"9" * 6000),
    "a negative length": with_fields(b"Content-Length: -1"),
    "a signed length": with_fields(b"Content-Length: +5"),
    "a length that is no number": with_fields(b"Content-Length: many"),
    "a length in hexadecimal": with_fields(b"Content-Length: 0x5"),
    "two lengths": with_fields(LENGTH, b"Content-Length: 4"),
    "a list of lengths": with_fields(b"Content-Length: 5, 5"),
    "length and chunks": with_fields(LENGTH, b"Transfer-Encoding: chunked"),
    "chunks and length": CHUNKED[:-2] + LENGTH + b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "an unknown coding": with_fields(b"Transfer-Encoding: gzip"),
    "an unknown coding and a length": with_fields(b"Transfer-Encoding: identity", LENGTH),
    "two codings": CHUNKED[:-2] + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": with_fields(LENGTH, b"Content-Length : 4"),
    "a folded field": with_fields(LENGTH, b"X: a", b" Content-Length: 4"),
    "a field folded by a tab": with_fields(LENGTH, b"X: a", b"\tContent-Length: 4"),
    "a field without a colon": with_fields(LENGTH, b"nonsense"),
    "a field that is not ASCII": with_fields(LENGTH, b"X: \xff"),
    "a field that is UTF-8": with_fields(LENGTH, "X: ü".encode()),
    "NUL in a field": with_fields(LENGTH, b"X: a\0b"),
    "NUL in a name": with_fields(LENGTH, b"Content-Length\0: 4"),
    "a bare CR": with_fields(LENGTH, b"X: a\rContent-Length: 4"),
    "bare LFs": answer(b"hello").replace(b"\r\n", b"\n"),
    "a chunk too long": CHUNKED + b"%x\r\n" % (MAX_ANSWER + 1) + b"x" * (MAX_ANSWER + 1),
    "chunks too long together": CHUNKED + (b"1000\r\n" + b"x" * 4096 + b"\r\n") * 3,
    "a flood of small chunks": CHUNKED + b"1\r\nx\r\n" * 3000,
    "a flood of trailers": CHUNKED + b"0\r\n" + b"X: y\r\n" * 2000,
    "a chunk of no number": CHUNKED + b"zz\r\nx\r\n0\r\n\r\n",
    "a chunk of no size": CHUNKED + b"\r\n\r\n",
    "a chunk of negative size": CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n",
    "a chunk beyond all memory": CHUNKED + b"f" * 15 + b"\r\nx",
    "a chunk longer than it says": CHUNKED + b"4\r\nhello\r\n0\r\n\r\n",
    "a chunk shorter than it says": CHUNKED + b"6\r\nhello\r\n0\r\n\r\n",
    "a chunk line that never ends": CHUNKED + b"0" * 9000,
}


def test_answers_that_cannot_be_read_are_faults_and_not_insecure(interpreter, roots):
    rows = {name: (GOOD, answering(data), TWICE) for name, data in BAD.items()}
    for name, (results, server) in try_all(interpreter, rows, roots).items():
        assert (name, [kind for kind, *_ in results]) == (name, ["Fault"])
        assert BROKEN in results[0][1], (name, results)
        assert b"POST" not in server.requests


# -- one connection, several requests ------------------------------------------------------------


def tried(interpreter, roots, serve, context=GOOD, **how):
    """Return what came of one case, and its server."""
    return try_all(interpreter, {"": (context, serve, how)}, roots)[""]


def test_two_requests_share_one_connection(interpreter, roots):
    serve = answering(answer(b"one"), answer(b"two"))
    results, server = tried(interpreter, roots, serve, **TWICE)
    assert results == [["ok", 200, "one"], ["ok", 200, "two"]]
    assert server.connections == server.handshakes == 1
    first, second, rest = server.requests.split(b"\r\n\r\n")
    assert first.split(b"\r\n") == [
        b"GET /subscriptionInfo HTTP/1.1",
        b"Host: localhost",
        b"Authorization: Bearer s3cr3t",
    ]
    assert second.split(b"\r\n") == [
        b"POST /replenish/PaperTowel HTTP/1.1",
        b"Host: localhost",
        b"Content-Length: 0",
        b"Authorization: Bearer s3cr3t",
    ]
    assert not rest


def test_a_redirect_is_an_answer_and_the_token_goes_nowhere(interpreter, roots):
    with Server(GOOD, answering(answer())) as elsewhere:
        location = b"Location: https://localhost:%d/replenish/PaperTowel" % elsewhere.port
        rows = {}
        for status in (301, 302, 303, 307, 308):
            moved = answer(b"gone", location, status=b"%d Moved" % status)
            rows[status] = (GOOD, answering(moved, moved), TWICE)
        for status, (results, server) in try_all(interpreter, rows, roots).items():
            assert results == [["ok", status, "gone"]] * 2
            assert server.connections == 1
    assert elsewhere.connections == 0


def early(data):
    """Return a `serve` that sends `data` with the end of its handshake, before any request."""

    def serve(raw, server):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ROOT.leaf().context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # there, the server ends the handshake
        tls = context.wrap_bio(incoming, outgoing, server_side=True)

        def until_done(step):
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    raw.sendall(outgoing.read())
                    incoming.write(raw.recv(65536) or b"never TLS")

        until_done(tls.do_handshake)
        if data:
            tls.write(data)
        while (piece := until_done(lambda: tls.read(4096))) and SECRET.encode() not in piece:
            server.keep(piece)
        server.keep(piece)
        tls.write(answer())
        raw.sendall(outgoing.read())

    return serve


def test_an_answer_sent_before_the_request_is_none_and_draws_no_token(interpreter, roots):
    results, server = tried(interpreter, roots, early(FAKE), context=None)
    assert_fault(results, UNASKED, "Rejected")
    assert SECRET.encode() not in server.requests
    # The same server, had it waited.
    results, server = tried(interpreter, roots, early(b""), context=None)
    assert results[0][0] == "ok"
    assert SECRET.encode() in server.requests


def test_what_follows_an_answer_answers_no_later_request(interpreter, roots):
    # In one record. The reads are of 512 bytes: the last one takes the forgery along, or part of
    # it, or, where the answer ends with the fourth read, leaves it for later.
    fourth = 4 * 512 - len(answer(b"x" * 1000)) + 1000
    rows = {
        size: (GOOD, answering(answer(b"x" * size) + FAKE, linger=True), TWICE)
        for size in (3, fourth - 5, fourth)
    }
    for size, (results, server) in try_all(interpreter, rows, roots).items():
        assert results[0] == ["ok", 200, "x" * size]
        assert_fault(results[1:], UNASKED, "Rejected")
        assert b"POST" not in server.requests


def test_what_follows_connection_close_is_never_read(interpreter, roots):
    closing = answer(b"one", b"Connection: Keep-Alive, Close")
    results, server = tried(interpreter, roots, answering(closing + FAKE, FAKE), **TWICE)
    assert results[0] == ["ok", 200, "one"]
    assert_fault(results[1:], UNASKED, "Rejected")
    assert b"POST" not in server.requests


def test_a_server_that_closed_in_between_is_a_fault_and_no_second_connection(interpreter, roots):
    results, server = tried(interpreter, roots, answering(answer(b"one")), **TWICE)
    assert results[0] == ["ok", 200, "one"]
    assert_fault(results[1:], UNASKED, "Rejected")
    assert server.connections == 1


def test_closing_closes_the_socket_at_once(interpreter, roots):
    # Of two connections, the second is answered only when the first is gone.
    first, closed = threading.Lock(), threading.Event()

    def serve(connection, server):
        server.read_request(connection)
        if not first.acquire(blocking=False):
            closed.wait(10)
        connection.sendall(answer(b"one", b"Connection: close"))
        if not connection.recv(1):
            closed.set()

    with Server(GOOD, serve) as server:
        results = run(interpreter, [case(server.port, roots)] * 2, at_once=2)
    assert results == [[["ok", 200, "one"]]] * 2


# -- nobody there -------------------------------------------------------------------------------


def reset(connection, server):
    """End with a TCP reset instead of an answer."""
    server.read_request(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    os.close(connection.detach())


def test_a_line_that_breaks_is_a_fault_and_not_insecure(interpreter, roots):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    rows = {
        "reset": (GOOD, reset, {}),
        "closed before the handshake": (None, lambda connection, server: None, {}),
        "nobody listens": (None, answering(), {"port": port}),
        "no such name": (None, answering(), {"host": "no-such-host.invalid", "address": None}),
    }
    for name, (results, _) in try_all(interpreter, rows, roots).items():
        assert_fault(results)
        assert (
            name != "nobody listens" or "ECONNREFUSED" in results[0][1] or "cpython" in interpreter
        )
