"""Which messages the maker's receiver takes for SNS's, and which it refuses."""

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from maker_kit import DAY, TOPIC, Maker, payload

from tools.maker.envelope import Forged, Hosts

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
