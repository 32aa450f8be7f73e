"""Whom the board trusts: each attack on a real TLS server, judged at the server's end.

The board's clock says 2040 throughout, the host's does not.
"""

import datetime
import ssl
import warnings

import pytest
from cryptography import x509
from tls_kit import (
    CLIENT_USE,
    DAY,
    INTERPRETERS,
    NOW,
    SECRET,
    Identity,
    answer,
    answering,
    try_all,
)

ALWAYS = (-30 * 365, 30 * 365)
ROOT = Identity("the root that the board trusts", is_ca=True, days=ALWAYS)
OTHER = Identity("a root that it does not", is_ca=True, days=ALWAYS)
GATE = {"host": "gate.drs.example"}
SHORT = {"host": "drs.example"}


def downgraded(identity):
    """Return the context of a server that speaks TLS 1.0 and 1.1 only."""
    context = identity.context()
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def plain(connection, server):
    """Answer in plain text whatever comes, and keep listening."""
    server.keep(connection.recv(4096))
    connection.sendall(answer())
    server.keep(connection.recv(4096))


def presenting(identity, **how):
    """Return a row: a server that answers politely, once it is trusted."""
    return identity.context(), answering(answer(b"hello")), how


def only_other_example():
    """Return an intermediate that may vouch for other.example only."""
    allowed = x509.NameConstraints([x509.DNSName("other.example")], None)
    return Identity("constrained", ROOT, is_ca=True, extra=allowed)


ROWS = {
    "verified": presenting(ROOT.leaf()),
    "address": presenting(ROOT.leaf("127.0.0.1"), host="127.0.0.1"),
    "wildcard": presenting(ROOT.leaf("*.drs.example"), **GATE),
    "intermediate": presenting(Identity("middle", ROOT, is_ca=True).leaf()),
    "unknown CA": presenting(OTHER.leaf()),
    "self-signed": presenting(Identity("localhost", names=("localhost",))),
    "self-signed CA": presenting(Identity("localhost", names=("localhost",), is_ca=True)),
    "CA of the same name": presenting(
        Identity("the root that the board trusts", is_ca=True, days=ALWAYS).leaf()
    ),
    "leaf of a leaf": presenting(ROOT.leaf("evil.example").leaf()),
    "expired": presenting(ROOT.leaf(days=(-9, -1))),
    "future": presenting(ROOT.leaf(days=(1, 9))),
    "valid by the host's clock": presenting(
        ROOT.leaf(days=[(datetime.datetime.now(datetime.UTC) - NOW).days + n for n in (-9, 9)])
    ),
    "expired intermediate": presenting(
        Identity("old", ROOT, is_ca=True, days=(-9, -1)).leaf(days=(-9, 9))
    ),
    "other name": presenting(ROOT.leaf("other.example")),
    "other address": presenting(ROOT.leaf("localhost"), host="127.0.0.1"),
    "address as a name": presenting(ROOT.leaf("x127.0.0.1"), host="127.0.0.1"),
    "name in CN beside SAN": presenting(ROOT.leaf("other.example", cn="localhost")),
    "name in CN alone": presenting(ROOT.leaf(names=(), cn="localhost")),
    "*": presenting(ROOT.leaf("*"), **GATE),
    "* for a name without a dot": presenting(ROOT.leaf("*")),
    "*.*.example": presenting(ROOT.leaf("*.*.example"), **GATE),
    "*.example, two labels below": presenting(ROOT.leaf("*.example"), **GATE),
    "part of a label": presenting(ROOT.leaf("g*.drs.example"), **GATE),
    "*.example, one label below": presenting(ROOT.leaf("*.example"), **SHORT),
    "clients only": presenting(ROOT.leaf(usage=CLIENT_USE)),
    "no usage": presenting(ROOT.leaf(usage=())),
    "outside the constraint": presenting(only_other_example().leaf()),
    "downgraded": (downgraded(ROOT.leaf()), answering(answer()), {}),
    "plain text": (None, plain, {}),
}


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """A folder with the one root as DER, as `/certs` on the board."""
    folder = tmp_path_factory.mktemp("certs")
    (folder / "root.der").write_bytes(ROOT.der)
    return folder


@pytest.fixture(scope="module", params=INTERPRETERS)
def interpreter(request):
    """Each attack is tried on each interpreter."""
    return request.param


@pytest.fixture(scope="module")
def tried(interpreter, roots):
    """What came of every row."""
    return try_all(interpreter, ROWS, roots)


def assert_insecure(results):
    """Check for one clear line, and return it."""
    assert [kind for kind, *_ in results] == ["Insecure"], results
    text = results[0][1]
    assert "\n" not in text and SECRET not in text
    return text


def assert_refused(tried, row, interpreter="", words=""):
    """Check that the peer was refused in the handshake and got not one byte of a request."""
    results, server = tried[row]
    text = assert_insecure(results)
    # CPython says the same in OpenSSL's words, and without the cure.
    assert interpreter != "micropython" or words in text, text
    assert server.connections == 1
    assert server.handshakes == 0
    assert SECRET.encode() not in server.requests and b"HTTP" not in server.requests


def assert_trusted(tried, row):
    """Check that the request went out and was answered."""
    results, server = tried[row]
    assert results == [["ok", 200, "hello"]]
    assert b"Authorization: Bearer s3cr3t\r\n" in server.requests


def test_a_peer_that_proves_itself_is_spoken_to(tried):
    for row in ("verified", "address", "wildcard", "intermediate"):
        assert_trusted(tried, row)


def test_an_unknown_ca_is_refused(tried, interpreter):
    words = "certificate refused, check /certs: The certificate is not correctly signed"
    assert_refused(tried, "unknown CA", interpreter, words)
    assert_refused(tried, "CA of the same name", interpreter, words)


def test_a_self_signed_certificate_is_refused(tried, interpreter):
    for row in ("self-signed", "self-signed CA"):
        assert_refused(tried, row, interpreter, "certificate refused, check /certs: ")


def test_a_certificate_signed_by_one_that_is_no_ca_is_refused(tried, interpreter):
    assert_refused(tried, "leaf of a leaf", interpreter, "certificate refused, check /certs: ")


def test_an_expired_certificate_is_refused(tried, interpreter):
    words = "certificate refused, check clock: The certificate validity has expired"
    assert_refused(tried, "expired", interpreter, words)
    assert_refused(tried, "expired intermediate", interpreter, words)


def test_a_certificate_of_the_future_is_refused(tried, interpreter):
    words = "certificate refused, check clock: The certificate validity starts in the future"
    assert_refused(tried, "future", interpreter, words)


def test_the_boards_clock_and_not_the_hosts_decides_the_dates(tried, interpreter, roots):
    assert_refused(tried, "valid by the host's clock")
    row = {"leaf": ROWS["verified"]}
    for days, is_trusted in ((-10, False), (-8, True), (8, True), (10, False)):
        tried_then = try_all(interpreter, row, roots, NOW + days * DAY)
        (assert_trusted if is_trusted else assert_refused)(tried_then, "leaf")


def test_another_name_or_address_is_refused(tried, interpreter):
    words = "certificate refused, check host: The certificate Common Name (CN) does not match"
    for row in ("other name", "other address", "address as a name"):
        assert_refused(tried, row, interpreter, words)


def test_a_name_in_cn_is_refused_where_san_has_another(tried, interpreter):
    words = "certificate refused, check host: "
    assert_refused(tried, "name in CN beside SAN", interpreter, words)


def test_a_name_in_cn_counts_where_there_is_no_san(tried):
    # Pinned: both libraries still do, and no public CA has issued such a thing for years.
    assert_trusted(tried, "name in CN alone")


def test_a_wildcard_stands_for_one_whole_label(tried, interpreter):
    for row in (
        "*",
        "* for a name without a dot",
        "*.*.example",
        "*.example, two labels below",
        "part of a label",
    ):
        assert_refused(tried, row, interpreter, "certificate refused, check host: ")


def test_a_wildcard_for_a_whole_top_level_passes_in_micropython(tried, interpreter):
    # Pinned: mbedTLS takes *.com for example.com, OpenSSL does not. Only a host with a single
    # dot can meet it, and only from a root in /certs that signs such a thing.
    if interpreter == "micropython":
        assert_trusted(tried, "*.example, one label below")
    else:
        assert_refused(tried, "*.example, one label below")


def test_a_ca_constrained_to_other_names_passes_in_micropython(tried, interpreter):
    # Pinned: mbedTLS does not know name constraints.
    if interpreter == "micropython":
        assert_trusted(tried, "outside the constraint")
    else:
        assert_refused(tried, "outside the constraint")


def test_a_certificate_for_clients_only_is_refused(tried, interpreter):
    assert_refused(tried, "clients only", interpreter, "TLS refused, check host and port: ")


def test_a_certificate_without_extended_usage_serves(tried):
    assert_trusted(tried, "no usage")


def test_a_downgraded_protocol_is_refused(tried, interpreter):
    assert_refused(tried, "downgraded", interpreter, "TLS refused, check host and port: ")


def test_plain_text_on_the_tls_port_is_refused(tried, interpreter):
    assert_refused(tried, "plain text", interpreter, "TLS refused, check host and port: ")
    assert tried["plain text"][1].requests  # a ClientHello


def test_one_root_of_several_is_enough(interpreter, roots, tmp_path):
    for name, identity in (("a", OTHER), ("b", ROOT), ("c", Identity("third", is_ca=True))):
        (tmp_path / (name + ".der")).write_bytes(identity.der)
    rows = {"mine": ROWS["verified"], "other": ROWS["unknown CA"]}
    tried = try_all(interpreter, rows, tmp_path)
    assert_trusted(tried, "mine")
    assert_trusted(tried, "other")


def test_a_folder_without_a_root_trusts_nobody_and_says_what_to_do(interpreter, tmp_path):
    (tmp_path / "root.pem").write_bytes(ROOT.pem)
    missing = tmp_path / "missing"
    rows = {
        folder: (*ROWS["verified"][:2], {"roots": str(folder)}) for folder in (tmp_path, missing)
    }
    for folder, (results, server) in try_all(interpreter, rows, "").items():
        text = assert_insecure(results)
        assert str(folder) in text and "DER" in text
        assert server.connections == 0


def test_a_root_that_is_not_der_is_named_and_nobody_trusted(interpreter, tmp_path):
    rows = {}
    for n, content in enumerate((ROOT.pem, b"", b"junk", ROOT.der[:-20])):
        folder = tmp_path / str(n)
        folder.mkdir()
        (folder / "good.der").write_bytes(ROOT.der)
        (folder / "bad.der").write_bytes(content)
        rows[n] = (*ROWS["verified"][:2], {"roots": str(folder)})
    for results, server in try_all(interpreter, rows, "").values():
        assert "bad.der: copy the root certificate there, as DER" in assert_insecure(results)
        assert server.connections == 0
