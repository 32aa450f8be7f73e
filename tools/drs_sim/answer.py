"""Answers as they go over the wire: header names in their own spelling, one write for all."""

from http import HTTPStatus

from tools.drs_sim.front import EXTENSION

_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class WireAnswer:
    """A whole HTTP answer; ASGI."""

    def __init__(self, status: int, headers: dict, body: bytes, reason: str | None = None):
        self.status_code = status
        self.body = body
        self.headers = headers
        if status not in (204, 304):
            headers["Content-Length"] = str(len(body))
        self._reason = _PHRASES.get(status, "") if reason is None else reason

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers as ASGI has them."""
        items = self.headers.items()
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in items]

    def head(self, close: bool = False) -> bytes:
        """Return status line and headers, with the empty line."""
        lines = [f"HTTP/1.1 {self.status_code} {self._reason}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if close:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def refill(self, body: bytes) -> None:
        """Put another body in place of the one it has."""
        self.unmeasure()
        self.body = body
        self.headers["Content-Length"] = str(len(body))

    def unmeasure(self) -> None:
        """Leave the length out: what follows is in chunks."""
        self.headers.pop("Content-Length", None)

    async def __call__(self, scope, receive, send):
        front = scope["extensions"][EXTENSION]
        if scope["method"] != "HEAD" and front.is_free:
            front.answer(self.head(close=not front.cycle.keep_alive) + self.body)
            return
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body})
