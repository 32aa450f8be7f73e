"""The DRS client's access token: when it is refreshed, how, and what is kept of it."""

from drs_kit import (
    DATE,
    DATE_S,
    INVALID_TOKEN,
    NOT_OBJECTS,
    SUBSCRIBED,
    TOKEN,
    FakeConnection,
    Service,
    connected,
    fails,
    ok,
    subscribed,
)
from kit import SETTINGS, SLOT, run

from lowtide import Fault, Refused, Rejected
from lowtide.drs import Drs

# -- when ---------------------------------------------------------------------------------------


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


def test_a_connection_that_ends_before_the_call_is_not_opened_again_in_this_wake():
    service = connected(Rejected("closed, or spoke unasked"), subscribed()[-1])
    service.drs.close()
    service.opened.clear()
    fails(Rejected, service.drs.subscription())
    assert len(service.opened) == 1
    # The token is as good as it was.
    run(service.drs.subscription())
    assert service.asked[-1][2] == "/subscriptionInfo" and len(service.opened) == 2


def test_a_rejected_token_is_refreshed_in_the_next_wake():
    service = connected(INVALID_TOKEN, *subscribed())
    fails(Rejected, service.drs.replenish(SLOT))
    service.drs.close()
    run(service.drs.subscription())
    assert service.asked[1][2] == "/auth/o2/token"


# -- how, and what comes back -------------------------------------------------------------------


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
    assert b"Atzr|new" in service.config.store.payload


def test_the_same_or_an_unusable_refresh_token_writes_nothing():
    for rotated in (b'"Atzr|the-refresh-token"', b'""', b"null", b"7", b'"a b"'):
        body = b'{"access_token":"a","expires_in":3600,"refresh_token":%s}' % rotated
        service = Service(ok(body), ok(SUBSCRIBED, date=DATE))
        run(service.drs.subscription())
        assert service.config["lwa.refresh_token"] == SETTINGS["lwa.refresh_token"]
        assert service.config.store.writes == 0


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
        service.config.update({"lwa.refresh_token": "Atzr|typed"})
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


# -- over a sleep --------------------------------------------------------------------------------


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
