"""Login with Amazon: `/ap/oa`, where the customer lets a device order (section 2.1)."""

import json
import re
from dataclasses import dataclass
from html import escape
from urllib.parse import parse_qs, urlencode, urlsplit

from tools.drs_sim.lwa import VERIFIER
from tools.drs_sim.operation import Answer, Call, Refused

_SCOPE = "dash:replenish"
_NAME = re.compile(r"[A-Za-z0-9+_-]{1,64}")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_FLAGS = {True: True, False: False, "true": True, "false": False, None: False}
_HTML = {"Content-Type": "text/html; charset=utf-8"}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>
<style>:root{{color-scheme:light dark}}body{{font:1rem/1.5 system-ui,sans-serif;max-width:32rem;
margin:2rem auto;padding:0 1rem}}button{{font:inherit;padding:.4rem 1.2rem;margin-right:.5rem}}
</style></head><body><h1>{title}</h1>{body}</body></html>
"""


@dataclass
class _Ask:
    """A request that can be put to the customer."""

    client: object
    redirect_uri: str
    state: str | None
    serial: str
    test: bool
    challenge: str | None
    method: str | None


class _ToCaller(Exception):
    """The request is refused by a redirect."""


def authorise(sim, call: Call) -> Answer:
    """`GET /ap/oa`: the page that asks; `POST`: the customer's answer."""
    request = call.request
    fields = _single(request.scope["query_string"].decode("latin-1"))
    client = sim.accounts.client(fields.get("client_id", ""))
    if client is None:
        raise _page_error("Unknown client id", "There is no such client_id.")
    redirect_uri = fields.get("redirect_uri", "")
    if not _is_allowed(redirect_uri, sim.options["redirect_uris"]):
        text = "The redirect_uri is not one of the Allowed Return URLs."
        raise _page_error("Unknown return URL", text)
    try:
        ask = _check(sim, client, fields)
        if request.method == "POST":
            return _decide(sim, ask, parse_qs(call.body.decode("latin-1")), call.now_ms)
    except _ToCaller as problem:
        code, text = problem.args
        return _redirect(redirect_uri, fields.get("state"), error=code, error_description=text)
    return _question(ask)


def _check(sim, client, fields):
    if fields.get("response_type") != "code":
        raise _ToCaller("unsupported_response_type", "response_type must be code")
    if _SCOPE not in fields.get("scope", "").split():
        raise _ToCaller("invalid_scope", "An unknown scope was requested")
    serial, test = _device(client, fields.get("scope_data", ""), sim.options["model_live"])
    challenge = fields.get("code_challenge")
    method = fields.get("code_challenge_method", "plain") if challenge is not None else None
    if challenge is not None and not VERIFIER.fullmatch(challenge):
        raise _ToCaller("invalid_request", "code_challenge is malformed")
    if method not in (None, "plain", "S256"):
        raise _ToCaller("invalid_request", "code_challenge_method must be plain or S256")
    return _Ask(
        client, fields["redirect_uri"], fields.get("state"), serial, test, challenge, method
    )


def _device(client, scope_data, live):
    """Return the serial number and the test flag that `scope_data` names."""
    try:
        data = json.loads(scope_data)[_SCOPE]
        model, serial = data["device_model"], data["serial"]
        test = _FLAGS[data.get("is_test_device")]
        non_live = _FLAGS[data.get("should_include_non_live")]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _ToCaller("invalid_request", "scope_data is malformed") from error
    if not all(isinstance(name, str) and _NAME.fullmatch(name) for name in (model, serial)):
        text = "device_model and serial must be 1 to 64 characters of A-Z a-z 0-9 + _ -"
        raise _ToCaller("invalid_request", text)
    if model != client["model"]:
        raise _ToCaller("invalid_request", "device_model is not of this client")
    if live == "no" and not non_live:
        raise _ToCaller("invalid_request", "device_model is not live: should_include_non_live")
    return serial, test


def _question(ask):
    slots = "".join(
        f'<p><label><input type="checkbox" name="slot" value="{escape(slot)}" checked>'
        f" reorder for {escape(slot)}</label></p>"
        for slot in json.loads(ask.client["slots"])
    )
    kind = "test device" if ask.test else "device"
    body = (
        f"<p>The {kind} <b>{escape(ask.serial)}</b> of model <b>{escape(ask.client['model'])}</b>"
        f' wants to order for you.</p><form method="post">{slots}'
        '<button name="answer" value="allow">Allow</button>'
        '<button name="answer" value="deny">Deny</button></form>'
    )
    return Answer(200, _page("Amazon Dash Replenishment (simulated)", body), dict(_HTML))


def _decide(sim, ask, form, now_ms):
    if form.get("answer") != ["allow"]:
        raise _ToCaller("access_denied", "Access not permitted.")
    wanted = form.get("slot", [])
    slots = {slot: slot in wanted for slot in json.loads(ask.client["slots"])}
    sim.accounts.link(ask.client, ask.serial, slots, ask.test, now_ms)
    code = sim.accounts.issue_code(
        ask.client["client_id"],
        ask.serial,
        ask.redirect_uri,
        ask.challenge,
        ask.method,
        now_ms,
    )
    return _redirect(ask.redirect_uri, ask.state, code=code, scope=_SCOPE)


def _redirect(uri, state, **fields):
    if state is not None:
        fields["state"] = state
    joint = "&" if urlsplit(uri).query else "?"
    query = urlencode(fields, safe=":")
    return Answer(302, b"", {"Location": f"{uri}{joint}{query}", "Cache-Control": "no-store"})


def _is_allowed(uri, allowed):
    if allowed != "loopback":
        return uri in allowed.split(",")
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    plain = uri.isascii() and uri.isprintable() and " " not in uri and not parts.fragment
    return plain and parts.scheme in ("http", "https") and parts.hostname in _LOOPBACK


def _single(query):
    return {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}


def _page(title, body):
    return _PAGE.format(title=escape(title), body=body).encode()


def _page_error(title, text):
    return Refused(400, _page(title, f"<p>{escape(text)}</p>"), dict(_HTML))
