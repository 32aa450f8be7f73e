"""HTTPS, one connection at a time: verified, bounded in time and bytes, keep-alive, no redirects.

There is no way to build a connection here that does not check the certificate and the name.
"""

import asyncio
import gc
import os
import ssl

from micropython import const

from lowtide.outcome import Fault, Insecure

_CHUNK = const(512)
_MAX_HEAD = const(4096)
_MAX_BODY = const(8192)
# mbedTLS's own codes lie below this; above it are errno and, on the ESP32, DNS's -202.
_MBEDTLS = const(-0x1000)
# Of those, a broken line, the peer's goodbye and a full heap; every other one is a refusal.
_LINE_FAULTS = (-0x7280, -0x7880, -0x7F00)


def load_roots(folder):
    """Return a TLS context that trusts the DER certificates in `folder`, and nothing else.

    Raises:
        Insecure: there is none, or one of them is not a DER certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        names = sorted(n for n in os.listdir(folder) if n.endswith(".der"))
    except OSError:
        names = []
    if not names:
        raise Insecure("no trust anchor: copy the root certificate as DER into %s" % folder)
    for name in names:
        try:
            with open(folder + "/" + name, "rb") as f:
                context.load_verify_locations(cadata=f.read())
        except (ValueError, OSError):
            raise Insecure("%s/%s is not a DER certificate" % (folder, name))
    return context


def _fault(e, host):
    # MicroPython refuses a certificate with ValueError, CPython with SSLCertVerificationError,
    # which is one too; other TLS refusals are OSErrors with mbedTLS's negative code, or SSLError.
    if isinstance(e, ValueError):
        return Insecure("%s: certificate refused: %s" % (host, " ".join(str(e).split())))
    code = e.args[0] if e.args and isinstance(e.args[0], int) else 0
    reason = getattr(e, "reason", None)
    if (code < _MBEDTLS and code not in _LINE_FAULTS) or (reason and "EOF" not in reason):
        return Insecure("%s: TLS refused: %s" % (host, e))
    return Fault("%s: %s" % (host, str(e) or "timeout"))


class Connection:
    """One TLS connection to `host:port`; `request()` as often as the server keeps it open."""

    def __init__(self, context, host, port, timeout_s):
        self._context, self._host, self._port = context, host, port
        self._timeout_s = timeout_s
        self._reader = self._writer = None
        self._buffer = b""

    async def open(self):
        """Connect. On MicroPython the handshake happens at the first request: unproven till then.

        Raises:
            Insecure, Fault: see `request`.
        """
        gc.collect()
        self._reader, self._writer = await self._bounded(
            asyncio.open_connection(
                self._host, self._port, ssl=self._context, server_hostname=self._host
            )
        )

    async def request(self, method, target, headers, body=b""):
        """Send one request, return `(status, headers, body)`; header names in lower case.

        Raises:
            Insecure: certificate, name or protocol do not check out; nothing was sent.
            Fault: time-out, broken line, or an answer that is not HTTP or too long.
        """
        if self._writer is None or self._buffer:
            # What came after the last answer belongs to no request of ours.
            self.close()
            raise Fault("%s closed the connection" % self._host)
        return await self._bounded(self._exchange(method, target, headers, body))

    async def _bounded(self, step):
        try:
            return await asyncio.wait_for(step, self._timeout_s)
        except asyncio.TimeoutError:
            self.close()
            raise Fault("%s: no answer in %d s" % (self._host, self._timeout_s))
        except (OSError, ValueError) as e:
            self.close()
            raise _fault(e, self._host)
        except Fault:
            self.close()
            raise

    def close(self):
        """Close the connection; harmless if it is."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None
        self._buffer = b""

    async def _exchange(self, method, target, headers, body):
        # One buffer, one TLS record; pieces joined as text would need a 2 KB token four times.
        out = bytearray()
        out.extend(("%s %s HTTP/1.1\r\nHost: %s\r\n" % (method, target, self._host)).encode())
        if body or method == "POST":
            out.extend(("Content-Length: %d\r\n" % len(body)).encode())
        for name, value in headers:
            for text in (name, ": ", value, "\r\n"):
                out.extend(text.encode())
        out.extend(b"\r\n")
        out.extend(body)
        self._writer.write(out)
        await self._writer.drain()
        status, fields = await self._head()
        while status < 200:
            status, fields = await self._head()
        content = await self._body(status, fields)
        if fields.get("connection", "").lower() == "close":
            self.close()
        return status, fields, content

    async def _read(self, size):
        data = await self._reader.read(size)
        if not data:
            raise Fault("%s closed the connection" % self._host)
        return data

    async def _fill(self):
        self._buffer += await self._read(_CHUNK)

    async def _head(self):
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if end >= 0:
                break
            if len(self._buffer) > _MAX_HEAD:
                raise Fault("%s: answer's head is too long" % self._host)
            await self._fill()
        lines = self._buffer[:end].split(b"\r\n")
        self._buffer = self._buffer[end + 4 :]
        part = lines[0].split(None, 2)
        if len(part) < 2 or not part[0].startswith(b"HTTP/1.") or not part[1].isdigit():
            raise Fault("%s: answer is not HTTP" % self._host)
        fields = {}
        for line in lines[1:]:
            name, colon, value = line.partition(b":")
            if not colon or max(line) > 126:
                raise Fault("%s: answer's head is malformed" % self._host)
            fields[name.decode().lower()] = value.decode().strip()
        return int(part[1]), fields

    async def _body(self, status, fields):
        if status in (204, 304):
            return b""
        if fields.get("transfer-encoding", "").lower() == "chunked":
            return await self._chunked()
        length = fields.get("content-length")
        if length is None:
            return await self._until_close()
        if not length.isdigit():
            raise Fault("%s: answer's length is malformed" % self._host)
        return await self._take(int(length))

    async def _take(self, size):
        if size > _MAX_BODY:
            raise Fault("%s: answer is longer than %d bytes" % (self._host, _MAX_BODY))
        # Pieces, put together once: a buffer that grows needs its size twice, in one piece.
        parts = [self._buffer[:size]]
        self._buffer = self._buffer[size:]
        size -= len(parts[0])
        while size:
            parts.append(await self._read(min(size, _CHUNK)))
            size -= len(parts[-1])
        return b"".join(parts)

    async def _until_close(self):
        while True:
            data = await self._reader.read(_CHUNK)
            if not data:
                break
            self._buffer += data
            if len(self._buffer) > _MAX_BODY:
                raise Fault("%s: answer is longer than %d bytes" % (self._host, _MAX_BODY))
        data = self._buffer
        self.close()
        return data

    async def _chunked(self):
        content = b""
        while True:
            size_text = (await self._line()).split(b";")[0].strip()
            try:
                size = int(size_text, 16)
            except ValueError:
                size = -1
            if size < 0 or len(content) + size > _MAX_BODY:
                raise Fault("%s: chunked answer is malformed or too long" % self._host)
            if size == 0:
                while await self._line():
                    pass
                return content
            content += await self._take(size)
            await self._line()

    async def _line(self):
        while b"\r\n" not in self._buffer:
            if len(self._buffer) > _CHUNK:
                raise Fault("%s: chunked answer is malformed" % self._host)
            await self._fill()
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line
