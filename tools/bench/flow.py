"""The smallest heap in which a board orders: from power-on to the refill after its order."""

import time

from tools.bench.board import board as started
from tools.bench.board import firmware
from tools.bench.summary import Row

PROMISED = 128 * 1024
AIM = 96 * 1024
STEP = 2048
_LEAST, _MOST = 64 * 1024, 160 * 1024
_HANG_S = 60
# A start that is taken for a wake: the console is never loaded.
_ALWAYS_A_WAKE = "import machine\nmachine.reset_cause = lambda: machine.DEEPSLEEP_RESET\n"
_INTRO = """\
The smallest heap in which the whole order flow completes on the virtual board, in steps of {step}
bytes: power-on, time, token, low, Replenish, GetOrderInfo, refill. TLS's own buffers lie outside.
The virtual board's own 13 KB lie in it, which silicon has in flash; objects are half as big there.
"""


class OutOfMemory(Exception):
    """The board said so."""


def completes(heap: int, console: bool) -> bool:
    """Return whether the flow completes in `heap` bytes, `console` loaded at power-on or not."""
    main = firmware() if console else _ALWAYS_A_WAKE + firmware()
    with started(main, str(heap), notes=False) as board, board.port() as port:
        port.timeout = 0.02
        try:
            _watch(board, port)
            board.bench.level = 0.08
            _wakes(board, port, 3)
            _wakes(board, port, 1, after_s=5 * 3600)
            confirmed = board.bench.record()
            board.bench.level = 0.95
            _wakes(board, port, 8)
        except OutOfMemory:
            return False
        at_last = board.bench.record()
        return board.orders() == 1 and (confirmed.state, at_last.state) == ("confirmed", "none")


def smallest(console: bool) -> int:
    """Return the smallest heap in bytes; it and the next two sizes above it complete.

    Raises:
        ValueError: 160 KiB are too few.
    """
    low, high = _LEAST, _MOST
    if not completes(high, console):
        raise ValueError(f"the order flow does not complete in {high} bytes of heap")
    while high - low > STEP:
        middle = (low + high) // 2 // STEP * STEP
        if completes(middle, console):
            high = middle
        else:
            low = middle
    while not (completes(high + STEP, console) and completes(high + 2 * STEP, console)):
        high += STEP
    return high


def measure() -> list[Row]:
    """Measure and print; return the rows of the table."""
    print(_INTRO.format(step=STEP))
    sizes = {"with the console": smallest(True), "console not loaded": smallest(False)}
    for text, size in sizes.items():
        aim = "met" if size <= AIM else "MISSED"
        held = "held" if size <= PROMISED else "MISSED"
        print(f"{text:<20}{size:>9,}   promised {PROMISED:,}: {held}; aim {AIM:,}: {aim}")
    return [
        Row(f"order flow, {text}", "bytes of heap", size, limit, peer, is_limit=True)
        for text, size in sizes.items()
        for limit, peer in ((PROMISED, "promised"), (AIM, "aimed at"))
    ]


def _wakes(board, port, count, after_s=901):
    for _ in range(count):
        board.bench.advance(after_s)
        _watch(board, port)


def _watch(board, port):
    """Follow the board until it sleeps; send it to sleep where a console is open."""
    end = time.monotonic() + _HANG_S
    said = b""
    while board.bench.slept() is None:
        said += port.read(port.in_waiting or 1)
        if b"MemoryError" in said or b"memory allocation failed" in said:
            raise OutOfMemory
        if b"uplink: done" in said and b"> " in said:
            port.write(b"sleep\n")
            said = b""
        if time.monotonic() > end:
            raise TimeoutError(f"the board does not go to sleep: {said[-500:]!r}")
