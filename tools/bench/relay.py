"""A loopback TCP relay that counts connections, handshakes, bytes, and what is open at once."""

import selectors
import socket
import threading
import time
from dataclasses import dataclass

_HANG_S = 30
_HANDSHAKE, _CLIENT_HELLO = 22, 1


@dataclass(frozen=True)
class Traffic:
    """What went through: payload bytes of TCP, without the headers of TCP and IP.

    `most_open`: the most connections that the client had open at one time.
    """

    connections: int
    handshakes: int
    sent: int
    received: int
    most_open: int

    @property
    def total(self) -> int:
        """Bytes in both directions."""
        return self.sent + self.received


class _Pair:
    """One connection: the client's socket and the service's."""

    def __init__(self, client, service):
        self.client, self.service = client, service
        self.head = b""
        self.sent = self.received = 0
        self.open = {client, service}

    @property
    def client_open(self):
        """Whether the client has not closed its end yet."""
        return self.client in self.open

    @property
    def is_handshake(self):
        """Whether it began as TLS does."""
        return len(self.head) > 5 and (self.head[0], self.head[5]) == (_HANDSHAKE, _CLIENT_HELLO)


class Relay:
    """Relays `port` to a service on `service_port`; one thread, so nothing is counted late."""

    def __init__(self, service_port: int):
        self._service_port = service_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._pairs, self._most_open = [], 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopping = True
        self._thread.join(_HANG_S)
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()

    def take(self) -> Traffic:
        """Return what went through since the last call, once every connection is closed.

        Raises:
            TimeoutError: one stays open.
        """
        end = time.monotonic() + _HANG_S
        while any(pair.open for pair in self._pairs):
            if time.monotonic() > end:
                raise TimeoutError("a connection through the relay stays open")
            time.sleep(0.002)
        pairs, self._pairs = self._pairs, []
        most_open, self._most_open = self._most_open, 0
        return Traffic(
            len(pairs),
            sum(pair.is_handshake for pair in pairs),
            sum(pair.sent for pair in pairs),
            sum(pair.received for pair in pairs),
            most_open,
        )

    def _run(self):
        while not self._stopping:
            ready = [key for key, _ in self._selector.select(0.05)]
            is_new = any(key.data is None for key in ready)
            if is_new:
                # What was closed before this one was opened lies here already: look at all first.
                ready = list(self._selector.get_map().values())
            for key in ready:
                if key.data is not None:
                    self._forward(key.fileobj, key.data)
            if is_new:
                self._accept()

    def _accept(self):
        client, _ = self._listener.accept()
        pair = _Pair(client, socket.create_connection(("127.0.0.1", self._service_port)))
        self._pairs.append(pair)
        open_now = sum(pair.client_open for pair in self._pairs)
        self._most_open = max(self._most_open, open_now)
        for end in (pair.client, pair.service):
            self._selector.register(end, selectors.EVENT_READ, pair)

    def _forward(self, source, pair):
        is_client = source is pair.client
        target = pair.service if is_client else pair.client
        while True:
            try:
                data = source.recv(65536, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except ConnectionResetError:
                data = b""
            if not data:
                return self._ended(source, pair)
            if is_client:
                pair.head = pair.head or data
                pair.sent += len(data)
            else:
                pair.received += len(data)
            _unless_closed(lambda data=data: target.sendall(data))

    def _ended(self, source, pair):
        self._selector.unregister(source)
        target = pair.service if source is pair.client else pair.client
        _unless_closed(lambda: target.shutdown(socket.SHUT_WR))
        if len(pair.open) == 1:
            pair.client.close()
            pair.service.close()
        pair.open.remove(source)


def _unless_closed(step):
    # Who has closed already misses nothing by it.
    try:
        step()
    except OSError:
        return
