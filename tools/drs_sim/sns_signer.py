"""The key that signs notifications: RSA, made when first needed, kept beside the state file."""

import base64
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tools.drs_sim import certs

_NAMES = (x509.DNSName("sns.drs-sim.invalid"),)
_HASHES = {"1": hashes.SHA1(), "2": hashes.SHA256()}
# In this order; a key that a message lacks is left out. Both of Amazon's validators do so.
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        *("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    ),
}
_SIGNED["UnsubscribeConfirmation"] = _SIGNED["SubscriptionConfirmation"]


class Signer:
    """Signs SNS messages; `pem` and `name` are the certificate and its file's name."""

    def __init__(self, files: certs.CertFiles):
        self._files = files

    @cached_property
    def _kept(self):
        if not self._files.sns_pem.exists():
            key = rsa.generate_private_key(65537, 2048)
            pem = certs.make_leaf(self._files.authority(), names=_NAMES, key=key)
            certs.write(self._files.sns_pem, pem)
        return self._files.sns_pem.read_bytes()

    @cached_property
    def _key(self):
        return serialization.load_pem_private_key(self._kept, None)

    @cached_property
    def _cert(self):
        return x509.load_pem_x509_certificate(self._kept)

    @cached_property
    def pem(self) -> bytes:
        """The certificate alone."""
        return self._cert.public_bytes(serialization.Encoding.PEM)

    @cached_property
    def name(self) -> str:
        """What the certificate's file is called, as SNS calls its own."""
        print_ = self._cert.fingerprint(hashes.SHA256()).hex()[:32]
        return f"SimpleNotificationService-{print_}.pem"

    def sign(self, message: dict, version: str) -> str:
        """Return the signature of a message, base64."""
        text = "".join(
            f"{key}\n{message[key]}\n" for key in _SIGNED[message["Type"]] if key in message
        )
        signature = self._key.sign(text.encode(), padding.PKCS1v15(), _HASHES[version])
        return base64.b64encode(signature).decode()
