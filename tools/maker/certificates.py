"""Signing certificates, fetched once each, and the confirmation's GET."""

import ssl
from collections import OrderedDict
from datetime import UTC, datetime
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa

from tools.maker.envelope import Forged, Hosts

_TIMEOUT_S = 10.0
_LIMIT = 64 * 1024
_KEPT = 32


class Unreachable(Exception):
    """The address gave no usable answer; another time it may."""


class Visitor:
    """Visits the addresses that messages name, as far as `hosts` allows.

    Amazon's certificates are trusted because they come over TLS from a host of SNS, as both of
    Amazon's validators do it. A local one must besides be issued by the local authority, where
    `ca` names one.
    """

    def __init__(self, hosts: Hosts, ca: Path | None = None):
        self._hosts = hosts
        self._keys = OrderedDict()
        context = ssl.create_default_context()
        self._authorities = []
        if ca is not None:
            context.load_verify_locations(ca)
            self._authorities = x509.load_pem_x509_certificates(ca.read_bytes())
        self._client = httpx.AsyncClient(verify=context, timeout=_TIMEOUT_S, trust_env=False)

    async def public_key(self, url: str, timestamp: str) -> rsa.RSAPublicKey:
        """Return the key at a signing URL. Raises Forged or Unreachable."""
        self._hosts.check_certificate(url)
        if url not in self._keys:
            self._keys[url] = self._read(await self._get(url), url)
            if len(self._keys) > _KEPT:
                self._keys.popitem(last=False)
        cert = self._keys[url]
        try:
            moment = datetime.fromisoformat(timestamp)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        except ValueError as error:
            raise Forged("Timestamp: not a time") from error
        if not cert.not_valid_before_utc <= moment <= cert.not_valid_after_utc:
            raise Forged("the certificate was not valid at that time")
        return cert.public_key()

    async def confirm(self, url: str, topic: str) -> None:
        """Confirm a subscription. Raises Forged or Unreachable."""
        self._hosts.check_subscribe(url, topic)
        await self._get(url)

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    def _read(self, pem, url):
        try:
            cert = x509.load_pem_x509_certificate(pem)
        except ValueError as error:
            raise Forged("SigningCertURL: no certificate there") from error
        if not isinstance(cert.public_key(), rsa.RSAPublicKey):
            raise Forged("SigningCertURL: not an RSA key")
        if self._authorities and self._hosts.is_local(url) and not self._is_issued(cert):
            raise Forged("SigningCertURL: not issued by the local authority")
        return cert

    def _is_issued(self, cert):
        for authority in self._authorities:
            try:
                cert.verify_directly_issued_by(authority)
            except (ValueError, TypeError, InvalidSignature):
                continue
            return True
        return False

    async def _get(self, url):
        try:
            async with self._client.stream("GET", url) as answer:
                if answer.status_code != 200:
                    raise Unreachable(f"{urlsafe(url)} answers {answer.status_code}")
                body = b""
                async for chunk in answer.aiter_bytes():
                    body += chunk
                    if len(body) > _LIMIT:
                        raise Unreachable(f"{urlsafe(url)} answers too much")
                return body
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(f"{urlsafe(url)}: {type(error).__name__}") from error


def urlsafe(url: str) -> str:
    """Return an address without its query, which may hold a token."""
    return url.partition("?")[0]
