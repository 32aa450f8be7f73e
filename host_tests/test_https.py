"""lowtide.https against real TLS servers, in both interpreters: verified, or not one byte."""

import contextlib
import datetime
import json
import os
import socket
import ssl
import subprocess
import sys
import threading

import mp_runner
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HERE = mp_runner.HERE
NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
GET = ["GET", "/subscriptionInfo", ""]
POST = ["POST", "/replenish/PaperTowel", ""]
MAX_BODY = 8192
INTERPRETERS = ("cpython", "micropython")


@pytest.fixture(params=INTERPRETERS)
def interpreter(request):
    """Each test of the client runs once in each interpreter."""
    return request.param


@pytest.fixture(scope="module")
def ca():
    """The root that the device trusts."""
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


@pytest.fixture
def roots(ca, tmp_path):
    """A folder with that root as DER, as `/certs` on the device."""
    folder = tmp_path / "certs"
    folder.mkdir()
    (folder / "root.der").write_bytes(der_of(ca))
    return folder


def der_of(ca):
    """Return a CA's certificate as DER."""
    return ssl.PEM_cert_to_DER_cert(ca.cert_pem.bytes().decode())


def context_of(leaf):
    """Return a server context that presents `leaf`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    return context


def self_signed(folder):
    """Return a server context with a certificate for localhost that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "self.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


class Server:
    """One loopback port. `context` None speaks plain text; `serve(connection)` answers.

    `requests` holds every byte that reached the application, decrypted where there is TLS;
    `handshakes` counts the completed ones.
    """

    def __init__(self, context, serve):
        self._context, self._serve = context, serve
        self.requests = b""
        self.handshakes = self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _run(self):
        while True:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            raw.settimeout(5)
            with contextlib.suppress(OSError), raw:
                if self._context is None:
                    self._serve(raw, self)
                    continue
                with self._context.wrap_socket(raw, server_side=True) as secure:
                    self.handshakes += 1
                    self._serve(secure, self)

    def read_request(self, connection):
        """Read one request without a body; return it, or b"" at the end."""
        request = b""
        while b"\r\n\r\n" not in request:
            data = connection.recv(4096)
            if not data:
                break
            self.requests += data
            request += data
        return request


def answering(*answers, linger=False):
    """Return a `serve` that gives these bytes to the requests of a connection, then closes."""

    def serve(connection, server):
        for answer in answers:
            if not server.read_request(connection):
                return
            connection.sendall(answer)
        if linger:
            server.read_request(connection)

    return serve


def answer(body=b"{}", *fields, status=b"200 OK"):
    """Return an answer with a Content-Length."""
    head = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *fields]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def probe(interpreter, port, roots, *requests, host="localhost", timeout_s=5):
    """Run the client in its interpreter; return its results, one list a step."""
    order = {
        "roots": str(roots),
        "host": host,
        "port": port,
        "timeout_s": timeout_s,
        "requests": requests or [GET],
    }
    command, path = [sys.executable], [str(mp_runner.FIRMWARE)]
    if interpreter == "micropython":
        command = [mp_runner.interpreter(), "-X", "heapsize=512k"]
        path.append(".frozen")
    else:
        path.append(str(HERE / "shims"))
    done = subprocess.run(
        [*command, str(HERE / "https_probe.py"), json.dumps(order)],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": ":".join(path), "MICROPYPATH": ":".join(path)},
    )
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stdout + done.stderr
    assert "s3cr3t" not in done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def outcome(results):
    """Return the one failure, checked to be one clear line without a secret."""
    assert len(results) == 1, results
    kind, text = results[0]
    assert text and "\n" not in text and "s3cr3t" not in text
    return kind


# -- who is spoken to ---------------------------------------------------------------------------


def test_a_verified_server_is_spoken_to(interpreter, ca, roots):
    with Server(context_of(ca.issue_cert("localhost")), answering(answer(b'{"a":1}'))) as server:
        assert probe(interpreter, server.port, roots) == [["ok", 200, '{"a":1}']]
    head = server.requests.split(b"\r\n")
    assert head[0] == b"GET /subscriptionInfo HTTP/1.1"
    assert b"Host: localhost" in head
    assert b"Authorization: Bearer s3cr3t" in head


def test_an_address_that_the_certificate_carries_is_spoken_to(interpreter, ca, roots):
    with Server(context_of(ca.issue_cert("127.0.0.1")), answering(answer())) as server:
        assert probe(interpreter, server.port, roots, host="127.0.0.1") == [["ok", 200, "{}"]]


def test_one_root_of_several_is_enough(interpreter, ca, roots):
    (roots / "another.der").write_bytes(der_of(trustme.CA()))
    with Server(context_of(ca.issue_cert("localhost")), answering(answer())) as server:
        assert probe(interpreter, server.port, roots)[0][0] == "ok"


LEAVES = {
    "an unknown CA": lambda ca, folder: context_of(trustme.CA().issue_cert("localhost")),
    "another name": lambda ca, folder: context_of(ca.issue_cert("other.example")),
    "an expired certificate": lambda ca, folder: context_of(
        ca.issue_cert("localhost", not_before=NOW - 9 * DAY, not_after=NOW - DAY)
    ),
    "a certificate of the future": lambda ca, folder: context_of(
        ca.issue_cert("localhost", not_before=NOW + DAY, not_after=NOW + 9 * DAY)
    ),
    "a certificate that vouches for itself": lambda ca, folder: self_signed(folder),
}


@pytest.mark.parametrize("leaf", LEAVES)
def test_a_peer_that_does_not_prove_itself_gets_not_one_byte(
    interpreter, ca, roots, tmp_path, leaf
):
    with Server(LEAVES[leaf](ca, tmp_path), answering(answer())) as server:
        assert outcome(probe(interpreter, server.port, roots)) == "Insecure"
    assert server.connections == 1
    assert server.requests == b""


def test_an_address_that_the_certificate_does_not_carry_gets_not_one_byte(interpreter, ca, roots):
    with Server(context_of(ca.issue_cert("localhost")), answering(answer())) as server:
        assert outcome(probe(interpreter, server.port, roots, host="127.0.0.1")) == "Insecure"
    assert server.requests == b""


def test_plain_text_on_the_tls_port_gets_not_one_byte_of_the_request(interpreter, roots):
    def serve(connection, server):
        server.requests += connection.recv(4096)
        connection.sendall(answer())
        with contextlib.suppress(OSError):
            server.requests += connection.recv(4096)

    with Server(None, serve) as server:
        assert outcome(probe(interpreter, server.port, roots)) == "Insecure"
    assert server.requests
    assert b"HTTP" not in server.requests and b"s3cr3t" not in server.requests


def test_a_folder_without_a_root_says_what_to_do(interpreter, roots, ca):
    (roots / "root.der").unlink()
    (roots / "root.pem").write_bytes(ca.cert_pem.bytes())
    for folder in (roots, roots / "missing"):
        results = probe(interpreter, 1, folder)
        assert outcome(results) == "Insecure"
        assert str(folder) in results[0][1] and "DER" in results[0][1]


def test_a_root_that_is_not_der_is_named(interpreter, roots, ca):
    for content in (ca.cert_pem.bytes(), b"", b"junk", der_of(ca)[:-20]):
        (roots / "root.der").write_bytes(content)
        results = probe(interpreter, 1, roots)
        assert outcome(results) == "Insecure"
        assert "root.der" in results[0][1]


# -- what it answers ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def good(ca):
    """The context of a server that proves itself."""
    return context_of(ca.issue_cert("localhost"))


def test_two_requests_share_one_connection(interpreter, good, roots):
    with Server(good, answering(answer(b"one"), answer(b"two"))) as server:
        results = probe(interpreter, server.port, roots, GET, POST)
    assert results == [["ok", 200, "one"], ["ok", 200, "two"]]
    assert server.connections == server.handshakes == 1
    assert b"POST /replenish/PaperTowel HTTP/1.1\r\n" in server.requests
    assert b"Content-Length: 0\r\n" in server.requests


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ANSWERS = {
    "chunked": (CHUNKED + b"4\r\nabcd\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n", "abcd0123456789"),
    "chunked, with trailers": (CHUNKED + b"1\r\na\r\n0\r\nX: y\r\n\r\n", "a"),
    "an empty body": (answer(b""), ""),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
    "until close": (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it", "all of it"),
    "no reason phrase": (b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", "x"),
    "another reason phrase": (answer(b"x", status=b"200 Accepted"), "x"),
    "names in any case": (b"HTTP/1.1 200 OK\r\ncOnTeNt-LeNgTh:1\r\n\r\nx", "x"),
    "100 first": (b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"x"), "x"),
    "the longest body": (answer(b"x" * MAX_BODY), "x" * MAX_BODY),
    "an error": (answer(b"no", status=b"400 Bad Request"), "no"),
    "a redirect, not followed": (answer(b"", b"Location: /x", status=b"307 Go"), ""),
}


@pytest.mark.parametrize("form", ANSWERS)
def test_answers_of_every_form_are_read(interpreter, good, roots, form):
    data, body = ANSWERS[form]
    with Server(good, answering(data)) as server:
        results = probe(interpreter, server.port, roots)
    status = 100 * (data.split()[1][0] - ord("0")) if b"100 Con" not in data else 200
    assert len(results) == 1 and results[0][0] == "ok", results
    assert results[0][1] // 100 * 100 == status
    assert results[0][2] == body
    assert server.connections == 1


BAD = {
    "not HTTP": b"SSH-2.0-OpenSSH_9.0\r\n\r\n",
    "junk": bytes(range(256)) * 8 + b"\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "a head too long": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 6000 + b"\r\n\r\n",
    "a head that never ends": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 2000,
    "a body too long": answer(b"x" * (MAX_BODY + 1)),
    "a length beyond all memory": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\nx",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx",
    "a length that is no number": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nx",
    "a body too long until close": b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MAX_BODY + 600),
    "a field without a colon": b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
    "a field that is not ASCII": b"HTTP/1.1 200 OK\r\nX: \xff\r\n\r\n",
    "a chunk too long": CHUNKED + b"%x\r\n" % (MAX_BODY + 1) + b"x" * (MAX_BODY + 1),
    "chunks too long together": CHUNKED + (b"1000\r\n" + b"x" * 4096 + b"\r\n") * 3,
    "a chunk of no number": CHUNKED + b"zz\r\nx\r\n0\r\n\r\n",
    "a chunk of negative size": CHUNKED + b"-5\r\nx\r\n0\r\n\r\n",
    "a chunk line that never ends": CHUNKED + b"0" * 3000,
}


@pytest.mark.parametrize("form", BAD)
def test_answers_that_cannot_be_read_are_faults_and_not_insecure(interpreter, good, roots, form):
    with Server(good, answering(BAD[form], linger=True)) as server:
        results = probe(interpreter, server.port, roots)
    assert outcome(results) == "Fault"
    assert not results[0][1].endswith("no answer in 5 s")


WHOLE = answer(b'{"detailCode":"STANDARD_ORDER_PLACED"}', b"Date: x")
CUT_CHUNKED = CHUNKED + b"4\r\nabcd\r\n0\r\n\r\n"


@pytest.mark.parametrize("size", [0, 1, 10, 17, WHOLE.index(b"\r\n\r\n"), len(WHOLE) - 1])
def test_an_answer_that_breaks_off_is_a_fault(interpreter, good, roots, size):
    with Server(good, answering(WHOLE[:size])) as server:
        assert outcome(probe(interpreter, server.port, roots)) == "Fault"
    assert b"GET /subscriptionInfo" in server.requests


@pytest.mark.parametrize("short", [1, 2, 4, 5, 7, 9, 12])
def test_a_chunked_answer_that_breaks_off_is_a_fault(interpreter, good, roots, short):
    with Server(good, answering(CUT_CHUNKED[:-short])) as server:
        assert outcome(probe(interpreter, server.port, roots)) == "Fault"


def test_a_connection_reset_is_a_fault(interpreter, good, roots):
    def serve(connection, server):
        server.read_request(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        os.close(connection.detach())

    with Server(good, serve) as server:
        assert outcome(probe(interpreter, server.port, roots)) == "Fault"


def test_a_connection_closed_before_the_handshake_is_a_fault(interpreter, roots):
    with Server(None, lambda connection, server: None) as server:
        assert outcome(probe(interpreter, server.port, roots)) == "Fault"


def test_a_port_where_nobody_listens_is_a_fault(interpreter, roots):
    with Server(None, lambda connection, server: None) as server:
        pass
    assert outcome(probe(interpreter, server.port, roots)) == "Fault"


def test_a_name_that_does_not_resolve_is_a_fault(interpreter, roots):
    assert outcome(probe(interpreter, 443, roots, host="no-such-host.invalid")) == "Fault"


def test_a_server_that_closed_in_between_is_a_fault_and_no_second_connection(
    interpreter, good, roots
):
    with Server(good, answering(answer(b"one"))) as server:
        results = probe(interpreter, server.port, roots, GET, POST)
    assert results[0] == ["ok", 200, "one"]
    assert results[1][0] == "Fault"
    assert server.connections == 1


def test_after_connection_close_nothing_more_is_sent(interpreter, good, roots):
    closing = answer(b"one", b"Connection: close")
    with Server(good, answering(closing, answer(b"two"))) as server:
        results = probe(interpreter, server.port, roots, GET, POST)
    assert results[0] == ["ok", 200, "one"]
    assert results[1][0] == "Fault"
    assert b"POST" not in server.requests


def silent(connection, server):
    """Take everything, say nothing."""
    while connection.recv(4096):
        pass


def test_silence_is_a_fault_within_the_time_given(interpreter, good, roots):
    with Server(good, silent) as server:
        results = probe(interpreter, server.port, roots, timeout_s=1)
    assert outcome(results) == "Fault"
    assert "no answer in 1 s" in results[0][1]


def test_silence_instead_of_a_handshake_is_a_fault_within_the_time_given(interpreter, roots):
    with Server(None, silent) as server:
        assert outcome(probe(interpreter, server.port, roots, timeout_s=1)) == "Fault"


def test_an_answer_that_drips_is_a_fault_within_the_time_given(interpreter, good, roots):
    def drip(connection, server):
        server.read_request(connection)
        for byte in WHOLE:
            connection.sendall(bytes([byte]))
            threading.Event().wait(0.1)

    with Server(good, drip) as server:
        assert outcome(probe(interpreter, server.port, roots, timeout_s=1)) == "Fault"
