"""The shell round every operation of the service: body, faults, books, common headers."""

import json
from dataclasses import dataclass, field

from starlette.requests import ClientDisconnect, Request

from tools.drs_sim.answer import WireAnswer
from tools.drs_sim.clock import http_date
from tools.drs_sim.faulted import Faulted, answer_body
from tools.drs_sim.faults import acts
from tools.drs_sim.ids import random_uuid

_BODY_LIMIT = 64 * 1024
_HEADERS = ("Server", "Date", "X-Amz-Date", "X-Amzn-RequestId", "Content-Type")
_JSON = json.JSONEncoder(separators=(",", ":"))
_KNOWN = {name.lower(): name for name in _HEADERS}


@dataclass
class Answer:
    """What an operation answers: JSON or nothing, and what the books should know of it."""

    status: int = 200
    content: object = None
    headers: dict = field(default_factory=dict)
    serial: str | None = None
    detail_code: str | None = None
    reason: str | None = None  # of the status line, where it is not the usual one


class Refused(Exception):
    """The operation answers with an error and has changed nothing."""

    def __init__(self, status, content, headers=None, serial=None):
        super().__init__(content)
        self.answer = Answer(status, content, headers or {}, serial)


@dataclass
class Call:
    """One request, its body read, at one moment of the calendar."""

    scope: dict
    body: bytes
    now_ms: int
    result: str = ""  # the version of the answer that was asked for

    @property
    def request(self) -> Request:
        """The request as Starlette shows it; most acts do with less."""
        return Request(self.scope)

    @property
    def path_params(self) -> dict:
        """What stands in the path where the route has a name."""
        return self.scope["path_params"]

    def header(self, name: str) -> str | None:
        """Return the first header of a name, in small letters, or None."""
        wanted = name.encode()
        for key, value in self.scope["headers"]:
            if key == wanted:
                return value.decode("latin-1")
        return None

    def bearer(self) -> str:
        """Return the token of the Authorization header, or an empty string."""
        kind, _, token = (self.header("authorization") or "").partition(" ")
        return token.strip() if kind.lower() == "bearer" else ""


class Operation:
    """The endpoint (ASGI) for `act(sim, call) -> Answer`.

    The act and its line in the books are one transaction, so that a killed simulator never
    knows of the one without the other.
    """

    def __init__(self, sim, act):
        self._sim = sim
        self._act = act

    async def __call__(self, scope, receive, send):
        try:
            body = await _read(receive)
        except ClientDisconnect:
            return
        await self._answer(scope, body)(scope, receive, send)

    def _answer(self, scope, body):
        sim = self._sim
        with sim.step(keep_clock=False) as now_ms:  # its line in the books keeps the time
            fault = sim.faults.take(scope["path"])
            call = Call(scope, body or b"", now_ms)
            if not acts(fault):
                answer = _unacted(sim, call, fault)
            elif body is None:
                answer = Answer(413, {"message": "the request is too large"})
            else:
                answer = _attempt(sim, call, self._act)
            seq = _book(sim, call, answer, fault)
        response = _response(answer, now_ms)
        sim.wire.keep(seq, call, response)
        if fault is None:
            return response

        def on_answered():
            with sim.step():
                sim.books.answered(seq, response.status_code)

        return Faulted(fault, response, on_answered)


async def _read(receive):
    """Return the body, or None where it is longer than anything the service takes."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message["body"]
        more = message["more_body"]
        if len(body) > _BODY_LIMIT:
            return None
    return body


def _attempt(sim, call, act):
    try:
        return act(sim, call)
    except Refused as refused:
        return refused.answer


def _unacted(sim, call, fault):
    device = sim.accounts.device_of_access_token(call.bearer(), call.now_ms)
    serial = device["serial"] if device is not None else None
    if fault["action"] != "status":
        return Answer(serial=serial)
    body, kind = answer_body(fault["body"])
    headers = {"Content-Type": kind, **fault["headers"]}
    return Answer(fault["status"], body, headers, serial)


def _book(sim, call, answer, fault):
    scope = call.scope
    return sim.books.request(
        call.now_ms,
        scope["method"],
        scope["path"],
        answer.status if fault is None else None,
        answer.serial,
        answer.detail_code,
        fault and fault["action"],
    )


def _response(answer, now_ms):
    date = http_date(now_ms)
    headers = {
        "Server": "Server",
        "Date": date,
        "X-Amz-Date": date,
        "X-Amzn-RequestId": random_uuid(),
    }
    body = answer.content
    if body is None:
        body = b""
    elif not isinstance(body, bytes):
        headers["Content-Type"] = "application/json"
        body = _JSON.encode(body).encode()
    for name, value in answer.headers.items():
        known = name if name in headers else _KNOWN.get(name.lower(), name)
        headers.pop(known, None)
        if value is not None:
            headers[name] = value
    return WireAnswer(answer.status, headers, body, answer.reason)
