"""The fault script: which requests go wrong, and how.

| action | acts | what the client sees |
|---|---|---|
| `status` | no | the scripted `status`, `body`, `headers` (a null header is left out) |
| `delay` | yes, at once | the answer, `seconds` later |
| `close-before` | no | the connection closes without a byte |
| `close-after` | yes | the connection closes without a byte |
| `close-during` | yes | the head and half of the body, then the connection closes |
| `garbage` | yes | bytes that are not HTTP, then the connection closes |
| `slow` | yes | the answer, `seconds` before each byte, then the connection closes |

Seconds are real ones. A fault's `path` is the beginning of a request's; the first that matches
is used up. Both spellings of the token path are one.
"""

import asyncio
import json
import re

from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from tools.drs_sim.front import EXTENSION
from tools.drs_sim.inputs import BadInput, Fields

_UNACTED = ("status", "close-before")
_ACTIONS = (*_UNACTED, "delay", "close-after", "close-during", "garbage", "slow")
_TIMED = ("delay", "slow")
_GARBAGE = b"\x00\xff\x16\x03\x01lowtide is not at home\xfe\x80\r\n\r\n"
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\x20-\x7e]*")
_FRAMING = ("content-length", "transfer-encoding", "connection")


class Script:
    """The faults that are left, kept in the state file like everything else."""

    def __init__(self, store):
        self._store = store
        self.left = store.get_meta("faults", [])

    def replace(self, value) -> None:
        """Take a new script. Raises BadInput, and then keeps the old one."""
        if not isinstance(value, list):
            raise BadInput("body: must be a list of faults")
        self.left = [_parse(entry, number) for number, entry in enumerate(value)]
        self._save()

    def take(self, path: str) -> dict | None:
        """Use up the first fault for a path; None when there is none."""
        if not self.left:
            return None
        path = _one_spelling(path)
        for index, fault in enumerate(self.left):
            if path.startswith(_one_spelling(fault["path"])):
                rest = [{**fault, "times": fault["times"] - 1}] if fault["times"] > 1 else []
                self.left = self.left[:index] + rest + self.left[index + 1 :]
                self._save()
                return fault
        return None

    def _save(self):
        self._store.set_meta("faults", self.left)


def acts(fault: dict | None) -> bool:
    """Say whether the service does its part in spite of the fault."""
    return fault is None or fault["action"] not in _UNACTED


class Faulted:
    """An answer (ASGI) that goes wrong as its fault says, or a late or slow one that does not.

    `on_answered` is called once the whole answer was given to the connection.
    """

    def __init__(self, fault: dict, response: Response, on_answered):
        self._fault = fault
        self._response = response
        self._on_answered = on_answered

    async def __call__(self, scope, receive, send):
        front = scope["extensions"][EXTENSION]
        match self._fault["action"]:
            case "status":
                await self._send_late(0, front, scope, receive, send)
            case "delay":
                await self._send_late(self._fault["seconds"], front, scope, receive, send)
            case "slow":
                await self._send_slowly(front)
            case "close-during":
                head, body = _raw(self._response)
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

    async def _send_slowly(self, front):
        for byte in b"".join(_raw(self._response)):
            await asyncio.sleep(self._fault["seconds"])
            if front.gone:
                return
            front.write(bytes((byte,)))
        self._on_answered()
        front.drop()


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


def _parse(entry, number):
    fields = Fields(entry, f"[{number}].")
    path = fields.text("path")
    if not path.startswith("/"):
        raise fields.error("path", "must begin with /")
    fault = {
        "path": path,
        "times": fields.number("times", 1, low=1, whole=True),
        "action": fields.text("action", choices=_ACTIONS),
    }
    if fault["action"] in _TIMED:
        fault["seconds"] = fields.number("seconds", high=86_400)
    if fault["action"] == "status":
        fault["status"] = fields.number("status", low=200, high=599, whole=True)
        fault["body"] = fields.any("body", None)
        fault["headers"] = _parse_headers(fields)
        if fault["status"] in (204, 304) and fault["body"] is not None:
            raise fields.error("body", f"a {fault['status']} has none")
    fields.done()
    return fault


def _parse_headers(fields):
    headers = fields.any("headers", {})
    if not isinstance(headers, dict):
        raise fields.error("headers", "must be a JSON object")
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or name.lower() in _FRAMING:
            raise fields.error(f"headers.{name}", "cannot be set")
        if value is not None and not (isinstance(value, str) and _VALUE.fullmatch(value)):
            raise fields.error(f"headers.{name}", "must be a line of ASCII text or null")
    return headers


def _one_spelling(path):
    return path.replace("/auth/O2/", "/auth/o2/", 1)


def _raw(response):
    """Return head and body as the wire carries them before a close."""
    lines = [name + b": " + value for name, value in response.raw_headers]
    head = STATUS_LINE[response.status_code] + b"\r\n".join(lines)
    return head + b"\r\nconnection: close\r\n\r\n", response.body
