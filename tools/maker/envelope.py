"""SNS envelopes (sections 3.3 and 3.4 of the protocol page): what is signed, and by whom."""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

NOTIFICATION = "Notification"
CONFIRM = "SubscriptionConfirmation"
UNSUBSCRIBED = "UnsubscribeConfirmation"

_CONFIRM_KEYS = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
_SIGNED = {
    NOTIFICATION: ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
    CONFIRM: _CONFIRM_KEYS,
    UNSUBSCRIBED: _CONFIRM_KEYS,
}
_OPTIONAL = ("Subject",)
_ALWAYS = ("Signature", "SignatureVersion", "SigningCertURL")
_HASHES = {"1": hashes.SHA1(), "2": hashes.SHA256()}
_SNS_HOST = re.compile(r"sns\.[a-zA-Z0-9-]{3,}\.amazonaws\.com(\.cn)?")


class Malformed(Exception):
    """The request holds no SNS message."""


class Forged(Exception):
    """The message was not made by the topic's SNS."""


@dataclass(frozen=True)
class Envelope:
    """One SNS message, its shape checked and nothing else yet."""

    fields: dict

    def __getattr__(self, name):
        return self.fields[name]

    def canonical(self) -> bytes:
        """Return the bytes that the signature is over."""
        keys = [key for key in _SIGNED[self.Type] if key in self.fields]
        return "".join(f"{key}\n{self.fields[key]}\n" for key in keys).encode()

    def check_signature(self, public_key) -> None:
        """Raise Forged unless the key signed this message."""
        algorithm = _HASHES.get(self.SignatureVersion)
        if algorithm is None:
            raise Forged(f"signature version {self.SignatureVersion}")
        try:
            signature = base64.b64decode(self.Signature, validate=True)
            public_key.verify(signature, self.canonical(), padding.PKCS1v15(), algorithm)
        except (binascii.Error, ValueError, InvalidSignature) as error:
            raise Forged("the signature does not match") from error


def parse(body: bytes) -> Envelope:
    """Return the envelope in a request body. Raises Malformed."""
    try:
        fields = json.loads(body)
        json.dumps(fields, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        raise Malformed("not JSON") from error
    if not isinstance(fields, dict):
        raise Malformed("not a JSON object")
    fields = {name: value for name, value in fields.items() if value is not None}
    kind = fields.get("Type")
    if not isinstance(kind, str) or kind not in _SIGNED:
        raise Malformed("Type: not one of SNS")
    for name in (*_SIGNED[kind], *_ALWAYS):
        if name not in fields and name in _OPTIONAL:
            continue
        if not isinstance(fields.get(name), str):
            raise Malformed(f"{name}: must be text")
    return Envelope(fields)


class Hosts:
    """Which addresses may be visited on a message's word: Amazon's, and named local ones."""

    def __init__(self, local=()):
        self._local = frozenset(local)

    def check_certificate(self, url: str) -> None:
        """Raise Forged unless a signing certificate may come from there."""
        if not self._is_sns(url) or not urlsplit(url).path.endswith(".pem"):
            raise Forged("SigningCertURL: not an address of SNS")

    def check_subscribe(self, url: str, topic: str) -> None:
        """Raise Forged unless a GET there confirms a subscription to the topic, and no more."""
        wanted = {"Action": ["ConfirmSubscription"], "TopicArn": [topic]}
        if self._is_sns(url) and urlsplit(url).path == "/":
            query = parse_qs(urlsplit(url).query)
            if all(query.get(name) == values for name, values in wanted.items()):
                return
        raise Forged("SubscribeURL: not SNS's confirmation of this topic")

    def is_local(self, url: str) -> bool:
        """Say whether the address is one of the local ones."""
        return urlsplit(url).netloc in self._local

    def _is_sns(self, url):
        if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
            return False
        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        if parts.netloc in self._local:
            return parts.scheme in ("http", "https")
        return parts.scheme == "https" and _SNS_HOST.fullmatch(parts.netloc) is not None
