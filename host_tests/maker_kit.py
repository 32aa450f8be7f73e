"""The maker's receiver as a process, and an SNS that signs for it, for the receiver's tests."""

import base64
import json
import signal
import subprocess
import sys
import threading
import time
import uuid
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from drs_sim_kit import ROOT

TOPIC = "arn:aws:sns:us-east-1:300797413096:drs"
NOTIFICATION_KEYS = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
CONFIRM_KEYS = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
DAY = "2027-01-04"


class Sns:
    """SNS as the receiver sees it: a key, a certificate to fetch, an address to confirm at."""

    def __init__(self):
        self.key, self.pem = _signing_certificate()
        self.visited = []
        self.broken = False
        sns = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                sns.visited.append(self.path)
                self.send_response(500 if sns.broken else 200)
                self.end_headers()
                self.wfile.write(sns.pem if self.path.endswith(".pem") else b"<ok/>")

            def log_message(self, *_):
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def sign(self, fields, version="1", key=None):
        keys = NOTIFICATION_KEYS if fields["Type"] == "Notification" else CONFIRM_KEYS
        text = "".join(f"{name}\n{fields[name]}\n" for name in keys if name in fields).encode()
        algorithm = hashes.SHA1() if version == "1" else hashes.SHA256()
        signature = (key or self.key).sign(text, padding.PKCS1v15(), algorithm)
        signed = {"SignatureVersion": version, "Signature": base64.b64encode(signature).decode()}
        url = f"http://{self.host}/SimpleNotificationService-1.pem"
        return {"SigningCertURL": url, **fields, **signed}

    def notification(self, message, version="1", key=None, **changes):
        fields = {
            "Type": "Notification",
            "MessageId": str(uuid.uuid4()),
            "TopicArn": TOPIC,
            "Subject": "DRS Notification",
            "Message": message if isinstance(message, str) else json.dumps(message),
            "Timestamp": f"{DAY}T08:00:00.000Z",
        }
        fields = {name: value for name, value in (fields | changes).items() if value is not None}
        return self.sign(fields, version, key)

    def confirmation(self, kind="SubscriptionConfirmation", **changes):
        fields = {
            "Type": kind,
            "MessageId": str(uuid.uuid4()),
            "TopicArn": TOPIC,
            "Token": "t0ken",
            "Message": "You have chosen to subscribe.\nTo confirm ...",
            "SubscribeURL": f"http://{self.host}/?Action=ConfirmSubscription"
            f"&TopicArn={TOPIC}&Token=t0ken",
            "Timestamp": f"{DAY}T08:00:00.000Z",
        }
        return self.sign(fields | changes)


def _signing_certificate():
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.test")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1)
    builder = builder.not_valid_before(datetime(2016, 1, 1, tzinfo=UTC))
    cert = builder.not_valid_after(datetime(2090, 1, 1, tzinfo=UTC)).sign(key, hashes.SHA256())
    return key, cert.public_bytes(serialization.Encoding.PEM)


class Maker:
    """One receiver process."""

    def __init__(self, folder, *options):
        self.db, ready = folder / "maker.db", folder / "maker.json"
        ready.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tools.maker", "--db", self.db, "--ready", ready, *options],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while not ready.exists():
            assert self.process.poll() is None, "the receiver ended"
            assert time.monotonic() < deadline, "the receiver is not ready"
            time.sleep(0.02)
        self.url = json.loads(ready.read_text())["url"]
        self.http = httpx.Client(base_url=self.url, trust_env=False)

    def stop(self):
        self.http.close()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def send(self, fields):
        return self.http.post("/", content=json.dumps(fields))

    def seen(self):
        return self.http.get("/").raise_for_status().json()

    def counters(self):
        return self.seen()["counters"]

    def order(self, order_id):
        return next(row for row in self.seen()["orders"] if row["instanceId"] == order_id)

    def place(self, order_id, clock="08:00:00", serial="unit", slot="kibble", day=DAY):
        told = {"serial": serial, "slot": slot, "instanceId": order_id, "time": f"{day}T{clock}Z"}
        return self.http.post("/placed", json=told).raise_for_status().json()


def payload(kind, clock, day=DAY, serial="unit", **extra):
    return {
        "notificationInfo": {
            "notificationType": f"{kind}Notification",
            "lwaClientId": "amzn1.application-oa2-client.x",
            "notificationTime": f"{day}T{clock}.000Z",
            "notificationId": f"amzn1.dash.notification.v1.{uuid.uuid4()}",
            "version": "2015-06-05",
        },
        "deviceInfo": {
            "deviceIdentifier": {"serialNumber": serial},
            "productIdentifier": {"modelId": "feeder"},
        },
        "customerInfo": {"directedCustomerId": "amzn1.account.x"},
        **extra,
    }


def about(order_id, slot="kibble", **extra):
    return {"orderInfo": {"instanceId": order_id, "slotId": slot, **extra}}


@pytest.fixture(scope="module")
def sns():
    running = Sns()
    yield running
    running.server.shutdown()


@pytest.fixture(scope="module")
def maker(tmp_path_factory, sns):
    running = Maker(tmp_path_factory.mktemp("maker"), "--topic", TOPIC, "--cert-host", sns.host)
    yield running
    assert running.stop() == 0


@pytest.fixture
def order_id():
    return f"amzn1.dash.v2.o.{uuid.uuid4()}"


@pytest.fixture
def counted(maker):
    """Give what was counted since the test began, zeros left out."""
    before = maker.counters()
    return lambda: {
        name: number - before[name]
        for name, number in maker.counters().items()
        if number != before[name]
    }
