"""A throw-away certificate authority beside the state file, and a server certificate under it.

The certificates are valid from 2015 to 2100: longer than the calendar, and not for a board whose
clock still says 2000, which must refuse them as it would refuse Amazon's.
"""

import ipaddress
import os
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_NOT_BEFORE = datetime(2015, 1, 1, tzinfo=UTC)
_NOT_AFTER = datetime(2100, 12, 31, tzinfo=UTC)
_PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class CertFiles:
    """Where the authority's certificate and the server's key and chain are."""

    ca_pem: Path
    ca_der: Path
    server_pem: Path


def prepare(state: Path) -> CertFiles:
    """Return the certificate files of a state file; the authority is kept, the leaf is fresh.

    Raises OSError or ValueError where the kept files cannot be read or written.
    """
    base = state.absolute()
    files = CertFiles(*(base.with_name(base.name + end) for end in (".ca.pem", ".ca.der", ".tls")))
    key_file = base.with_name(base.name + ".ca.key")
    if key_file.exists() and files.ca_pem.exists():
        ca_key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        ca_cert = x509.load_pem_x509_certificate(files.ca_pem.read_bytes())
    else:
        ca_key = ec.generate_private_key(ec.SECP256R1())
        ca_cert = _make_ca(ca_key)
        _write(key_file, _key_pem(ca_key))
        _write(files.ca_pem, ca_cert.public_bytes(_PEM), mode=0o644)
    _write(files.ca_der, ca_cert.public_bytes(serialization.Encoding.DER), mode=0o644)
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = _make_leaf(key, ca_key, ca_cert)
    _write(files.server_pem, _key_pem(key) + leaf.public_bytes(_PEM))
    return files


def server_context(files: CertFiles) -> ssl.SSLContext:
    """Return the TLS context that the service listens with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.server_pem)
    return context


def _make_ca(key):
    name = _name("drs_sim throw-away CA")
    usage = {"key_cert_sign": True, "crl_sign": True}
    return (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(**usage), critical=True)
        .sign(key, hashes.SHA256())
    )


def _make_leaf(key, ca_key, ca_cert):
    names = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ]
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    return (
        _builder(_name("localhost"), ca_cert.subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(issuer_key, critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _builder(subject, issuer, public_key):
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_NOT_BEFORE)
        .not_valid_after(_NOT_AFTER)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _key_usage(**wanted):
    every = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
        "key_cert_sign crl_sign encipher_only decipher_only"
    )
    return x509.KeyUsage(**{name: wanted.get(name, False) for name in every.split()})


def _name(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_pem(key):
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _write(path, data, mode=0o600):
    """Replace a file in one step; only its owner reads it unless `mode` says otherwise."""
    temporary = path.with_name(path.name + ".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    temporary.replace(path)
