"""The DRS client on a scripted connection: what each answer of the service comes to."""

import json

from kit import SETTINGS, SLOT, T0, FakeClock, config, raises, run

from lowtide import Fault, Insecure, Refused, Rejected
from lowtide.drs import Drs, quote

TOKEN = b'{"access_token":"Atza|one","expires_in":3600,"token_type":"bearer"}'
SUBSCRIBED = b'{"slotsSubscriptionStatus":{"PaperTowel":true,"Other":false}}'
DATE = "Mon, 02 Jan 2017 22:35:53 GMT"
DATE_S = 1483396553
INVALID_TOKEN = (400, {}, b'{"message":"Invalid token"}')
NOT_OBJECTS = (b"", b"no json", b"[]", b"7", b"null", b'"x"', b"{", b"\xff\xfe", b"[" * 100, b"{}")


class Service:
    """Opens connections that answer from one queue and note what was asked of whom."""

    def __init__(self, *answers, **changes):
        self.answers = list(answers)
        self.asked = []
        self.opened = []
        self.open_count = 0
        self.config = config(**changes)
        self.clock = FakeClock(T0)
        self.drs = Drs(self.config, self.connect, self.clock)

    def connect(self, host, port):
        """As the `connect` handed to `Drs`."""
        assert self.open_count == 0, "two connections at once"
        self.opened.append((host, port))
        self.open_count += 1
        return FakeConnection(self, host)

    def next(self, *asked):
        """Answer one request."""
        self.asked.append(asked)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class FakeConnection:
    """As `https.Connection`."""

    def __init__(self, service, host):
        self._service, self._host = service, host
        self._closed = False

    async def request(self, method, target, headers, body=b""):
        """Answer as scripted."""
        assert not self._closed
        return self._service.next(self._host, method, target, dict(headers), body)

    def close(self):
        """Count the open ones."""
        if not self._closed:
            self._service.open_count -= 1
        self._closed = True


def ok(body, **headers):
    """Return a 200 as `https` gives it."""
    return 200, {name.replace("_", "-"): value for name, value in headers.items()}, body


def subscribed():
    """Return the answers of a good beginning."""
    return ok(TOKEN), ok(SUBSCRIBED, date=DATE)


def connected(*answers):
    """Return a service whose client has asked for its subscription, and what comes then."""
    service = Service(*(subscribed() + answers))
    run(service.drs.subscription())
    service.asked.clear()
    return service


def replenish(service):
    """Call Replenish."""
    return run(service.drs.replenish(SLOT))


def fails(kind, step):
    """Return the exception of `kind`, and no narrower, that driving `step` must raise."""
    e = raises(kind, run, step)
    assert type(e) is kind
    return e


# -- SubscriptionInfo and the token -------------------------------------------------------------


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


def test_the_refresh_is_form_encoded_and_has_a_secret_only_if_there_is_one():
    service = Service(*subscribed())
    run(service.drs.subscription())
    assert service.asked[0][:3] == ("api.amazon.com", "POST", "/auth/o2/token")
    body = service.asked[0][4]
    assert b"refresh_token=Atzr%7Cthe-refresh-token" in body
    assert b"grant_type=refresh_token" in body
    assert b"client_secret=s3cret-of-the-client" in body
    service = Service(*subscribed(), lwa__client_secret="")
    run(service.drs.subscription())
    assert b"client_secret" not in service.asked[0][4]


def test_a_valid_token_needs_one_handshake_and_an_expired_one_two():
    service = connected(ok(SUBSCRIBED, date=DATE))
    service.drs.close()
    service.opened.clear()
    run(service.drs.subscription())
    assert len(service.opened) == 1
    service.drs.close()
    service.clock.now_s += 3600
    service.opened.clear()
    service.answers.extend(subscribed())
    run(service.drs.subscription())
    assert len(service.opened) == 2


def test_a_clock_set_back_by_years_does_not_keep_a_token_for_years():
    service = connected(*subscribed())
    service.drs.close()
    service.clock.now_s -= 10 * 365 * 86400
    run(service.drs.subscription())
    assert service.asked[0][2] == "/auth/o2/token"


def test_a_token_rejected_once_is_refreshed_once():
    service = connected(INVALID_TOKEN, *subscribed())
    service.drs.close()
    service.opened.clear()
    assert run(service.drs.subscription())[0] == DATE_S
    assert len(service.opened) == 3
    assert [asked[2] for asked in service.asked] == [
        "/subscriptionInfo",
        "/auth/o2/token",
        "/subscriptionInfo",
    ]


def test_a_token_rejected_twice_ends_the_wake():
    service = Service(ok(TOKEN), INVALID_TOKEN, ok(TOKEN), INVALID_TOKEN)
    fails(Rejected, service.drs.subscription())
    assert len(service.asked) == 4


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


def test_tokens_that_are_not_understood_are_no_answer():
    for body in NOT_OBJECTS + (
        b'{"access_token":"","expires_in":3600}',
        b'{"access_token":7,"expires_in":3600}',
        b'{"access_token":"a\\r\\nX: y","expires_in":3600}',
        b'{"access_token":"' + b"a" * 2049 + b'","expires_in":3600}',
        b'{"access_token":"a"}',
        b'{"access_token":"a","expires_in":[]}',
    ):
        service = Service(ok(body))
        fails(Fault, service.drs.subscription())
        assert len(service.asked) == 1
        assert service.open_count == 0


def test_a_rotated_refresh_token_is_kept_in_flash():
    body = b'{"access_token":"a","expires_in":3600,"refresh_token":"Atzr|new"}'
    service = Service(ok(body), ok(SUBSCRIBED, date=DATE))
    run(service.drs.subscription())
    assert service.config["lwa.refresh_token"] == "Atzr|new"
    assert b"Atzr|new" in service.config._store.payload


def test_the_same_or_an_unusable_refresh_token_writes_nothing():
    for rotated in (b'"Atzr|the-refresh-token"', b'""', b"null", b"7", b'"a b"'):
        body = b'{"access_token":"a","expires_in":3600,"refresh_token":%s}' % rotated
        service = Service(ok(body), ok(SUBSCRIBED, date=DATE))
        run(service.drs.subscription())
        assert service.config["lwa.refresh_token"] == SETTINGS["lwa.refresh_token"]
        assert service.config._store.writes == 0


def test_invalid_grant_is_revoked_and_nothing_else_is():
    e = fails(Refused, Service((400, {}, b'{"error":"invalid_grant"}')).drs.subscription())
    assert e.block == "revoked"
    for answer in (
        (401, {}, b'{"error":"invalid_client"}'),
        (400, {}, b'{"error":"invalid_request"}'),
        (400, {}, b""),
        (400, {}, b'{"message":"invalid_grant"}'),
        (500, {}, b'{"error":"invalid_grant"}'),
        (503, {}, b""),
        (302, {"location": "https://elsewhere"}, b""),
    ):
        service = Service(answer)
        fails(Fault, service.drs.subscription())
        assert service.open_count == 0


def token_changed_before(answer):
    """Have a person set another refresh token while this answer to the old one is under way."""
    service, request = Service(answer), FakeConnection.request

    async def changed(self, *call):
        service.config.set("lwa.refresh_token", "Atzr|typed")
        return await request(self, *call)

    FakeConnection.request = changed
    try:
        return service.config, fails(Fault, service.drs.subscription())
    finally:
        FakeConnection.request = request


def test_an_answer_about_a_token_that_was_changed_meanwhile_counts_for_nothing():
    body = b'{"access_token":"a","expires_in":3600,"refresh_token":"Atzr|of-the-old-one"}'
    for answer in ((400, {}, b'{"error":"invalid_grant"}'), ok(body)):
        config, e = token_changed_before(answer)
        assert e.block is None
        assert config["lwa.refresh_token"] == "Atzr|typed"


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


def test_a_rejected_token_is_refreshed_in_the_next_wake():
    service = connected(INVALID_TOKEN, *subscribed())
    fails(Rejected, service.drs.replenish(SLOT))
    service.drs.close()
    run(service.drs.subscription())
    assert service.asked[1][2] == "/auth/o2/token"


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


# -- the access token over a sleep ---------------------------------------------------------------


def slept(service, room=1700):
    """Return a client that starts after a sleep, with what the old one kept."""
    kept = service.drs.pack(room)
    service.drs = Drs(service.config, service.connect, service.clock)
    service.drs.resume(kept)
    return kept


def test_a_token_survives_a_sleep_and_spares_a_handshake():
    service = connected(ok(SUBSCRIBED, date=DATE))
    service.drs.close()
    slept(service)
    service.opened.clear()
    run(service.drs.subscription())
    assert service.opened == [("dash-replenishment-service-na.amazon.com", 443)]
    assert service.asked[-1][3]["Authorization"] == "Bearer Atza|one"


def test_a_token_that_ran_out_in_its_sleep_is_refreshed():
    service = connected(*subscribed())
    service.drs.close()
    slept(service)
    service.clock.now_s += 3600
    service.opened.clear()
    run(service.drs.subscription())
    assert len(service.opened) == 2


def test_a_token_that_was_rejected_is_not_kept():
    service = connected(INVALID_TOKEN)
    fails(Rejected, service.drs.replenish(SLOT))
    assert slept(service) == b""


def test_a_token_without_room_is_not_kept_and_costs_a_handshake():
    service = connected(*subscribed())
    service.drs.close()
    size = len(service.drs.pack(1700))
    assert slept(service, size - 1) == b""
    run(service.drs.subscription())
    assert service.opened[-2][0] == "api.amazon.com"
