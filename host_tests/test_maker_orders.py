"""Where the maker's receiver says that orders stand, whatever is told, and in which order."""

import subprocess
import sys
import time

import pytest
from drs_sim_kit import ROOT, START, Sim
from maker_kit import DAY, TOPIC, Maker, about, payload

from tools.maker import standing
from tools.maker.standing import Event, of_order

HOUR_MS = standing.HOUR_MS

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
