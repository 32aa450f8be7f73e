"""Certificates that a client must refuse, for the fault `certificate`.

Their dates lie outside the calendar (2015 to 2099), so that they are wrong at any time of it.
"""

import os
import ssl
import tempfile
from datetime import UTC, datetime

from cryptography import x509

from tools.drs_sim import certs

_EXPIRED = (datetime(2014, 1, 1, tzinfo=UTC), datetime(2014, 12, 31, tzinfo=UTC))
_NOT_YET_VALID = (datetime(2100, 1, 1, tzinfo=UTC), datetime(2100, 12, 31, tzinfo=UTC))
_OTHER_NAME = (x509.DNSName("wrong-host.example"),)

_MAKERS = {
    "expired": lambda ours: certs.make_leaf(ours, valid=_EXPIRED),
    "not-yet-valid": lambda ours: certs.make_leaf(ours, valid=_NOT_YET_VALID),
    "wrong-host": lambda ours: certs.make_leaf(ours, names=_OTHER_NAME),
    "unknown-ca": lambda ours: certs.make_leaf(certs.make_authority("drs_sim unknown CA")),
    "self-signed": lambda ours: certs.make_leaf(None),
}
KINDS = tuple(_MAKERS)


class BadCertificates:
    """Installs the fault on the service's TLS context; without one, handshakes cost the same."""

    def __init__(self, context: ssl.SSLContext, files: certs.CertFiles, take_kind):
        self._context = context
        self._files = files
        self._take_kind = take_kind
        self._made = {}

    def arm(self, wanted: bool) -> None:
        """Look at each new connection from now on, or no longer."""
        self._context.sni_callback = self._choose if wanted else None

    def _choose(self, connection, name, context):
        kind = self._take_kind()
        if kind is not None:
            connection.context = self._bad_context(kind)

    def _bad_context(self, kind):
        if kind not in self._made:
            self._made[kind] = _context(_MAKERS[kind](self._files.authority()))
        return self._made[kind]


def _context(pem):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    descriptor, name = tempfile.mkstemp(prefix="drs_sim-")  # ssl reads keys from files only
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
        context.load_cert_chain(name)
    finally:
        os.unlink(name)
    return context
