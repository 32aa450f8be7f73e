"""Certificates of every kind, servers that present them, and a board's client to try them on.

The client is lowtide.https in either interpreter, many cases a process, its clock wherever a test
sets it: `libfaketime` moves what the interpreter and its TLS library read, ticks stay real.
"""

import contextlib
import datetime
import ipaddress
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import libfaketime
import mp_runner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

INTERPRETERS = ("cpython", "micropython")
HERE = mp_runner.HERE
SECRET = "s3cr3t"  # of the token that https_probe sends
# The board's calendar, far from the host's: what is valid in it is not valid by the host's.
NOW = datetime.datetime(2040, 6, 1, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
SERVER_USE = (ExtendedKeyUsageOID.SERVER_AUTH,)
GET, POST = ("GET", "/subscriptionInfo"), ("POST", "/replenish/PaperTowel")
CLIENT_USE = (ExtendedKeyUsageOID.CLIENT_AUTH,)
_FAKETIME = Path(libfaketime.__file__).parent / "vendor/libfaketime/src/libfaketime.so.1"


class Identity:
    """A key with its certificate, issued by `issuer` or by itself.

    Args:
        names: DNS names or addresses of the subjectAltName; empty for none.
        days: first and last day of its life, counted from NOW.
        usage: extended key usage; empty for none.
        extra: one more extension, if any.
        key: another key than one of P-256.
    """

    def __init__(
        self, cn, issuer=None, names=(), days=(-9, 9), usage=(), is_ca=False, extra=None, key=None
    ):
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.issuer = issuer
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cn)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW + days[0] * DAY)
            .not_valid_after(NOW + days[1] * DAY)
            .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_san(n) for n in names]), critical=False
            )
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        if extra:
            builder = builder.add_extension(extra, critical=False)
        signer = issuer.key if issuer else self.key
        self.certificate = builder.sign(signer, hashes.SHA256())

    @property
    def der(self):
        """The certificate as the board's /certs holds it."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self):
        """The certificate as most tools write it."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def leaf(self, *names, **how):
        """Return a server's identity that this one vouches for."""
        names = names or ("localhost",)
        how.setdefault("usage", SERVER_USE)
        cn = how.pop("cn", "leaf of " + self.certificate.subject.rfc4514_string())
        return Identity(cn, self, how.pop("names", names), **how)

    def context(self):
        """Return a TLS server's context that presents this identity and its intermediates."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        key = self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        chain, link = self.pem, self.issuer
        while link and link.issuer:
            chain, link = chain + link.pem, link.issuer
        with tempfile.NamedTemporaryFile() as file:
            file.write(key + chain)
            file.flush()
            context.load_cert_chain(file.name)
        return context


def cheap_server():
    """Return a root and the context of a server under it, for many handshakes.

    With RSA's own key exchange one costs MicroPython a tenth of what it costs with P-256.
    """
    root, leaf = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    root = Identity("root", is_ca=True, key=root)
    context = root.leaf(key=leaf).context()
    context.set_ciphers("AES256-GCM-SHA384")
    return root, context


def _san(name):
    if name.replace(".", "").isdigit():
        return x509.IPAddress(ipaddress.ip_address(name))
    return x509.DNSName(name)


class Server:
    """One loopback port. `context` None speaks plain text; `serve(connection, server)` answers.

    `requests` holds every byte that reached the application, decrypted where there is TLS;
    `handshakes` counts the completed ones. Both are final once the server has ended.
    """

    def __init__(self, context, serve):
        self.context, self._serve = context, serve
        self._received = []
        self._connections = []
        self.handshakes = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def requests(self):
        """Everything received, one connection's pieces in their order."""
        return b"".join(self._received)

    @property
    def connections(self):
        """How many were made."""
        return len(self._connections)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in (self._thread, *self._connections):
            thread.join(10)

    def _accept(self):
        while True:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._talk, args=(raw,), daemon=True)
            self._connections.append(thread)
            thread.start()

    def _talk(self, raw):
        raw.settimeout(5)
        with contextlib.suppress(OSError), raw:
            if self.context is None:
                self._serve(raw, self)
                return
            with self.context.wrap_socket(raw, server_side=True) as secure:
                self.handshakes += 1
                self._serve(secure, self)

    def keep(self, data):
        """Enter what was received into the books; return it."""
        self._received.append(data)
        return data

    def read_request(self, connection):
        """Read one request without a body; return it, or b"" at the end."""
        request = b""
        while b"\r\n\r\n" not in request:
            data = self.keep(connection.recv(4096))
            if not data:
                return b""
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


def case(at_port, trusted, **how):
    """Return one case for `run`.

    `how`: `host`, `address` to connect to, None to look the host up, `timeout_s`, `requests` as
    `(method, target)`, and `port` and `roots` where they differ; all optional.
    """
    return {
        "port": at_port,
        "roots": str(trusted),
        "host": "localhost",
        # As if the name led there; and looking one up takes a thread in CPython, which
        # libfaketime makes dear.
        "address": "127.0.0.1",
        "timeout_s": 10,
        "requests": [GET],
        **how,
    }


def try_all(interpreter, rows, roots, now=NOW):
    """Try rows of `{name: (context, serve, how)}`, each on a server of its own, in one process.

    Returns:
        `{name: (results, server)}`; every server has ended, so that its books are closed.
    """
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(Server(*row[:2])) for row in rows.values()]
        ports = [server.port for server in servers]
        cases = [
            case(port, roots, **how)
            for port, (_, _, how) in zip(ports, rows.values(), strict=True)
        ]
        results = run(interpreter, cases, now)
    return dict(zip(rows, zip(results, servers, strict=True), strict=True))


def run(interpreter, cases, now=NOW, at_once=4):
    """Try the cases in one process, so many at once; return a list of results for each.

    A result is `["ok", status, body]` or, the last of its list, `["Insecure" | "Fault", text]`.
    """
    command, path = [sys.executable], [str(mp_runner.FIRMWARE)]
    if interpreter == "micropython":
        command = [mp_runner.interpreter(), "-X", "heapsize=256k"]
        path.append(".frozen")
    else:
        path.append(str(HERE / "shims"))
    done = subprocess.run(
        [*command, str(HERE / "https_probe.py")],
        input=json.dumps([cases, at_once]),
        capture_output=True,
        text=True,
        timeout=60,
        env={
            **os.environ,
            "PYTHONPATH": ":".join(path),
            "MICROPYPATH": ":".join(path),
            "TZ": "UTC",
            "LD_PRELOAD": str(_FAKETIME),
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "FAKETIME": now.strftime("@%Y-%m-%d %H:%M:%S"),
        },
    )
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == len(cases)
    return results
