"""A load of prepared requests over keep-alive TLS, cheaper to send than to answer."""

import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor

_CONNECTIONS = 2
_END = b"\r\n\r\n"


def post(path: str, headers: dict, body: str = "") -> bytes:
    """Return a POST as it goes over the wire."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def rate(port: int, context: ssl.SSLContext, requests: list[bytes]) -> float:
    """Send every request once, over a few connections; return the answers per second."""
    lots = [requests[start::_CONNECTIONS] for start in range(_CONNECTIONS)]
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        connections = [_connect(port, context) for _ in lots]
        began = time.perf_counter()
        list(pool.map(_drive, connections, lots))
        took = time.perf_counter() - began
    return len(requests) / took


def _connect(port, context):
    plain = socket.create_connection(("127.0.0.1", port), timeout=20)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(plain, server_hostname="localhost")


def _drive(connection, requests):
    with connection:
        for request in requests:
            connection.sendall(request)
            _read_answer(connection)


def _read_answer(connection):
    data = connection.recv(65536)
    while _END not in data:
        data += _more(connection)
    head, _, body = data.partition(_END)
    if b" 200 " not in head[:16]:
        raise RuntimeError(f"answered {data!r}")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
    left = length - len(body)
    while left > 0:
        left -= len(_more(connection))


def _more(connection):
    data = connection.recv(65536)
    if not data:
        raise RuntimeError("the connection closed in the middle of an answer")
    return data
