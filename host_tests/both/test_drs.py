"""The DRS client: what each call sends, and what each answer of the service comes to."""

import json

from drs_kit import (
    DATE,
    DATE_S,
    NOT_OBJECTS,
    SUBSCRIBED,
    TOKEN,
    Service,
    connected,
    fails,
    ok,
    subscribed,
)
from kit import SLOT, T0, raises, run

from lowtide import Fault, Insecure, Refused, Rejected
from lowtide.drs import quote


def replenish(service):
    """Call Replenish."""
    return run(service.drs.replenish(SLOT))


# -- SubscriptionInfo ---------------------------------------------------------------------------


def test_the_subscription_brings_the_verified_time_and_the_slots():
    service = Service(*subscribed())
    now_s, slots = run(service.drs.subscription())
    assert now_s == DATE_S
    assert slots == {"PaperTowel": True, "Other": False}
    assert service.opened == [
        ("api.amazon.com", 443),
        ("dash-replenishment-service-na.amazon.com", 443),
    ]
    service.drs.close()
    assert service.open_count == 0


def test_every_call_carries_the_token_and_its_versions():
    service = connected(ok(b'{"detailCode":"STANDARD_ORDER_PLACED","eventInstanceId":"e/1"}'))
    replenish(service)
    service.answers.append(ok(b'{"orderInfoData":{"orderItems":[{"slotId":"PaperTowel"}]}}'))
    run(service.drs.order_info("e/1", SLOT))
    for index, want in enumerate(
        (
            ("POST", "/replenish/PaperTowel", "DrsReplenish"),
            ("GET", "/getOrderInfo/e%2F1", "DrsOrderInfo"),
        )
    ):
        _, method, target, headers, body = service.asked[index]
        assert (method, target, body) == (want[0], want[1], b"")
        prefix = "com.amazon.dash.replenishment." + want[2]
        assert headers["Authorization"] == "Bearer Atza|one"
        assert headers["x-amzn-type-version"] == prefix + "Input@1.0"
        assert headers["x-amzn-accept-type"] == prefix + "Result@1.0"


def test_without_any_date_there_is_no_verified_time():
    for headers in ({}, {"date": ""}, {"date": "yesterday"}, {"x-amz-date": "2017-01-02"}):
        service = Service(ok(TOKEN), ok(SUBSCRIBED, **headers))
        fails(Fault, service.drs.subscription())


def test_the_amazon_date_stands_in_for_the_date():
    service = Service(ok(TOKEN), ok(SUBSCRIBED, x_amz_date=DATE))
    assert run(service.drs.subscription())[0] == DATE_S


def test_subscriptions_that_are_not_understood_are_no_answer():
    for body in NOT_OBJECTS + (b'{"slotsSubscriptionStatus":[]}', b'{"message":"x"}'):
        fails(Fault, Service(ok(TOKEN), ok(body, date=DATE)).drs.subscription())


def test_only_true_is_subscribed():
    body = b'{"slotsSubscriptionStatus":{"a":"true","b":1,"c":null,"d":{"subscribed":true}}}'
    _, slots = run(Service(ok(TOKEN), ok(body, date=DATE)).drs.subscription())
    assert slots == {"a": False, "b": False, "c": False, "d": False}


def test_an_insecure_peer_is_insecure():
    fails(Insecure, Service(Insecure("x: certificate refused")).drs.subscription())


# -- Replenish ----------------------------------------------------------------------------------


def test_replenish_returns_what_was_sent():
    for body, want in (
        (b'{"eventInstanceId":"e","detailCode":"ORDER_INPROGRESS"}', ("ORDER_INPROGRESS", "e")),
        (b'{"detailCode":"STANDARD_ORDER_PLACED"}', ("STANDARD_ORDER_PLACED", None)),
        (b'{"detailCode":"NEW","eventInstanceId":7,"more":[]}', ("NEW", 7)),
    ):
        assert replenish(connected(ok(body))) == want


def test_a_2xx_that_says_nothing_has_no_detail_code():
    for body in NOT_OBJECTS:
        assert replenish(connected(ok(body))) == (None, None)


def test_other_successes_and_redirects_are_unknown_outcomes():
    for status in (201, 202, 204, 301, 302, 307):
        fails(Fault, connected((status, {}, b"")).drs.replenish(SLOT))


def test_server_errors_and_throttling_are_unknown_outcomes_that_name_their_wait():
    for status, headers, wait_s in (
        (500, {}, 0),
        (503, {"retry-after": "120"}, 120),
        (429, {"retry-after": "7"}, 7),
        (503, {"retry-after": "Mon, 02 Jan 2017 22:35:53 GMT"}, 0),
        (503, {"retry-after": "-5"}, 0),
        (503, {"retry-after": "9999999999"}, 0),
        (599, {}, 0),
    ):
        e = fails(Fault, connected((status, headers, b"<html>")).drs.replenish(SLOT))
        assert e.wait_s == wait_s, headers


def test_refusals_are_certain_and_say_what_they_block():
    for status, body, block in (
        (
            400,
            b'{"message":"Unable to place order - slot : <PaperTowel> is unsubscribed."}',
            "unsubscribed",
        ),
        (404, b"", "no_such_slot"),
        (404, b'{"message":"x"}', "no_such_slot"),
        (400, b'{"message":"bad type version"}', None),
        (400, b"no json", None),
        (403, b"", None),
    ):
        e = fails(Refused, connected((status, {}, body)).drs.replenish(SLOT))
        assert not isinstance(e, Rejected)
        assert e.block == block


def test_nothing_is_sent_without_a_connection():
    service = Service()
    fails(Fault, service.drs.replenish(SLOT))
    assert service.asked == []


def test_a_long_message_is_cut_and_holds_no_secret():
    body = b'{"message":"' + b"m" * 3000 + b'"}'
    e = fails(Refused, connected((400, {}, body)).drs.replenish(SLOT))
    assert len(str(e)) < 160


# -- GetOrderInfo -------------------------------------------------------------------------------


def order_info(body):
    """Ask about an order that answers with these `orderItems`."""
    service = connected(ok(b'{"orderInfoData":{"orderItems":' + body + b"}}"))
    return run(service.drs.order_info("e", SLOT))


def test_order_info_finds_the_slot_and_its_date():
    item = b'{"slotId":"PaperTowel","status":"Processing","expectedDeliveryDate":%s}'
    assert order_info(b"[" + item % b"null" + b"]") == ("Processing", False)
    assert order_info(b"[" + item % b'""' + b"]") == ("Processing", False)
    date = b'"2017-01-05T07:59:59.000Z"'
    assert order_info(b'[{"slotId":"Other"},' + item % date + b"]") == ("Processing", True)


def test_order_info_of_another_slot_is_refused():
    for body in (b"[]", b'[{"slotId":"Other","status":"Shipped"}]', b"[7, null, []]"):
        raises(Refused, order_info, body)


def test_order_info_that_is_not_understood_is_no_news():
    for body in NOT_OBJECTS + (b'{"orderInfoData":[]}', b'{"orderInfoData":{"orderItems":{}}}'):
        fails(Fault, connected(ok(body)).drs.order_info("e", SLOT))


def test_order_info_of_an_unknown_id_is_refused():
    for status in (400, 404):
        fails(Refused, connected((status, {}, b"")).drs.order_info("e", SLOT))


def test_ids_are_encoded_into_one_path_segment():
    assert quote("amzn1.dash.v2.o.cnI=") == "amzn1.dash.v2.o.cnI%3D"
    assert quote("a/b?c#d e\r\n%|é") == "a%2Fb%3Fc%23d%20e%0D%0A%25%7C%C3%A9"


# -- reports -------------------------------------------------------------------------------------


def test_slot_status_is_json_with_whole_numbers_and_a_date_only_if_there_is_one():
    service = connected(ok(b""), ok(b""))
    run(service.drs.slot_status(SLOT, 30, 100, None))
    run(service.drs.slot_status(SLOT, 30, 100, T0))
    for asked, date in zip(service.asked, (None, "2030-03-27T00:00:00Z")):  # noqa: B905
        _, method, target, headers, body = asked
        assert (method, target) == ("POST", "/slotStatus/PaperTowel")
        assert headers["Content-Type"] == "application/json"
        assert headers["x-amzn-type-version"].endswith("DrsSlotStatusInput@1.0")
        report = json.loads(body)
        assert report.pop("expectedReplenishmentDate", None) == date
        assert report == {"remainingQuantityInUnit": 30, "originalQuantityInUnit": 100}


def test_device_status_has_no_id_in_its_path():
    service = connected(ok(b""))
    run(service.drs.device_status(T0))
    _, method, target, headers, body = service.asked[0]
    assert (method, target) == ("POST", "/deviceStatus")
    assert headers["x-amzn-accept-type"].endswith("DrsDeviceStatusResult@1.0")
    assert json.loads(body) == {"mostRecentlyActiveDate": "2030-03-27T00:00:00Z"}
