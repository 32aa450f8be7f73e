"""The simulator's page without a browser: forms, events, and what strangers get."""

import json

import httpx
import pytest

from tools.drs_sim.wire import mask


@pytest.fixture
def plain(sim):
    with httpx.Client(base_url=sim.ready["control"], trust_env=False) as client:
        yield client


def test_forms_work_without_javascript(sim, plain):
    device = sim.device()
    place = {"serial": device.serial, "slot": device.slot}
    answer = plain.post("/page/slot", data={**place, "problem": "stock"})
    assert answer.status_code == 303 and answer.headers["location"] == "/"
    order_id = device.order()
    assert "Choose another product" in plain.get("/").text
    assert plain.post("/page/order", data={"verb": "resolve", "id": order_id}).status_code == 303
    refused = plain.post("/page/order", data={"verb": "resolve", "id": order_id})
    assert refused.status_code == 409
    assert "Not done: the order is placed, not resolution" in refused.text


@pytest.mark.parametrize(
    "form, fields, status",
    [
        ("order", {"verb": "resolve", "id": "none"}, 404),
        ("order", {"verb": "find", "id": "none"}, 400),
        ("order", {}, 400),
        ("slot", {"serial": "nobody", "slot": "x", "subscribed": "off"}, 404),
        ("fault", {"fault": "flood"}, 400),
        ("clock", {"hours": "-1"}, 400),
        ("clock", {"hours": "9999999"}, 400),
        ("clock", {"speed": "x" * 5000}, 400),
    ],
)
def test_bad_forms_are_refused(plain, form, fields, status):
    answer = plain.post(f"/page/{form}", data=fields, headers={"X-Page": "live"})
    assert answer.status_code == status and answer.text


def test_forms_of_other_sites_are_refused(sim, plain):
    before = sim.control.get("/clock").json()["version"]
    other = {"Sec-Fetch-Site": "cross-site"}
    assert plain.post("/page/clock", data={"hours": "1"}, headers=other).status_code == 403
    assert sim.control.get("/clock").json()["version"] == before


def test_names_are_text_never_markup(sim, plain):
    sim.device(slots=("<b>&x",))
    text = plain.get("/").text
    assert "&lt;b&gt;&amp;x" in text and "<b>&x" not in text


def test_page_asks_nothing_of_other_hosts(plain):
    answer = plain.get("/")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "//" not in answer.text.replace("<!doctype", "").replace("https://127.0.0.1", "")


@pytest.mark.parametrize(
    "text, shown",
    [
        ("grant_type=x&refresh_token=Atzr%7Cabc&client_id=me", "refresh_token=•••&client_id=me"),
        (
            '{"access_token" : "Atza|a\\"b", "expires_in":1}',
            '"access_token" : "•••", "expires_in"',
        ),
        ('{"refresh_token":"Atzr|cut in the mid', '{"refresh_token":"•••"'),
        ("https://maker/back?code=ANdN&scope=x", "back?code=•••&scope=x"),
        ("GET /?Action=ConfirmSubscription&Token=abc", "Subscription&Token=•••"),
        ("token Atza|IwEBIA-_x, bad", "token Atza|•••, bad"),
        ('{"detailCode":"TEST_ORDER_PLACED"}', '{"detailCode":"TEST_ORDER_PLACED"}'),
    ],
)
def test_mask(text, shown):
    assert shown in mask(text)
    assert "abc" not in mask(text) and "IwEB" not in mask(text)


def test_events_tick_and_carry_changes_only(sim, plain):
    device = sim.device()
    with plain.stream("GET", "/events") as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        found = _events(events.iter_lines())
        first = next(data for kind, data in found if kind == "change")["fragments"]
        assert {"lanes", "mails", "requests", "clock-buttons", "fault-script"} <= first.keys()
        sim.faults({"path": "/nowhere", "action": "garbage"})
        change = next(data for kind, data in found if kind == "change")
        assert list(change["fragments"]) == ["fault-script"] and change["say"] is None
        sim.advance(1)
        tick = next(data for kind, data in found if kind == "tick")
        assert tick["face"] and tick["now_ms"] > 0
    sim.faults()
    assert device.serial in first["lanes"]


def _events(lines):
    """Yield kind and data of each server-sent event."""
    kind = None
    for line in lines:
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, json.loads(line.removeprefix("data: "))
