"""The TLS line of the wire proof: one listener, and a plan of how one exchange goes wrong.

One thread, nothing timed: it waits for the board, and the board for it. Every wait watches the
listener and the board too, so a second connection, or a wake that ends before its connection,
is seen at once.
"""

import contextlib
import functools
import select
import socket
import ssl
from dataclasses import dataclass

import trustme

from host_tests.prove.wire_service import Broken

CLEAN, FIN, RESET = "close_notify", "FIN", "RST"
# A board that says nothing for so long, in real seconds, hangs; nothing else is timed here.
_NEVER_S = 120


@dataclass
class Cut:
    """The `number`-th exchange of a wake (from 0) ends after `at` plaintext bytes of its request
    or, `answer`, of its answer; `how` the connection ends."""

    number: int
    call: str
    answer: bool
    at: int
    how: str

    used = False


@dataclass
class Slow:
    """The `number`-th exchange of a wake goes one byte a tick, from its request's first byte on or
    only in its answer; `endless(answer)`: what is sent in its place, for ever."""

    number: int
    tick_s: float
    request: bool = False
    endless: object = None
    mute: bool = False

    used = False


class Gone(Exception):
    """The board has closed the connection."""


@functools.cache
def credentials():
    """Return a server's TLS context, and its root as DER."""
    ca = trustme.CA(key_type=trustme.KeyType.RSA)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # RSA key exchange takes MicroPython a tenth of the time of ECDHE; CPython does not offer it.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("kRSA+AESGCM:ECDHE+AESGCM")
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    ca.issue_cert("127.0.0.1", key_type=trustme.KeyType.RSA).configure_cert(context)
    return context, ssl.PEM_cert_to_DER_cert(ca.cert_pem.bytes().decode())


class Line:
    """Serves the wakes of `board` (see `wire_board.Board`) for `service`."""

    def __init__(self, context, service):
        self._context, self._service = context, service
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.board = None

    def close(self):
        """Stop listening."""
        self._listener.close()

    def wake(self, plan=None):
        """Serve one wake to its end; return what the board said. `trace` tells what was asked."""
        self._plan = plan
        self._ended = None
        self.trace = []
        # Bytes of the slow answer that were sent.
        self.trickled = 0
        while self._ended is None:
            if self._listener in self._ready(self._listener, self.board):
                raw, _ = self._listener.accept()
                if isinstance(plan, Cut) and plan.used and not self._goes_on(plan):
                    raise Broken("a connection was opened after the cut, in the same wake")
                self._connection(raw)
            elif self._ended is None:
                self._ended = self.board.said()
        if plan is not None and not plan.used:
            raise Broken("the wake ended before the exchange that was to go wrong")
        return self._ended

    def _goes_on(self, plan):
        # Only a whole answer of the token host lets a wake go on to the next host.
        return plan.answer and plan.call == "token" and plan.at == self.trace[-1][2]

    # -- waiting -----------------------------------------------------------------------------

    def _ready(self, *files, writing=()):
        ready = select.select(files, writing, (), _NEVER_S)
        if not (ready[0] or ready[1]):
            raise Broken("the board hangs")
        return ready[0] + ready[1]

    def _until(self, conn, writing=False):
        # Wait until `conn` can be read (or written), and for nothing else.
        with contextlib.suppress(OSError):
            # Nagle's algorithm in the board's stack waits for it.
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        while True:
            ready = self._ready(
                conn, self._listener, self.board, writing=(conn,) if writing else ()
            )
            if conn in ready:
                return
            if self._listener not in ready:
                self._ended = self.board.said()
                if self._ended is None:
                    continue
            # One look at several files is not one moment: what happened before is seen by now.
            if select.select((conn,), (), (), 0)[0]:
                return
            if self._ended is None:
                raise Broken("a second connection was opened while one was open")
            raise Broken("the wake ended with its connection open")

    def _do(self, conn, operation, *arguments):
        # One TLS operation on a socket that does not block.
        while True:
            try:
                return operation(*arguments)
            except (ssl.SSLWantReadError, BlockingIOError):
                self._until(conn)
            except ssl.SSLWantWriteError:
                self._until(conn, writing=True)
            except OSError:
                raise Gone from None

    # -- one connection ----------------------------------------------------------------------

    def _connection(self, raw):
        raw.setblocking(False)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._slow and self._plan.mute:
            with raw, contextlib.suppress(Gone):
                self._plan.used = True
                self._drain(raw)
            return
        conn = self._context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False)
        with conn, contextlib.suppress(Gone):
            self._do(conn, conn.do_handshake)
            while self._exchange(conn):
                pass

    @property
    def _slow(self):
        plan = self._plan
        return isinstance(plan, Slow) and not plan.used and plan.number == len(self.trace)

    @property
    def _cut(self):
        plan = self._plan
        return isinstance(plan, Cut) and not plan.used and plan.number == len(self.trace)

    def _exchange(self, conn):
        # One request and its answer; whether the connection goes on.
        cut, slow = self._cut, self._slow
        if cut and not self._plan.answer:
            return self._cut_request(conn)
        request = self._request(conn, slow and self._plan.request)
        call, answer = self._service.answer(request)
        self.trace.append((call, len(request), len(answer)))
        if cut:
            return self._cut_answer(conn, call, answer)
        if slow:
            return self._trickle(conn, answer)
        self._send(conn, answer)
        self._service.told(call)
        return True

    def _request(self, conn, slowly=False):
        # A whole request; a slow one goes on when the board has gone: it acts late.
        data = self._take(conn, 1)
        while not _whole(data):
            if slowly:
                self._plan.used = True
                self._tick()
            data += self._take(conn, 1 if slowly else 4096)
        return data

    def _take(self, conn, size):
        data = self._do(conn, conn.recv, size)
        if not data:
            raise Gone
        return data

    def _send(self, conn, data):
        while data:
            data = data[self._do(conn, conn.send, data) :]

    # -- cutting -----------------------------------------------------------------------------

    def _cut_request(self, conn):
        plan = self._plan
        self._until(conn)
        data = b""
        while len(data) < plan.at:
            data += self._take(conn, plan.at - len(data))
        self._service.seen(plan.call)
        if conn.pending():
            # Of the same record: OpenSSL will not say goodbye over it.
            data += conn.recv(conn.pending())
        self._end(conn)
        rest = data + self._drain(conn)
        if _whole(rest[:-1]):
            raise Broken("a request was sent after the cut, on the same connection")
        return False

    def _cut_answer(self, conn, call, answer):
        plan = self._plan
        self._send(conn, answer[: plan.at])
        if call == "replenish" and plan.at < len(answer):
            self._service.still()
        self._end(conn)
        rest = self._drain(conn)
        if rest and (plan.at < len(answer) or _whole(rest[:-1])):
            raise Broken("a request was sent after the cut, on the same connection")
        if rest.startswith(b"POST /replenish"):
            # After a whole answer it cannot know yet that the line is cut.
            self._service.seen("replenish")
        return False

    def _end(self, conn):
        plan = self._plan
        plan.used = True
        if plan.how == RESET:
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            conn.close()
            raise Gone
        if plan.how == CLEAN:
            # Sent at once; then it waits for the board's, which `_drain` does.
            with contextlib.suppress(OSError):
                conn.unwrap()
        # Not SSLSocket.shutdown, which would forget the keys that `_drain` reads with.
        with contextlib.suppress(OSError):
            socket.socket.shutdown(conn, socket.SHUT_WR)

    def _drain(self, conn):
        # What the board still sends until it closes its end.
        data = b""
        with contextlib.suppress(Gone):
            while True:
                data += self._take(conn, 4096)
        return data

    # -- slowing -----------------------------------------------------------------------------

    def _tick(self):
        # A wake that has ended needs no more patience.
        if self._ended is None and select.select((self.board,), (), (), self._plan.tick_s)[0]:
            self._ended = self.board.said()

    def _trickle(self, conn, answer):
        # A byte a tick, or without end, for as long as the board listens.
        plan = self._plan
        plan.used = True
        pieces = plan.endless(answer) if plan.endless else (bytes((b,)) for b in answer)
        for piece in pieces:
            self._tick()
            if self._said_something(conn):
                raise Broken("a request was sent before the answer had ended")
            if self._ended is not None:
                raise Broken("the wake ended with its connection open")
            self._send(conn, piece)
            self.trickled += len(piece)
        raise Broken("the service ended the wake, not the board's own limit")

    def _said_something(self, conn):
        try:
            data = conn.recv(1)
        except ssl.SSLWantReadError:
            return False
        except OSError:
            raise Gone from None
        if not data:
            raise Gone
        return True


def _whole(data):
    # Whether a request is complete.
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return False
    for line in head.split(b"\r\n"):
        if line.startswith(b"Content-Length: "):
            return len(body) >= int(line[16:])
    return True
