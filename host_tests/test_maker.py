"""The maker's receiver: what it takes, what it refuses, and where it says that orders stand."""

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
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from drs_sim_kit import START, Sim

from tools.maker import standing
from tools.maker.envelope import Forged, Hosts
from tools.maker.standing import Event, of_order

ROOT = Path(__file__).resolve().parents[1]
TOPIC = "arn:aws:sns:us-east-1:300797413096:drs"
NOTIFICATION_KEYS = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
CONFIRM_KEYS = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
HOUR_MS = standing.HOUR_MS
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


# Subscriptions.


def test_confirms_a_subscription(maker, sns, counted):
    sent = sns.confirmation()
    assert maker.send(sent).json() == {"outcome": "confirmed"}
    assert sns.visited[-1].startswith("/?Action=ConfirmSubscription")
    visits = len(sns.visited)
    assert maker.send(sent).json() == {"outcome": "duplicate"}
    assert len(sns.visited) == visits
    assert counted() == {"confirmed": 1, "duplicate": 1}


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/?Action=ConfirmSubscription&TopicArn=" + TOPIC,
        "https://sns.us-east-1.amazonaws.com.evil.example/?Action=ConfirmSubscription",
        "http://HOST/?Action=Unsubscribe&TopicArn=" + TOPIC,
        "http://HOST/?Action=ConfirmSubscription&TopicArn=arn:other",
        "http://HOST/other?Action=ConfirmSubscription&TopicArn=" + TOPIC,
        "http://user@HOST/?Action=ConfirmSubscription&TopicArn=" + TOPIC,
        "http://[",
    ],
)
def test_never_visits_other_addresses(maker, sns, counted, url):
    visits = len([path for path in sns.visited if ".pem" not in path])
    sent = sns.confirmation(SubscribeURL=url.replace("HOST", sns.host))
    assert maker.send(sent).status_code == 403
    assert len([path for path in sns.visited if ".pem" not in path]) == visits
    assert counted() == {"forged": 1}


def test_end_of_a_subscription_is_counted_only(maker, sns, counted):
    visits = len(sns.visited)
    assert maker.send(sns.confirmation("UnsubscribeConfirmation")).status_code == 200
    assert not [path for path in sns.visited[visits:] if ".pem" not in path]
    assert counted() == {"unsubscribed": 1}


def test_first_confirmed_topic_stays(sns, tmp_path):
    maker = Maker(tmp_path, "--cert-host", sns.host)
    told = payload("DeviceRegistered", "08:00:00")
    assert maker.send(sns.notification(told)).status_code == 403
    assert maker.send(sns.confirmation()).status_code == 200
    assert maker.send(sns.notification(told)).json() == {"outcome": "accepted"}
    other = sns.confirmation(TopicArn="arn:aws:sns:us-east-1:1:other")
    assert maker.send(other).status_code == 403
    assert maker.seen()["topic"] == TOPIC
    assert maker.stop() == 0


# Signatures.


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", ["DRS Notification", None])
def test_takes_what_is_signed(maker, sns, counted, version, subject):
    told = payload("DeviceRegistered", "08:00:00")
    sent = sns.notification(told, version, Subject=subject)
    extra = {"UnsubscribeURL": "https://x", "MessageAttributes": {"version": {}}, "New": [1]}
    assert maker.send(sent | extra).json() == {"outcome": "accepted"}
    assert counted()["accepted"] == 1


def test_signature_is_over_unescaped_text(maker, sns):
    told = payload("DeviceRegistered", "08:00:00", note='umlaut ü, "quote", line\nbreak')
    assert maker.send(sns.notification(told)).json() == {"outcome": "accepted"}


@pytest.mark.parametrize("name", ["Message", "MessageId", "Subject", "Timestamp"])
def test_refuses_a_changed_field(maker, sns, counted, name):
    sent = sns.notification(payload("DeviceRegistered", "08:00:00"))
    sent[name] = f"{DAY}T08:00:01.000Z" if name == "Timestamp" else sent[name] + " "
    assert maker.send(sent).status_code == 403
    assert counted() == {"forged": 1}


def test_refuses_a_foreign_key(maker, sns, counted):
    key = rsa.generate_private_key(65537, 2048)
    sent = sns.notification(payload("DeviceRegistered", "08:00:00"), key=key)
    assert maker.send(sent).status_code == 403
    assert counted() == {"forged": 1}


@pytest.mark.parametrize(
    "changes",
    [
        {"SignatureVersion": "3"},
        {"SignatureVersion": "2"},
        {"Signature": ""},
        {"Signature": "not base64"},
        {"Timestamp": "yesterday"},
        {"Timestamp": "2095-01-01T00:00:00Z"},
        {"SigningCertURL": "https://127.0.0.1:1/x.pem"},
        {"SigningCertURL": "https://evil.example/x.pem"},
        {"SigningCertURL": "https://sns.us-east-1.amazonaws.com@evil.example/x.pem"},
    ],
)
def test_refuses_what_cannot_be_sns(maker, sns, counted, changes):
    sent = sns.notification(payload("DeviceRegistered", "08:00:00")) | changes
    assert maker.send(sent).status_code == 403
    assert counted() == {"forged": 1}


def test_refuses_another_topic(maker, sns, counted):
    sent = sns.notification(payload("DeviceRegistered", "08:00:00"), TopicArn=TOPIC + "2")
    assert maker.send(sent).status_code == 403
    assert counted() == {"wrong_topic": 1}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"Type":"Notification"}', b'{"Type":["x"]}', b'{"Type":"Other"}', b"\xff"]
    + [b'"\\ud800"', b"[" * 100_000, b" " * 600_000],
)
def test_refuses_what_is_no_message(maker, counted, body):
    assert maker.http.post("/", content=body).status_code == 400
    assert counted() == {"malformed": 1}


def test_asks_again_while_the_certificate_cannot_be_fetched(maker, sns, counted):
    sns.broken = True
    told = payload("DeviceRegistered", "08:00:00")
    sent = sns.notification(told, SigningCertURL=f"http://{sns.host}/other.pem")
    assert maker.send(sent).status_code == 503
    sns.broken = False
    assert maker.send(sent).json() == {"outcome": "accepted"}
    assert counted() == {"unverifiable": 1, "accepted": 1}


@pytest.mark.parametrize(
    "url, good",
    [
        ("https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0a.pem", True),
        ("https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-0a.pem", True),
        ("http://sns.us-east-1.amazonaws.com/x.pem", False),
        ("https://sns.us-east-1.amazonaws.com/x.pem?y", True),
        ("https://sns.us-east-1.amazonaws.com/x.txt", False),
        ("https://sns.us-east-1.amazonaws.com:444/x.pem", False),
        ("https://xsns.us-east-1.amazonaws.com/x.pem", False),
        ("https://sns.us.east.amazonaws.com/x.pem", False),
        ("https://sns.us-east-1.amazonaws.com\\@evil.example/x.pem", False),
        ("https://sns.us-east-1.amazonaws.com/x.pem\n", False),
        ("http://127.0.0.1:80/x.pem", False),
    ],
)
def test_certificate_addresses(url, good):
    if good:
        Hosts().check_certificate(url)
    else:
        with pytest.raises(Forged):
            Hosts().check_certificate(url)


# The ledger.


def test_customer_is_being_asked_then_solves_it(maker, sns, order_id):
    assert maker.place(order_id) == {"new": True}
    order = maker.order(order_id)
    assert order["standing"] == "the customer is being asked"
    assert order["until"] == "2027-01-07T08:00:00Z"
    page = maker.http.get("/", headers={"Accept": "text/html"})
    assert "the customer is being asked" in page.text
    product = [{"quantity": 1.0, "unit": "count", "estimatedDeliveryDate": f"{DAY}T23:00:00Z"}]
    told = payload("OrderPlaced", "20:00:00", **about(order_id, productInfo=product))
    assert maker.send(sns.notification(told)).status_code == 200
    order = maker.order(order_id)
    assert order["standing"] == standing.PLACED
    assert order["until"] == "2027-01-05T20:00:00Z"
    assert order["expectedDelivery"] == f"{DAY}T23:00:00Z"


def test_customer_does_not_solve_it(maker, sns, order_id):
    maker.place(order_id)
    told = payload("OrderCancelled", "08:00:00", day="2027-01-07", **about(order_id))
    assert maker.send(sns.notification(told)).status_code == 200
    assert maker.order(order_id)["standing"] == standing.LAPSED


def test_messages_out_of_order_end_where_they_should(maker, sns, order_id, counted):
    shipped = payload("ItemShipped", "23:00:00", **about(order_id))
    placed = payload("OrderPlaced", "08:00:01", **about(order_id))
    for told in (shipped, placed):
        assert maker.send(sns.notification(told)).json() == {"outcome": "accepted"}
    order = maker.order(order_id)
    assert order["standing"] == "shipped"
    assert [row["type"] for row in order["notifications"]] == ["OrderPlaced", "ItemShipped"]
    assert counted() == {"accepted": 2, "late": 1}


def test_retries_and_replays_change_nothing(maker, sns, order_id, counted):
    told = payload("OrderPlaced", "08:00:01", **about(order_id))
    sent = sns.notification(told)
    outcomes = [maker.send(sent).json()["outcome"] for _ in range(3)]
    outcomes.append(maker.send(sns.notification(told)).json()["outcome"])
    assert outcomes == ["accepted", "duplicate", "duplicate", "repeated"]
    assert len(maker.order(order_id)["notifications"]) == 1
    assert counted() == {"accepted": 1, "duplicate": 2, "repeated": 1}


@pytest.mark.parametrize(
    "message",
    [
        "hello",
        "[]",
        "{}",
        payload("DeviceDelighted", "08:00:00"),
        payload("OrderPlaced", "08:00:00"),
        payload("OrderPlaced", "08:00:00", orderInfo=[]),
        payload("OrderPlaced", "late", **about("x")),
        payload("DeviceRegistered", "08:00:00", serial=""),
    ],
)
def test_unknown_messages_are_ignored_once(maker, sns, counted, message):
    sent = sns.notification(message)
    assert maker.send(sent).json() == {"outcome": "unknown"}
    assert maker.send(sent).json() == {"outcome": "duplicate"}
    assert counted() == {"unknown": 1, "duplicate": 1}


def test_older_spelling_and_payload_1(maker, sns):
    told = payload("DeviceRegistered", "08:00:00", serial="old")
    told["notificationInfo"]["LWAClientId"] = told["notificationInfo"].pop("lwaClientId")
    maker.send(sns.notification(told))
    changes = (("09:00:00", {"a": True, "b": {"subscribed": True}}), ("10:00:00", {"a": False}))
    for clock, status in changes:
        info = {"subscriptionInfo": {"slotsSubscriptionStatus": status}}
        maker.send(sns.notification(payload("SubscriptionChanged", clock, serial="old", **info)))
    seen = maker.seen()
    slots = {row["slot"]: row["subscribed"] for row in seen["slots"] if row["serial"] == "old"}
    assert slots == {"a": False, "b": True}
    device = next(row for row in seen["devices"] if row["serial"] == "old")
    assert device["client_id"] == "amzn1.application-oa2-client.x"


def test_cancelled_carries_only_its_ids(maker, sns, order_id):
    placed = payload("OrderPlaced", "08:00:01", **about(order_id))
    cancelled = payload("OrderCancelled", "09:00:00", **about(order_id))
    for told in (cancelled, placed):
        maker.send(sns.notification(told))
    assert maker.order(order_id)["standing"] == standing.CANCELLED


@pytest.mark.parametrize(
    "told",
    [
        b"[]",
        b"{",
        b"{}",
        b'{"serial":"a","slot":"b","instanceId":"c","time":"noon"}',
        b'{"serial":"a","slot":"b","instanceId":"c","time":true}',
        b'{"serial":"a","slot":"b","instanceId":7,"time":1}',
    ],
)
def test_bad_word_of_the_device_cloud(maker, told):
    answer = maker.http.post("/placed", content=told)
    assert answer.status_code == 400 and answer.json()["error"]


def test_placed_takes_seconds_and_the_first_word_holds(maker, order_id):
    told = {"serial": "unit", "slot": "kibble", "instanceId": order_id, "time": 1_798_963_200}
    assert maker.http.post("/placed", json=told).json() == {"new": True}
    assert maker.http.post("/placed", json=told | {"time": 1}).json() == {"new": False}
    assert maker.order(order_id)["toldByDevice"] == "2027-01-03T08:00:00Z"


def test_ledger_outlives_the_process(sns, tmp_path, order_id):
    options = ("--topic", TOPIC, "--cert-host", sns.host)
    maker = Maker(tmp_path, *options)
    maker.place(order_id)
    sent = sns.notification(payload("OrderPlaced", "08:00:01", **about(order_id)))
    maker.send(sent)
    maker.process.kill()
    maker.process.wait(20)
    again = Maker(tmp_path, *options)
    assert again.send(sent).json() == {"outcome": "duplicate"}
    show = [sys.executable, "-m", "tools.maker", "--db", again.db, "--show"]
    shown = subprocess.run(show, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "unit kibble: placed; the customer can cancel for 24 hours" in shown
    assert "accepted 1, duplicate 1" in shown
    assert again.stop() == 0


def test_show_without_a_ledger_says_so(tmp_path):
    show = [sys.executable, "-m", "tools.maker", "--db", tmp_path / "none.db", "--show"]
    done = subprocess.run(show, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "no ledger at" in done.stderr


# Standing, without a process.


@pytest.mark.parametrize(
    "told_h, events, now_h, expected",
    [
        (0, [], 1, standing.ASKED),
        (0, [], 78, standing.ASKED),
        (0, [], 79, standing.OVERDUE),
        (None, [("OrderPlaced", 0)], 23, standing.PLACED),
        (None, [("OrderPlaced", 0)], 24, standing.FIRM),
        (0, [("OrderPlaced", 60)], 70, standing.PLACED),
        (0, [("OrderCancelled", 72)], 80, standing.LAPSED),
        (0, [("OrderCancelled", 5)], 80, standing.UNSOLVED),
        (0, [("OrderCancelled", 72), ("OrderPlaced", 71)], 80, standing.CANCELLED),
        (None, [("OrderCancelled", 72)], 80, standing.CANCELLED_UNPLACED),
        (None, [("ItemShipped", 30), ("OrderPlaced", 0)], 40, standing.SHIPPED),
        (None, [("ItemShipped", 0), ("OrderPlaced", 0)], 0, standing.SHIPPED),
    ],
)
def test_standing(told_h, events, now_h, expected):
    told_ms = None if told_h is None else told_h * HOUR_MS
    rows = [Event(kind, hours * HOUR_MS) for kind, hours in events]
    assert of_order(told_ms, rows, now_h * HOUR_MS)["standing"] == expected


# With the simulator.


@pytest.mark.parametrize("version", ["1", "2"])
def test_with_the_simulator(tmp_path, version):
    sim = Sim(tmp_path, "--time", START, "--option", f"signature_version={version}")
    host = sim.ready["drs"].removeprefix("https://")
    maker = Maker(tmp_path, "--cert-host", host, "--ca", sim.ready["ca_pem"])
    sim.post("/subscribers", endpoint=maker.url)
    _until(lambda: maker.counters()["confirmed"] == 1)
    device = sim.device()
    device.next_problem("payment")
    order_id = device.order()
    maker.place(order_id, serial=device.serial)
    assert maker.order(order_id)["standing"] == standing.ASKED
    device.customer("resolve", order_id)
    _until(lambda: maker.order(order_id)["standing"] == standing.PLACED)
    sim.advance(31)
    _until(lambda: maker.order(order_id)["standing"] == standing.SHIPPED)
    refused = ("forged", "malformed", "wrong_topic", "unknown", "unverifiable")
    assert not any(maker.counters()[name] for name in refused)
    assert maker.stop() == 0
    assert sim.stop() == 0


def _until(holds):
    deadline = time.monotonic() + 15
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
