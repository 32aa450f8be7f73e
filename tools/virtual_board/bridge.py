"""The loop: serial port, interpreter, clock and signals in one thread that never blocks."""

import math
import os
import select
import signal
import time

from tools import ready_file
from tools.virtual_board.board import Board
from tools.virtual_board.clock import BoardClock
from tools.virtual_board.serial_port import SerialPort

EXIT_CUT = 75
_LOOK_S = 0.02  # how often a closed port is looked at


class Waker:
    """Wakes the loop from another thread or from a signal."""

    def __init__(self):
        self.fd, self._writer = os.pipe()
        for fd in (self.fd, self._writer):
            os.set_blocking(fd, False)
        self.is_stopped = False
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in ready_file.ending_signals():
            signal.signal(number, self._stop)

    def _stop(self, *_) -> None:
        self.is_stopped = True

    def wake(self) -> None:
        try:
            os.write(self._writer, b"\0")
        except BlockingIOError:
            return  # it is awake anyway

    def drain(self) -> None:
        try:
            os.read(self.fd, 4096)
        except BlockingIOError:
            return


class Bridge:
    def __init__(self, board: Board, port: SerialPort, clock: BoardClock, waker: Waker):
        self._board = board
        self._port = port
        self._clock = clock
        self._waker = waker
        self._refresh_at = 0.0

    def run(self) -> int:
        """Runs until the power is cut; returns the exit status."""
        while not self._waker.is_stopped:
            ready = self._wait()
            if self._waker.fd in ready:
                self._waker.drain()
                self._clock.refresh()
            self._refresh_clock()
            if self._port.fd in ready or (not self._port.is_open and self._port.look()):
                self._board.type(self._port.read())
            self._port.flush()
            self._board.serve()
            self._board.on_timer()
            if self._board.is_cut:
                return EXIT_CUT
        self._board.power_off()
        return 0

    def _wait(self) -> set[int]:
        poller = select.poll()
        poller.register(self._waker.fd, select.POLLIN)
        waits_s = [self._board.seconds_to_timer()]
        if self._port.is_open:
            wants = select.POLLOUT if self._port.wants_to_send else 0
            poller.register(self._port.fd, select.POLLIN | wants)
        else:
            waits_s.append(_LOOK_S)
        if self._board.chip:
            poller.register(self._board.chip.output_fd, select.POLLIN)
            poller.register(self._board.chip.wire_fd, select.POLLIN)
            waits_s.append(self._refresh_at - time.monotonic())
        wait_s = max(min(waits_s), 0)
        timeout_ms = None if wait_s == math.inf else min(math.ceil(wait_s * 1000), 3_600_000)
        return {fd for fd, _ in poller.poll(timeout_ms)}

    def _refresh_clock(self) -> None:
        now = time.monotonic()
        if self._board.chip and now >= self._refresh_at:
            self._clock.refresh()
            self._refresh_at = now + self._clock.refresh_interval_s()
