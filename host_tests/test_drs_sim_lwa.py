"""Login with Amazon: the customer's consent, codes, and what becomes of tokens."""

import base64
import hashlib
import json
import re
import secrets
from urllib.parse import parse_qs, urlsplit

import pytest

RETURN = "http://127.0.0.1:9/done"
VERIFIER = secrets.token_urlsafe(48)
S256 = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture(autouse=True)
def defaults(sim):
    kept = sim.control.get("/options").json()
    yield
    sim.set_options(**kept)


@pytest.fixture(scope="module")
def client(sim):
    return sim.post("/clients", model="feeder-2", slots=["slot1", "slot2"])


def request(client, serial="unit-1", scope_data=None, **changes):
    """Return the query of an authorisation request; None takes a field out."""
    device = {"device_model": "feeder-2", "serial": serial, **(scope_data or {})}
    query = {
        "client_id": client["client_id"],
        "scope": "dash:replenish",
        "scope_data": json.dumps({"dash:replenish": device}),
        "response_type": "code",
        "redirect_uri": RETURN,
    }
    return {name: value for name, value in (query | changes).items() if value is not None}


def answer_of(response):
    """Return the fields of the redirect that an answer is."""
    assert response.status_code == 302
    target = response.headers["location"]
    assert target.startswith(RETURN + "?")
    return {name: value for name, [value] in parse_qs(urlsplit(target).query).items()}


def consent(sim, query, slots=("slot1", "slot2"), answer="allow"):
    form = {"answer": answer, "slot": list(slots)}
    return answer_of(sim.drs.post("/ap/oa", params=query, data=form))


def exchange(sim, client, code, **changes):
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": client["client_id"],
        "client_secret": client["client_secret"],
        "redirect_uri": RETURN,
    }
    form = {name: value for name, value in (form | changes).items() if value is not None}
    return sim.drs.post("/auth/o2/token", data=form)


def refresh(sim, client, token, **changes):
    form = {"grant_type": "refresh_token", "refresh_token": token, **client, **changes}
    del form["model"], form["slots"]
    form = {name: value for name, value in form.items() if value is not None}
    return sim.drs.post("/auth/o2/token", data=form)


def link(sim, client, serial, **changes):
    """Return the tokens of a new device that came with a secret."""
    code = consent(sim, request(client, serial))["code"]
    return exchange(sim, client, code, **changes).raise_for_status().json()


# The page that asks.


def test_the_page_asks_in_plain_words(sim, client):
    page = sim.drs.get("/ap/oa", params=request(client, "unit-page"))
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for part in ("unit-page", "feeder-2", 'value="slot1"', 'value="allow"', 'value="deny"'):
        assert part in page.text
    assert not any(row["serial"] == "unit-page" for row in sim.state()["devices"])


def test_allow_registers_and_answers_a_code(sim, client):
    query = request(client, "unit-allow", state="a b&c")
    found = consent(sim, query, slots=["slot2"])
    assert set(found) == {"code", "scope", "state"}
    assert re.fullmatch(r"[A-Za-z]{20}", found["code"])
    assert (found["scope"], found["state"]) == ("dash:replenish", "a b&c")
    state = sim.state()
    mine = [row["type"] for row in state["notifications"] if row["serial"] == "unit-allow"]
    assert mine == ["DeviceRegisteredNotification", "SubscriptionChangedNotification"]
    slots = {
        row["slot"]: row["subscribed"] for row in state["slots"] if row["serial"] == "unit-allow"
    }
    assert slots == {"slot1": False, "slot2": True}


def test_deny_registers_nothing(sim, client):
    found = consent(sim, request(client, "unit-deny", state="s"), answer="deny")
    assert found.pop("error_description")
    assert found == {"error": "access_denied", "state": "s"}
    assert not any(row["serial"] == "unit-deny" for row in sim.state()["devices"])


@pytest.mark.parametrize(
    "flag, test", [(True, True), (False, False), ("true", True), ("false", False), (None, False)]
)
def test_the_test_flag_is_a_boolean_or_a_string(sim, client, flag, test):
    data = {} if flag is None else {"is_test_device": flag}
    serial = f"unit-flag-{flag!r}".replace("'", "")
    consent(sim, request(client, serial, data))
    [device] = [row for row in sim.state()["devices"] if row["serial"] == serial]
    assert device["test"] is test


@pytest.mark.parametrize(
    "changes, error",
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"scope_data": None}, "invalid_request"),
        ({"scope_data": "{"}, "invalid_request"),
        ({"scope_data": "[]"}, "invalid_request"),
        (
            {"scope_data": '{"dash:replenish":{"device_model":"other","serial":"a"}}'},
            "invalid_request",
        ),
        ({"serial": "x" * 65}, "invalid_request"),
        ({"serial": "no space"}, "invalid_request"),
        ({"serial": ["a"]}, "invalid_request"),
        ({"is_test_device": "yes"}, "invalid_request"),
        ({"is_test_device": []}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": S256, "code_challenge_method": "S512"}, "invalid_request"),
    ],
)
def test_bad_requests_go_back_to_the_caller(sim, client, changes, error):
    data = {name: changes[name] for name in ("serial", "is_test_device") if name in changes}
    query = request(client, scope_data=data, state="s")
    query |= {name: value for name, value in changes.items() if name not in data}
    query = {name: value for name, value in query.items() if value is not None}
    found = answer_of(sim.drs.get("/ap/oa", params=query))
    assert (found["error"], found["state"]) == (error, "s") and found["error_description"]
    if error == "invalid_scope":
        assert found["error_description"] == "An unknown scope was requested"


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "nobody"},
        {"redirect_uri": None},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": "http://127.0.0.1.evil.example/"},
        {"redirect_uri": "javascript:alert(1)//127.0.0.1"},
        {"redirect_uri": "http://[::1/"},
        {"redirect_uri": "http://127.0.0.1/\r\nX: y"},
    ],
)
def test_an_unknown_caller_is_never_redirected_to(sim, client, changes):
    for method in ("GET", "POST"):
        page = sim.drs.request(method, "/ap/oa", params=request(client, **changes))
        assert page.status_code == 400 and "location" not in page.headers


def test_return_urls_and_the_live_model_are_options(sim, client):
    allowed = "https://maker.example/back,amzn-app://done"
    sim.set_options(redirect_uris=allowed, model_live="no")
    assert sim.drs.get("/ap/oa", params=request(client)).status_code == 400
    for uri in allowed.split(","):
        query = request(client, redirect_uri=uri)
        page = sim.drs.get("/ap/oa", params=query)
        assert page.status_code == 302 and "invalid_request" in page.headers["location"]
        query = request(
            client, None, {"serial": "u", "should_include_non_live": True}, redirect_uri=uri
        )
        assert sim.drs.get("/ap/oa", params=query).status_code == 200


def test_what_a_request_says_is_text_on_the_page(sim):
    odd = sim.post("/clients", model="odd", slots=['"><script>'])
    data = json.dumps({"dash:replenish": {"device_model": "odd", "serial": "u"}})
    page = sim.drs.get("/ap/oa", params={**request(odd), "scope_data": data})
    assert page.status_code == 200 and "<script>" not in page.text


# Codes.


def test_code_with_secret(sim, client):
    tokens = link(sim, client, "unit-web")
    assert list(tokens) == ["access_token", "refresh_token", "token_type", "expires_in"]
    assert tokens["access_token"].startswith("Atza|") and len(tokens["access_token"]) >= 350
    assert tokens["refresh_token"].startswith("Atzr|")
    assert max(len(tokens[name]) for name in ("access_token", "refresh_token")) <= 2048
    again = refresh(sim, client, tokens["refresh_token"]).json()
    assert again["refresh_token"] == tokens["refresh_token"]
    without = refresh(sim, client, tokens["refresh_token"], client_secret=None)
    assert (without.status_code, without.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    "method, challenge",
    [("S256", S256), ("plain", VERIFIER), (None, VERIFIER)],
    ids=["S256", "plain", "no-method"],  # the verifier is another one in each process
)
def test_code_with_pkce_needs_no_secret(sim, client, method, challenge):
    query = request(
        client, f"unit-{method}", code_challenge=challenge, code_challenge_method=method
    )
    code = consent(sim, query)["code"]
    wrong = exchange(sim, client, code, client_secret=None, code_verifier="x" * 43)
    assert wrong.json()["error"] == "invalid_grant"
    answer = exchange(sim, client, code, client_secret=None, code_verifier=VERIFIER)
    tokens = answer.raise_for_status().json()
    assert refresh(sim, client, tokens["refresh_token"], client_secret=None).status_code == 200
    sim.set_options(refresh_without_secret="refused")
    refused = refresh(sim, client, tokens["refresh_token"], client_secret=None)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert refresh(sim, client, tokens["refresh_token"]).status_code == 200


def test_code_serves_once_and_five_minutes(sim, client):
    codes = [consent(sim, request(client, f"unit-code-{n}"))["code"] for n in range(3)]
    assert exchange(sim, client, codes[0]).status_code == 200
    used = exchange(sim, client, codes[0])
    assert (used.status_code, used.json()["error"]) == (400, "invalid_grant")
    assert used.json()["error_description"].startswith(
        "The request has an invalid grant parameter : code"
    )
    sim.post("/clock/advance", seconds=290)
    assert exchange(sim, client, codes[1]).status_code == 200
    sim.post("/clock/advance", seconds=10)
    assert exchange(sim, client, codes[2]).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "changes, error",
    [
        ({"code": None}, "invalid_request"),
        ({"code": "x"}, "invalid_grant"),
        ({"client_id": None}, "invalid_request"),
        ({"client_id": "nobody"}, "invalid_client"),
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_secret": None}, "invalid_client"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"redirect_uri": RETURN + "/other"}, "invalid_grant"),
        ({"code_verifier": VERIFIER}, "invalid_grant"),
        ({"code_verifier": "short"}, "invalid_request"),
        ({"client_secret": None, "code_verifier": VERIFIER}, "invalid_grant"),
    ],
)
def test_bad_exchange_leaves_the_code_alone(sim, client, changes, error):
    code = consent(sim, request(client, "unit-bad"))["code"]
    answer = exchange(sim, client, **({"code": code} | changes))
    assert answer.json()["error"] == error
    assert answer.status_code == (401 if error == "invalid_client" else 400)
    assert exchange(sim, client, code).status_code == 200


def test_another_client_cannot_use_a_code_or_a_token(sim, client):
    other = sim.post("/clients", model="feeder-3", slots=["a"])
    code = consent(sim, request(client, "unit-mine"))["code"]
    assert exchange(sim, other, code).json()["error"] == "invalid_grant"
    token = exchange(sim, client, code).json()["refresh_token"]
    assert refresh(sim, other, token).json()["error"] == "invalid_grant"


def test_deregistration_voids_codes_too(sim, client):
    code = consent(sim, request(client, "unit-gone"))["code"]
    sim.post("/devices/unit-gone/revoke")
    assert exchange(sim, client, code).json()["error"] == "invalid_grant"


# Refreshing.


def test_rotation_voids_the_old_token_or_keeps_it(sim, client):
    first = link(sim, client, "unit-rotate")["refresh_token"]
    sim.set_options(rotation="yes")
    second = refresh(sim, client, first).json()["refresh_token"]
    assert second != first
    assert refresh(sim, client, first).json()["error"] == "invalid_grant"
    sim.set_options(rotation="old-stays")
    third = refresh(sim, client, second).json()["refresh_token"]
    assert refresh(sim, client, second).status_code == 200
    sim.set_options(rotation="no")
    assert refresh(sim, client, second).json()["refresh_token"] == second
    assert third not in (first, second)


def test_redirect_uri_is_welcome_in_a_refresh(sim, client):
    token = link(sim, client, "unit-uri")["refresh_token"]
    assert refresh(sim, client, token, redirect_uri=RETURN).status_code == 200


def test_token_lifetime_is_an_option(sim, client):
    token = link(sim, client, "unit-life")["refresh_token"]
    sim.set_options(access_token_s=60)
    assert refresh(sim, client, token).json()["expires_in"] == 60


def test_token_errors_old_and_new(sim, client):
    new = refresh(sim, client, "Atzr|x")
    assert new.json()["error_description"].endswith("didn't grant the permission.")
    assert "request_id" in new.json()
    sim.set_options(token_errors="old", invalid_client_status="400")
    old = refresh(sim, client, "Atzr|x").json()
    assert list(old) == ["error_description", "error"]
    text = "The request has an invalid grant parameter : refresh_token"
    assert old["error_description"] == text
    assert refresh(sim, client, "x", client_secret="no").status_code == 400
