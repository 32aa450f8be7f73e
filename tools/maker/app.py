"""The endpoint: SNS posts to `/`, the device cloud to `/placed`, people look at `/`."""

import json

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tools.maker import envelope, payload, report
from tools.maker.certificates import Unreachable, Visitor
from tools.maker.envelope import Forged, Malformed
from tools.maker.ledger import Ledger

_LIMIT = 512 * 1024  # SNS carries 256 KiB of message, more with JSON's escapes
_CSP = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def create_app(ledger: Ledger, visitor: Visitor, topic: str | None) -> Starlette:
    """Return the application. Without a topic, the first one confirmed is the topic for good."""
    receiver = Receiver(ledger, visitor, topic)
    return Starlette(
        routes=[
            Route("/", receiver.message, methods=["POST"]),
            Route("/", receiver.overview),
            Route("/placed", receiver.placed, methods=["POST"]),
        ]
    )


class Receiver:
    """The handlers."""

    def __init__(self, ledger, visitor, topic):
        self._ledger = ledger
        self._visitor = visitor
        self._topic = topic

    async def message(self, request):
        """`POST /`: 2xx means never again, 4xx refused for good, 503 try again."""
        try:
            found = envelope.parse(await _body(request))
            outcome = await self._take(found)
        except Malformed as error:
            return self._refuse("malformed", 400, error)
        except WrongTopic as error:
            return self._refuse("wrong_topic", 403, error)
        except Forged as error:
            return self._refuse("forged", 403, error)
        except Unreachable as error:
            return self._refuse("unverifiable", 503, error)
        return JSONResponse({"outcome": outcome})

    async def placed(self, request):
        """`POST /placed`: the device cloud tells of an order that its device placed."""
        try:
            told = json.loads(await _body(request))
            names = ("serial", "slot", "instanceId")
            serial, slot, order_id = (_text(told, name) for name in names)
            time_ms = _time_ms(told.get("time"))
        except Malformed as error:
            return JSONResponse({"error": str(error)}, 400)
        except (ValueError, RecursionError, AttributeError, TypeError):
            return JSONResponse({"error": "body: must be a JSON object"}, 400)
        return JSONResponse({"new": self._ledger.place(order_id, serial, slot, time_ms)})

    async def overview(self, request):
        """`GET /`: a page where HTML is asked for, else JSON."""
        if "text/html" in request.headers.get("accept", ""):
            return Response(
                report.page(self._ledger),
                headers={"Content-Security-Policy": _CSP, "Cache-Control": "no-store"},
                media_type="text/html",
            )
        return JSONResponse(report.overview(self._ledger))

    async def _take(self, found):
        wanted = self._topic or self._ledger.topic
        if wanted is None and found.Type != envelope.CONFIRM:
            raise WrongTopic("no topic is confirmed yet")
        if wanted not in (None, found.TopicArn):
            raise WrongTopic(f"not the topic {wanted}")
        key = await self._visitor.public_key(found.SigningCertURL, found.Timestamp)
        found.check_signature(key)
        if found.Type == envelope.CONFIRM:
            return await self._confirm(found)
        if found.Type == envelope.UNSUBSCRIBED:
            new = self._ledger.first_time(found.MessageId, "unsubscribed")
            return "unsubscribed" if new else "duplicate"
        try:
            told = payload.parse(found.Message)
        except payload.Unknown:
            new = self._ledger.first_time(found.MessageId, "unknown")
            return "unknown" if new else "duplicate"
        return self._ledger.accept(found.MessageId, told)

    async def _confirm(self, found):
        if self._ledger.has(found.MessageId):  # a replay must not confirm anything again
            self._ledger.count("duplicate")
            return "duplicate"
        await self._visitor.confirm(found.SubscribeURL, found.TopicArn)
        self._ledger.first_time(found.MessageId, "confirmed")
        self._ledger.pin_topic(found.TopicArn)
        return "confirmed"

    def _refuse(self, counter, status, error):
        self._ledger.count(counter)
        return JSONResponse({"error": str(error)}, status)


class WrongTopic(Exception):
    """A message of a topic that is not ours."""


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LIMIT:
            raise Malformed("the request is too large")
    return bytes(body)


def _text(told, name):
    value = told.get(name)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise Malformed(f"{name}: must be text")
    return value


def _time_ms(value):
    """Take Unix seconds, as the device keeps them, or ISO 8601."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**10:
        return value * 1000
    try:
        return payload.time_ms(value)
    except payload.Unknown as error:
        raise Malformed("time: must be Unix seconds or ISO 8601") from error
