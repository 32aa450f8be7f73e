"""Answers that go wrong as a fault of the script says (the table is in `faults`)."""

import asyncio
import json

from tools.drs_sim.answer import WireAnswer
from tools.drs_sim.front import EXTENSION

_GARBAGE = b"\x00\xff\x16\x03\x01lowtide is not at home\xfe\x80\r\n\r\n"


class Faulted:
    """An answer (ASGI) that goes wrong as its fault says, or a late or slow one that does not.

    `on_answered` is called once the whole answer was given to the connection.
    """

    def __init__(self, fault: dict, response: WireAnswer, on_answered):
        self._fault = fault
        self._response = response
        self._on_answered = on_answered

    async def __call__(self, scope, receive, send):
        front = scope["extensions"][EXTENSION]
        fault, answer = self._fault, self._response
        match fault["action"]:
            case "status" | "delay":
                await self._send_late(fault.get("seconds", 0), front, scope, receive, send)
            case "oversize-head":
                answer.headers["X-Padding"] = "x" * fault["bytes"]
                await self._send_late(0, front, scope, receive, send)
            case "oversize-body":
                answer.refill(answer.body.ljust(fault["bytes"]))
                await self._send_late(0, front, scope, receive, send)
            case "chunked":
                await self._send_chunks(send)
            case "slow":
                await self._send_slowly(front, scope["method"])
            case "close-during":
                head, body = answer.head(close=True), answer.body
                front.write(head + body[: len(body) // 2] if body else head[: len(head) // 2])
                front.drop()
            case "garbage":
                front.write(_GARBAGE)
                front.drop()
            case _:
                front.drop()

    async def _send_late(self, seconds, front, scope, receive, send):
        if seconds and await _leaves_within(seconds, receive):
            return
        if not front.gone:
            await self._response(scope, receive, send)
            self._on_answered()

    async def _send_chunks(self, send):
        size, answer = self._fault["bytes"], self._response
        answer.unmeasure()
        start = {"type": "http.response.start", "status": answer.status_code}
        await send({**start, "headers": answer.raw_headers})
        for at in range(0, len(answer.body), size):
            piece = answer.body[at : at + size]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        self._on_answered()

    async def _send_slowly(self, front, method):
        # With a request behind this one already, its cycle is out of reach: then it is the last.
        cycle = front.cycle if front.is_free and front.cycle.keep_alive else None
        head = self._response.head(close=cycle is None)
        for byte in head if method == "HEAD" else head + self._response.body:
            await asyncio.sleep(self._fault["seconds"])
            if front.gone:
                return
            front.write(bytes((byte,)))
        self._on_answered()
        if cycle is None:
            front.drop()
        else:
            front.finish(cycle)


async def _leaves_within(seconds, receive):
    """Wait; return early, and True, once the client has closed the connection."""
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return False
    return True


def answer_body(body) -> tuple[bytes, str]:
    """Return the bytes and the content type of a scripted body."""
    if isinstance(body, str):
        return body.encode(), "text/plain; charset=utf-8"
    return (b"" if body is None else json.dumps(body).encode()), "application/json"
