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

VALID = (datetime(2015, 1, 1, tzinfo=UTC), datetime(2100, 12, 31, tzinfo=UTC))
HOST_NAMES = (
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    x509.IPAddress(ipaddress.ip_address("::1")),
)
_PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class CertFiles:
    """Where the authority's certificate and the server's key and chain are."""

    ca_pem: Path
    ca_der: Path
    server_pem: Path
    ca_key: Path
    sns_pem: Path

    def authority(self) -> "Authority":
        """Return the authority, read from its files."""
        key = serialization.load_pem_private_key(self.ca_key.read_bytes(), None)
        return Authority(key, x509.load_pem_x509_certificate(self.ca_pem.read_bytes()))


@dataclass(frozen=True)
class Authority:
    """A key and a certificate that others are signed with."""

    key: ec.EllipticCurvePrivateKey
    cert: x509.Certificate


def prepare(state: Path, host: str = "127.0.0.1") -> CertFiles:
    """Return the certificate files of a state file; the authority is kept, the leaf is fresh.

    `host`: an IPv4 address that the leaf is for, beside loopback.

    Raises OSError or ValueError where the kept files cannot be read or written.
    """
    base = state.absolute()
    ends = (".ca.pem", ".ca.der", ".tls", ".ca.key", ".sns")
    files = CertFiles(*(base.with_name(base.name + end) for end in ends))
    if files.ca_key.exists() and files.ca_pem.exists():
        authority = files.authority()
    else:
        # The last word is for SNS validators that look for the name of the issuer.
        authority = make_authority("drs_sim throw-away CA, not Amazon's")
        write(files.ca_key, key_pem(authority.key))
        write(files.ca_pem, authority.cert.public_bytes(_PEM), mode=0o644)
    write(files.ca_der, authority.cert.public_bytes(serialization.Encoding.DER), mode=0o644)
    name = x509.IPAddress(ipaddress.ip_address(host))
    names = HOST_NAMES if name in HOST_NAMES else (*HOST_NAMES, name)
    write(files.server_pem, make_leaf(authority, names=names))
    return files


def server_context(files: CertFiles) -> ssl.SSLContext:
    """Return the TLS context that the service listens with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.server_pem)
    return context


def make_authority(common_name: str) -> Authority:
    """Return a new authority of that name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(common_name)
    usage = {"key_cert_sign": True, "crl_sign": True}
    cert = (
        _builder(name, name, key.public_key(), VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(**usage), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(key, cert)


def make_leaf(authority: Authority | None, valid=VALID, names=HOST_NAMES, key=None) -> bytes:
    """Return key and certificate of a server as PEM; without an authority it signs itself."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = _name(names[0].value)
    issuer, issuer_key = (authority.cert.subject, authority.key) if authority else (subject, key)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    leaf = (
        _builder(subject, issuer, key.public_key(), valid)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(identifier, critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    return key_pem(key) + leaf.public_bytes(_PEM)


def _builder(subject, issuer, public_key, valid):
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
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


def key_pem(key) -> bytes:
    """Return a private key as PEM, not encrypted."""
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def write(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace a file in one step; only its owner reads it unless `mode` says otherwise."""
    temporary = path.with_name(path.name + ".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    temporary.replace(path)
