"""HTTPS, one connection at a time: verified, bounded in time and bytes, keep-alive, no redirects.

There is no way to build a connection here that does not check the certificate and the name.
Answers are read strictly (RFC 9112): one whose end or meaning is in doubt is no answer.
"""

import asyncio
import gc
import os
import ssl

from micropython import const

from lowtide import Fault, Insecure, Rejected

_PIECE = const(512)
# Of one answer, all of it; the longest that is due, two tokens, has 4.5 KB.
_MAX = const(8192)
_MAX_FIELDS = const(40)
# What is kept of a line until its end comes: nothing longer is of use here (RFC 9110, 5.4).
_MAX_LINE = const(512)
# mbedTLS's own codes lie below this; above it are errno and, on the ESP32, DNS's -202. Of those,
# a line that broke and the peer's goodbye; every other one is a refusal.
_MBEDTLS = const(-0x1000)
_CONN_EOF = const(-0x7280)
_GOODBYE = const(-0x7880)


def load_roots(folder):
    """Return a TLS context that trusts the DER certificates in `folder`, and nothing else.

    Raises:
        Insecure: there is none, or the one it names is not a DER certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    where = folder
    try:
        for name in os.listdir(folder):
            if name.endswith(".der"):
                where = folder + "/" + name
                with open(where, "rb") as f:
                    context.load_verify_locations(cadata=f.read())
        if where != folder:
            return context
    except (ValueError, OSError):
        pass
    raise Insecure("no trust anchor in %s: copy the root certificate there, as DER" % where)


class Connection:
    """One TLS connection to `host:port`; `request()` as often as the server keeps it open.

    The first request opens it. An answer may take `timeout_s`, that included.
    """

    def __init__(self, context, host, port, timeout_s):
        self.context, self.host, self.port, self.timeout_s = context, host, port, timeout_s
        self._reader = self._writer = None
        self.proven = False

    async def request(self, method, target, headers, body=b""):
        """Send one request, return `(status, headers, body)`; header names in lower case.

        Raises:
            Insecure: certificate, name or protocol do not check out; nothing was sent.
            Rejected: the server has closed the connection since; nothing was sent.
            Fault: time-out, broken line, or an answer that is not HTTP or too long.
        """
        try:
            return await asyncio.wait_for(
                self._exchange(method, target, headers, body), self.timeout_s
            )
        except asyncio.TimeoutError:
            fault = Fault("%s: no answer in %d s" % (self.host, self.timeout_s))
        except (OSError, ValueError) as e:
            fault = self._fault(e)
        self.close()
        raise fault

    def close(self):
        """Close the connection; harmless if it is."""
        if self._writer is not None:
            # MicroPython's streams close the socket in `wait_closed()` only.
            getattr(self._writer, "s", self._writer).close()
        self._reader = self._writer = None

    def _fault(self, e):
        text = " ".join(str(e).split()) or "closed"
        is_value = isinstance(e, ValueError)
        code = is_value or e.errno  # a failed look-up has text there
        if self.proven:
            if is_value:
                text = "answer cut short, too long or not HTTP/1.1"
        # MicroPython refuses a certificate with ValueError, CPython with an SSLError that is one
        # too; anything else in TLS is an OSError with mbedTLS's code, or an SSLError.
        elif (
            is_value
            or (isinstance(code, int) and code < _MBEDTLS and code not in [_CONN_EOF, _GOODBYE])
            or "EOF" not in (getattr(e, "reason", None) or "EOF")
        ):
            what, cure = "certificate", "/certs"
            if not is_value:
                what, cure = "TLS", "host and port"
            # These two are mbedTLS's words, as MicroPython passes them on.
            elif "match" in text:
                cure = "host"
            elif "validity" in text:
                cure = "clock"
            return Insecure("%s: %s refused, check %s: %s" % (self.host, what, cure, text))
        return Fault("%s: %s" % (self.host, text))

    async def _exchange(self, method, target, headers, body):
        if not self.proven:
            gc.collect()
            self._reader, self._writer = await asyncio.open_connection(
                self.host, self.port, ssl=self.context, server_hostname=self.host
            )
        writer = self._writer
        out = bytearray(("%s %s HTTP/1.1\r\nHost: %s\r\n" % (method, target, self.host)).encode())
        if not self.proven:
            # MicroPython shakes hands, or refuses to, at the first write.
            writer.write(out)
            await writer.drain()
            self.proven = True
            out = bytearray()
        # What the peer has said by now answers no request of ours.
        try:
            if writer:
                await asyncio.wait_for(self._reader.read(1), 0.01)
            raise Rejected("%s closed, or spoke unasked" % self.host)
        except asyncio.TimeoutError:
            pass
        # One buffer, one TLS record; pieces joined as text would need a 2 KB token four times.
        if body or method == "POST":
            out.extend(("Content-Length: %d\r\n" % len(body)).encode())
        for name, value in headers:
            for text in (name, ": ", value, "\r\n"):
                out.extend(text.encode())
        out.extend(b"\r\n")
        out.extend(body)
        writer.write(out)
        await writer.drain()
        return await self._answer()

    async def _answer(self):
        self._buffer = b""
        self._left = _MAX
        status = 0
        while status < 200:
            version, number = (await self._line()).split(" ", 2)[:2]
            if version != "HTTP/1.1" or not number.isdigit():
                raise ValueError
            status = int(number)
            fields = await self._fields()
        coding, length = fields.get("transfer-encoding", ""), fields.get("content-length", "")
        if status in [204, 304]:
            content = b""
        elif length.isdigit() and not coding:
            content = await self._take(int(length))
        elif coding.lower() == "chunked" and not length:
            content = await self._chunked()
        else:
            raise ValueError
        if self._buffer or "close" in fields.get("connection", "").lower():
            self.close()
        return status, fields, content

    async def _fields(self):
        fields: dict[str, str] = {}
        while True:
            line = await self._line()
            if not line:
                return fields
            name, colon, value = line.partition(":")
            # A name with a space is a folded line, or one that two readers read differently.
            if not colon or " " in name or len(fields) > _MAX_FIELDS:
                raise ValueError
            name, value = name.lower(), value.strip()
            fields[name] = fields[name] + ", " + value if name in fields else value

    async def _chunked(self):
        content = b""
        while True:
            size = int((await self._line()).split(";")[0], 16)
            if not size:
                await self._fields()
                return content
            content += await self._take(size)
            if await self._line():
                raise ValueError

    async def _line(self):
        while b"\r\n" not in self._buffer:
            # The last byte may be half of the end.
            self._buffer = self._buffer[:_MAX_LINE] + self._buffer[_MAX_LINE:][-1:]
            await self._fill()
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        if line and not 31 < min(line) <= max(line) < 127:
            raise ValueError
        return line.decode()

    async def _take(self, size):
        if not 0 <= size <= _MAX:
            raise ValueError
        # All its room at once: pieces of a slow line, one byte each, would take 64 times as much.
        content, end = bytearray(size), 0
        while end < size:
            if not self._buffer:
                await self._fill()
            piece = self._buffer[: size - end]
            self._buffer = self._buffer[len(piece) :]
            start, end = end, end + len(piece)
            content[start:end] = piece
        return content

    async def _fill(self):
        data = await self._reader.read(_PIECE)
        self._left -= len(data)
        if not data or self._left < 0:
            raise ValueError
        self._buffer += data
