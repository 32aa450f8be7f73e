"""Login with Amazon: the token endpoint (sections 2.2 to 2.4 of the protocol page)."""

import base64
import hashlib
import re
import secrets
from urllib.parse import unquote_plus

from tools.drs_sim.ids import random_uuid
from tools.drs_sim.operation import Answer, Call, Refused

_ERROR_TYPE = "OA2InvalidRequestException:http://internal.amazon.com/coral/com.amazon.panda/"
_FORM = "application/x-www-form-urlencoded"
VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def token(sim, call: Call) -> Answer:
    """`POST /auth/o2/token`: a code or a refresh token becomes an access token."""
    form = form_of(call)
    grant = _need(form, "grant_type")
    if grant == "refresh_token":
        device, refresh_token = _refresh(sim, form)
    elif grant == "authorization_code":
        device, refresh_token = _exchange(sim, form, call.now_ms)
    else:
        raise error(
            "unsupported_grant_type",
            "The authorization grant type is not supported by the authorization server",
        )
    content = {
        "access_token": sim.accounts.issue_access_token(device, call.now_ms),
        "refresh_token": refresh_token,
        "token_type": "bearer",
        "expires_in": sim.options["access_token_s"],
    }
    return Answer(200, content, dict(_NO_STORE), device["serial"])


def _refresh(sim, form):
    presented = _need(form, "refresh_token")
    client = _client(sim, form)
    device = sim.accounts.device_of_refresh_token(presented)
    known = device is not None and device["client_id"] == client["client_id"]
    # A token that nobody has any more is a bad grant to a public client, too.
    public = not known or device["public"]
    allowed = sim.options["refresh_without_secret"] == "allowed" and public
    if "client_secret" not in form and not allowed:
        raise _no_client(sim)
    if not known:
        raise _bad_grant(sim, "refresh_token")
    rotation = sim.options["rotation"]
    if rotation == "no":
        return device, presented
    kept = presented if rotation == "old-stays" else None
    public = bool(device["public"])
    return device, sim.accounts.issue_refresh_token(device["serial"], public, kept)


def _exchange(sim, form, now_ms):
    code = _need(form, "code")
    redirect_uri = _need(form, "redirect_uri")
    client = _client(sim, form)
    if "client_secret" not in form and "code_verifier" not in form:
        raise _no_client(sim)
    kept = sim.accounts.code(code, now_ms)
    if kept is None or kept["client_id"] != client["client_id"]:
        raise _bad_grant(sim, "code")
    if kept["redirect_uri"] != redirect_uri:
        raise _bad_grant(sim, "redirect_uri")
    verifier = form.get("code_verifier")
    if verifier is not None and not VERIFIER.fullmatch(verifier):
        raise error("invalid_request", "The request has an invalid parameter : code_verifier")
    if not _is_proved(kept, verifier):
        raise _bad_grant(sim, "code_verifier")
    sim.accounts.use_code(code)
    public = "client_secret" not in form
    token = sim.accounts.issue_refresh_token(kept["serial"], public)
    return sim.accounts.device(kept["serial"]), token


def _is_proved(kept, verifier):
    """Say whether a verifier fits the challenge; where none was given, none may come."""
    if kept["challenge"] is None or verifier is None:
        return kept["challenge"] is verifier
    if kept["method"] == "S256":
        digest = hashlib.sha256(verifier.encode()).digest()
        verifier = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return secrets.compare_digest(verifier, kept["challenge"])


def _client(sim, form):
    """Return the client; a secret need not come, but must not be wrong."""
    client = sim.accounts.client(_need(form, "client_id"))
    if client is None or form.get("client_secret", client["secret"]) != client["secret"]:
        raise _no_client(sim)
    return client


def form_of(call: Call) -> dict:
    """Return the fields of a form. Raises Refused where it cannot be read."""
    kind = (call.header("content-type") or "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise error("invalid_request", f"The request must be of type {_FORM}")
    try:
        pairs = [pair.partition("=") for pair in call.body.decode().split("&") if pair]
        fields = {_plain(name): _plain(value) for name, _, value in pairs}
    except ValueError as problem:  # UnicodeDecodeError is one
        raise error("invalid_request", "The request body cannot be read") from problem
    if len(fields) < len(pairs):
        raise error("invalid_request", "The request has a repeated parameter")
    return fields


def _plain(text):
    return unquote_plus(text, errors="strict") if "%" in text or "+" in text else text


def _need(form, name):
    value = form.get(name)
    if not value:
        raise error("invalid_request", f"The request is missing a required parameter : {name}")
    return value


def error(code: str, description: str, status: int = 400, dated: bool = True) -> Refused:
    """Return an error of the token endpoint; an old one has no `request_id`."""
    content = {"error_description": description, "error": code}
    if dated:
        content["request_id"] = random_uuid()
    return Refused(status, content, {"X-Amzn-ErrorType": _ERROR_TYPE, **_NO_STORE})


def _bad_grant(sim, parameter):
    text = f"The request has an invalid grant parameter : {parameter}"
    new = sim.options["token_errors"] == "new"
    if new:
        text += ". User may have revoked or didn't grant the permission."
    return error("invalid_grant", text, dated=new)


def _no_client(sim):
    status = int(sim.options["invalid_client_status"])
    new = sim.options["token_errors"] == "new"
    return error("invalid_client", "Client authentication failed", status, dated=new)
