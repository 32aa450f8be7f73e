"""Login with Amazon: the token endpoint (refresh; section 2 of the protocol page)."""

import uuid
from urllib.parse import parse_qs

from tools.drs_sim.accounts import ACCESS_TOKEN_LIFE_S
from tools.drs_sim.operation import Answer, Call, Refused

_ERROR_TYPE = "OA2InvalidRequestException:http://internal.amazon.com/coral/com.amazon.panda/"
_FORM = "application/x-www-form-urlencoded"
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def token(sim, call: Call) -> Answer:
    """`POST /auth/o2/token` with `grant_type=refresh_token`; the refresh token stays the same."""
    form = _form(call)
    grant = _need(form, "grant_type")
    if grant != "refresh_token":
        raise _error(
            "unsupported_grant_type",
            "The authorization grant type is not supported by the authorization server",
        )
    presented = _need(form, "refresh_token")
    client_id = _need(form, "client_id")
    client = sim.accounts.client(client_id)
    if client is None or form.get("client_secret") != client["secret"]:
        raise _error("invalid_client", "Client authentication failed", status=401)
    device = sim.accounts.device_of_refresh_token(presented)
    if device is None or device["client_id"] != client_id:
        raise _error("invalid_grant", "The request has an invalid grant parameter : refresh_token")
    content = {
        "access_token": sim.accounts.issue_access_token(device["serial"], call.now_ms),
        "refresh_token": presented,
        "token_type": "bearer",
        "expires_in": ACCESS_TOKEN_LIFE_S,
    }
    return Answer(200, content, _NO_STORE, device["serial"])


def _form(call):
    kind = call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise _error("invalid_request", f"The request must be of type {_FORM}")
    try:
        fields = parse_qs(call.body.decode(), keep_blank_values=True, max_num_fields=32)
    except ValueError as error:  # UnicodeDecodeError is one
        raise _error("invalid_request", "The request body cannot be read") from error
    for name, values in fields.items():
        if len(values) > 1:
            raise _error("invalid_request", f"The request has a repeated parameter : {name}")
    return {name: values[0] for name, values in fields.items()}


def _need(form, name):
    value = form.get(name)
    if not value:
        raise _error("invalid_request", f"The request is missing a required parameter : {name}")
    return value


def _error(code, description, status=400):
    content = {
        "error_description": description,
        "error": code,
        "request_id": str(uuid.uuid4()),
    }
    return Refused(status, content, {"X-Amzn-ErrorType": _ERROR_TYPE, **_NO_STORE})
