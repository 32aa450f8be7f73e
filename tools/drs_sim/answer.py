"""Answers as they go over the wire: header names in their own spelling, one write for all."""

from http import HTTPStatus

from tools.drs_sim.front import EXTENSION

_PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus}


class WireAnswer:
    """A whole HTTP answer; ASGI."""

    def __init__(self, status: int, headers: dict, body: bytes, reason: bytes | None = None):
        self.status_code = status
        self.body = body
        self.raw_headers = [
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()
        ]
        if status not in (204, 304):
            self.raw_headers.append((b"Content-Length", b"%d" % len(body)))
        self._reason = _PHRASES.get(status, b"") if reason is None else reason

    def head(self, close: bool = False) -> bytes:
        """Return status line and headers, with the empty line."""
        lines = [b"HTTP/1.1 %d %b" % (self.status_code, self._reason)]
        lines += [b"%b: %b" % header for header in self.raw_headers]
        if close:
            lines.append(b"Connection: close")
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def refill(self, body: bytes) -> None:
        """Put another body in place of the one it has."""
        self.unmeasure()
        self.body = body
        self.raw_headers.append((b"Content-Length", b"%d" % len(body)))

    def unmeasure(self) -> None:
        """Leave the length out: what follows is in chunks."""
        self.raw_headers = [item for item in self.raw_headers if item[0] != b"Content-Length"]

    async def __call__(self, scope, receive, send):
        front = scope["extensions"][EXTENSION]
        if scope["method"] != "HEAD" and front.is_free:
            front.answer(self.head(close=not front.cycle.keep_alive) + self.body)
            return
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body})
