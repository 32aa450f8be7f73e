"""Notifications as the maker's endpoint receives them, checked by somebody else's validator."""

import json
import re
import signal
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest
import sns_message_validator
from cryptography.hazmat.primitives.hashes import SHA256
from drs_sim_kit import START, Sim, assert_one_line

CERT_URL = r"^https://127\.0\.0\.1:[0-9]+/SimpleNotificationService-[0-9a-f]{32}\.pem$"


class Maker:
    """An HTTP endpoint that keeps what it gets, and answers what it is told to."""

    def __init__(self, server):
        self.url = f"http://127.0.0.1:{server.server_port}/sns"
        self.got = []
        self.statuses = []

    def messages(self, count, kind="Notification"):
        """Wait for a number of messages of a kind; return them all."""
        deadline = time.monotonic() + 10
        while len(found := [body for _, body in self.got if body["Type"] == kind]) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} messages"
            time.sleep(0.01)
        return found

    def notified(self, count):
        payloads = [json.loads(message["Message"]) for message in self.messages(count)]
        return [
            payload["notificationInfo"]["notificationType"].removesuffix("Notification")
            for payload in payloads
        ]


@contextmanager
def listening():
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            maker.got.append((dict(self.headers), body))
            self.send_response(maker.statuses.pop(0) if maker.statuses else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    maker = Maker(server)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield maker
    server.shutdown()
    server.server_close()


@pytest.fixture
def sim(tmp_path):
    running = Sim(tmp_path, "--time", START, "--paused")
    yield running
    assert running.stop() == 0


@pytest.fixture
def maker(sim):
    with listening() as endpoint:
        yield endpoint


@pytest.fixture
def confirmed(sim, maker):
    subscribe(sim, maker)
    return maker


def subscribe(sim, maker):
    """Subscribe and confirm; return the subscriber."""
    found = sim.post("/subscribers", endpoint=maker.url)
    asked = len([1 for _, body in maker.got if body["Type"] == "SubscriptionConfirmation"])
    ask = maker.messages(asked or 1, "SubscriptionConfirmation")[-1]
    sim.drs.get(ask["SubscribeURL"]).raise_for_status()
    return found


def validate(sim, message, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", sim.ready["ca_pem"])
    version = message["SignatureVersion"]
    sns_message_validator.SNSMessageValidator(CERT_URL, version).validate_message(message)


# The handshake.


def test_nothing_is_delivered_before_the_confirmation(sim, maker):
    row = sim.post("/subscribers", endpoint=maker.url)
    assert row["status"] == "pending"
    [ask] = maker.messages(1, "SubscriptionConfirmation")
    keys = "Type MessageId Token TopicArn Message SubscribeURL Timestamp SignatureVersion"
    assert set(ask) == {*keys.split(), "Signature", "SigningCertURL"}
    headers = maker.got[0][0]
    assert headers["x-amz-sns-message-type"] == "SubscriptionConfirmation"
    assert "x-amz-sns-subscription-arn" not in headers
    sim.device()
    answer = sim.drs.get(ask["SubscribeURL"])
    assert answer.status_code == 200 and row["subscription_arn"] in answer.text
    assert sim.control.get("/subscribers").json()[0]["status"] == "confirmed"
    device = sim.device()
    assert maker.notified(2) == ["DeviceRegistered", "SubscriptionChanged"]
    serials = {
        json.loads(body["Message"])["deviceInfo"]["deviceIdentifier"]["serialNumber"]
        for body in maker.messages(2)
    }
    assert serials == {device.serial}


def test_a_wrong_token_confirms_nothing(sim, maker):
    sim.post("/subscribers", endpoint=maker.url)
    [ask] = maker.messages(1, "SubscriptionConfirmation")
    for url in (ask["SubscribeURL"][:-1], ask["SubscribeURL"].replace("drs-sim", "other")):
        answer = sim.drs.get(url)
        assert answer.status_code == 400 and "InvalidParameter" in answer.text
    assert sim.drs.get("/?Action=Unsubscribe&SubscriptionArn=x").status_code == 404
    assert sim.drs.get("/?Action=Publish").status_code == 404
    assert sim.control.get("/subscribers").json()[0]["status"] == "pending"


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://127.0.0.1/",
        "http://example.org/",
        "http://127.0.0.1.example.org/",
        "x",
        "http://user@example.org:80/",
        "http://[::1",
        "http://127.0.0.1:99999/",
        "http://127.1/\n",
    ],
)
def test_only_loopback_is_posted_to(sim, endpoint):
    assert_one_line(sim.control.post("/subscribers", json={"endpoint": endpoint}), 400, "endpoint")


# What is posted.


def test_notification_on_the_wire(sim, confirmed):
    sim.device()
    confirmed.messages(1)
    headers, body = next(item for item in confirmed.got if item[1]["Type"] == "Notification")
    assert list(body) == [
        *("Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "SignatureVersion"),
        *("Signature", "SigningCertURL", "UnsubscribeURL", "MessageAttributes"),
    ]
    assert body["Subject"] == "DRS Notification"
    assert body["MessageAttributes"] == {"version": {"Type": "String", "Value": "2.0"}}
    assert headers["x-amz-sns-message-id"] == body["MessageId"]
    assert headers["x-amz-sns-topic-arn"] == body["TopicArn"]
    arn = sim.control.get("/subscribers").json()[0]["subscription_arn"]
    assert headers["x-amz-sns-subscription-arn"] == arn
    assert headers["Content-Type"] == "text/plain; charset=UTF-8"
    assert headers["User-Agent"] == "Amazon Simple Notification Service Agent"
    assert re.fullmatch(r"2027-01-04T08:00:\d\d\.\d{3}Z", body["Timestamp"])


def test_all_six_types_with_their_payloads(sim, confirmed):
    device = sim.device(slots=("kibble", "treats"))
    device.subscribe(False, "treats")
    first = device.order()
    device.customer("cancel", first).raise_for_status()
    second = device.order()
    device.customer("ship", second).raise_for_status()
    sim.post(f"/devices/{device.serial}/revoke")
    assert confirmed.notified(8) == [
        *("DeviceRegistered", "SubscriptionChanged", "SubscriptionChanged", "OrderPlaced"),
        *("OrderCancelled", "OrderPlaced", "ItemShipped", "DeviceDeregistered"),
    ]
    payloads = [json.loads(body["Message"]) for body in confirmed.messages(8)]
    common = payloads[0]
    assert set(common) == {"notificationInfo", "deviceInfo", "customerInfo"}
    info = common["notificationInfo"]
    assert info["lwaClientId"].startswith("amzn1.application-oa2-client.")
    assert info["version"] == "2015-06-05"
    assert info["notificationId"].startswith("amzn1.dash.notification.v1.")
    assert re.fullmatch(r"2027-01-04T08:00:\d\d\.\d{3}Z", info["notificationTime"])
    assert common["deviceInfo"]["productIdentifier"] == {"modelId": "feeder"}
    assert common["customerInfo"]["directedCustomerId"].startswith("amzn1.account.")
    slots = payloads[2]["subscriptionInfo"]["slotsSubscriptionStatus"]
    assert [slots[name]["subscribed"] for name in ("kibble", "treats")] == [True, False]
    [product] = slots["treats"]["productInfoList"]
    assert (product["quantity"], product["unit"], len(product["asin"])) == (1.0, "count", 10)
    placed, cancelled, shipped = (payloads[n]["orderInfo"] for n in (3, 4, 6))
    assert set(placed) == {"instanceId", "slotId", "productInfo"}
    [product] = placed["productInfo"]
    assert list(product) == ["quantity", "unit", "asin", "estimatedDeliveryDate"]
    assert re.fullmatch(r"2027-01-08T14:00:\d\dZ", product["estimatedDeliveryDate"])
    assert cancelled == {"instanceId": first, "slotId": "kibble"}
    assert (shipped["instanceId"], set(shipped)) == (second, set(placed))


def test_a_payload_stays_what_it_was_when_options_change(sim, confirmed):
    sim.device().replenish()
    delivered = json.loads(confirmed.messages(3)[2]["Message"])
    assert delivered["orderInfo"]["productInfo"][0]["asin"]
    sim.set_options(payload_version=1, client_id_key="LWAClientId")
    assert sim.state()["notifications"][-1]["payload"] == delivered


def test_payload_version_1(sim, confirmed):
    sim.set_options(payload_version=1, client_id_key="LWAClientId")
    sim.device().order()
    bodies = confirmed.messages(3)
    assert not any("MessageAttributes" in body for body in bodies)
    _, changed, placed = (json.loads(body["Message"]) for body in bodies)
    assert changed["subscriptionInfo"] == {"slotsSubscriptionStatus": {"kibble": True}}
    assert placed["orderInfo"]["productInfo"] == [{"quantity": 1.0, "unit": "count"}]
    assert placed["orderInfo"]["estimatedDeliveryDate"].endswith("Z")
    assert "LWAClientId" in placed["notificationInfo"]


def test_message_attributes_as_the_documents_print_them(sim, confirmed):
    sim.set_options(message_attributes="docs")
    sim.device()
    printed = {"version": {"type": "String", "Value": 2.0}}
    assert confirmed.messages(1)[0]["MessageAttributes"] == printed


def test_the_problem_path_is_silent_until_it_is_solved(sim, confirmed):
    device = sim.device()
    device.next_problem("payment")
    order_id = device.order()
    sim.advance(1)
    device.customer("resolve", order_id).raise_for_status()
    assert confirmed.notified(3)[2:] == ["OrderPlaced"]


# Signatures.


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_validator_of_others_accepts_every_kind(sim, maker, monkeypatch, version):
    if version == "2":
        # The same text under another hash; this validator knows only the first version's.
        module = sns_message_validator.sns_message_validator
        monkeypatch.setattr(module, "SHA1", SHA256)
    sim.set_options(signature_version=version)
    row = subscribe(sim, maker)
    sim.device()
    maker.messages(2)
    assert sim.control.delete(f"/subscribers/{row['id']}").status_code == 200
    maker.messages(1, "UnsubscribeConfirmation")
    assert len(maker.got) == 4
    for _, body in maker.got:
        assert body["SignatureVersion"] == version
        validate(sim, body, monkeypatch)
        forged = body | {"Message": body["Message"] + " "}
        with pytest.raises(Exception, match="Invalid signature"):
            validate(sim, forged, monkeypatch)


def test_the_certificate_is_under_the_ca_on_both_ports_and_its_host_an_option(sim, confirmed):
    sim.set_options(sns_host="sns.us-east-1.amazonaws.com")
    sim.device()
    url = httpx.URL(confirmed.messages(1)[0]["SigningCertURL"])
    assert url.host == "sns.us-east-1.amazonaws.com"
    pem = sim.drs.get(url.path).raise_for_status().text
    assert pem.startswith("-----BEGIN CERTIFICATE-----")
    assert sim.control.get(url.path).text == pem
    for other in (sim.drs, sim.control):
        assert other.get("/SimpleNotificationService-0.pem").status_code == 404


# Delivery.


def test_three_retries_with_the_same_message(sim, confirmed):
    confirmed.statuses += [500] * 8
    device = sim.device()
    for attempts in (1, 2, 3, 4):
        bodies = confirmed.messages(2 * attempts)
        time.sleep(0.3)
        assert len(confirmed.messages(0)) == 2 * attempts  # the calendar stands: no retry
        sim.post("/clock/advance", seconds=20)
    assert bodies[::2] == [bodies[0]] * 4 and bodies[1::2] == [bodies[1]] * 4
    time.sleep(0.3)
    [row] = sim.control.get("/subscribers").json()
    assert (row["waiting"], row["messages"]) == (0, 3)
    device.order()
    assert confirmed.notified(9)[-1] == "OrderPlaced"


def test_a_client_error_is_not_retried_and_a_dead_endpoint_holds_up_nobody(sim, confirmed):
    confirmed.statuses += [404, 404]
    with listening() as dead:
        subscribe(sim, dead)
    device = sim.device()
    device.order()
    assert len(confirmed.messages(3)) == 3
    sim.post("/clock/advance", seconds=20)
    time.sleep(0.3)
    assert len(confirmed.messages(3)) == 3


def test_order_may_be_lost(sim, confirmed):
    sim.set_options(sns_order="reversed")
    sim.device().order()
    time.sleep(0.3)
    assert confirmed.messages(0) == []
    sim.post("/clock/advance", seconds=30)
    assert confirmed.notified(3) == ["OrderPlaced", "SubscriptionChanged", "DeviceRegistered"]
    sim.set_options(sns_order="shuffled")
    for _ in range(6):
        sim.device()
    sim.post("/clock/advance", seconds=30)
    late = confirmed.notified(15)[3:]
    assert late != ["DeviceRegistered", "SubscriptionChanged"] * 6


def test_messages_may_come_twice(sim, confirmed):
    sim.set_options(sns_duplicate_percent=100)
    sim.device()
    ids = [body["MessageId"] for body in confirmed.messages(4)]
    assert ids[::2] == ids[1::2] and len(set(ids)) == 2


def test_unsubscribing_by_the_url_of_a_message(sim, confirmed):
    sim.device()
    url = confirmed.messages(2)[0]["UnsubscribeURL"]
    assert sim.drs.get(url).status_code == 200
    [word] = confirmed.messages(1, "UnsubscribeConfirmation")
    sim.device()
    time.sleep(0.3)
    assert len(confirmed.messages(2)) == 2
    sim.drs.get(word["SubscribeURL"]).raise_for_status()  # and back again
    sim.device()
    assert len(confirmed.messages(4)) == 4
    [row] = sim.control.get("/subscribers").json()
    for _ in range(2):
        assert sim.control.delete(f"/subscribers/{row['id']}").status_code == 200
    assert sim.control.get("/subscribers").json() == []
    assert_one_line(sim.control.delete(f"/subscribers/{row['id']}"), 404, row["id"])


def test_what_was_not_delivered_survives_a_kill(sim, confirmed):
    confirmed.statuses += [503, 503]
    device = sim.device()
    lost = confirmed.messages(2)
    time.sleep(0.2)
    sim.stop(signal.SIGKILL)
    sim.start()
    sim.post("/clock/advance", seconds=20)
    again = confirmed.messages(4)[2:]
    assert [body["MessageId"] for body in again] == [body["MessageId"] for body in lost]
    assert again[0]["Signature"] == lost[0]["Signature"]
    assert sim.control.get("/subscribers").json()[0]["status"] == "confirmed"
    device.order()
    assert confirmed.notified(5)[-1] == "OrderPlaced"
