"""`socket` whose look-ups go through the air; loaded for `--air` only."""

import time

import usocket as _socket
from micropython import const
from vb_core import ask

_LOOK_UP = const(0x44)


def getaddrinfo(host, port, af=0, type=_socket.SOCK_STREAM, proto=0, flags=0):
    """As on silicon: it blocks, and nothing but the watchdog ends it before its time."""
    answer = ask(_LOOK_UP, ("%s\0%d\0%d" % (host, port, type)).encode())
    wait_ms, local, error = map(int, answer.split())
    end = time.ticks_add(time.ticks_ms(), wait_ms)
    while True:
        try:
            while wait_ms < 0 or time.ticks_diff(end, time.ticks_ms()) > 0:
                time.sleep_ms(10)
            break
        except BaseException:  # noqa: BLE001 (Ctrl-C does not reach C code)
            continue
    if error:
        raise OSError(error)
    return _socket.getaddrinfo("127.0.0.1", local, af, type)


def __getattr__(name):
    return getattr(_socket, name)
