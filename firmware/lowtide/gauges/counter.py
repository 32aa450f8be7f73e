"""Counter of what was dispensed: a pulse for each portion, from a switch or a light barrier."""

import struct

from micropython import const

from lowtide import GaugeFault

_LOST = const(-1)


class Counter:
    """A sample is the number of pulses since the bin was last said to be full.

    On a board that sleeps, its file lets the pin wake it: nothing counts in deep sleep.

    Args:
        pin: with `irq(handler, trigger)` and `IRQ_FALLING`; `machine.Pin` with its pull-up.
        ticks_ms, ticks_diff: as in MicroPython's `time`.
        pulses: those that the sleep has swallowed: 1 where the pin's pulse ended it.
        debounce_ms: an edge so soon after another is the contact bouncing.
    """

    sleep = None
    below = None
    keeps = 4

    def __init__(self, pin, ticks_ms, ticks_diff, pulses=0, debounce_ms=50):
        self.ticks_ms, self.ticks_diff = ticks_ms, ticks_diff
        self.debounce_ms = debounce_ms
        self._edge_ms = None
        self.pulses = pulses
        self._count = _LOST
        pin.irq(self._edge, pin.IRQ_FALLING)

    def _edge(self, _pin):
        now_ms, before_ms = self.ticks_ms(), self._edge_ms
        self._edge_ms = now_ms
        if before_ms is not None and self.ticks_diff(now_ms, before_ms) < self.debounce_ms:
            return
        if self._count != _LOST:
            self._count += 1

    def read(self):
        """Return the count.

        Raises:
            GaugeFault: count lost (a power cut): fill up, then `calibrate full`.
        """
        if self._count == _LOST:
            raise GaugeFault("count lost")
        return self._count

    def refilled(self):
        """The bin is full now: count from 0."""
        self._count = 0

    def pack(self):
        """Return what RTC memory is to keep, `keeps` bytes."""
        return struct.pack("<i", self._count)

    def resume(self, data):
        """Go on from what `pack()` gave; the count is lost with anything else."""
        if len(data) == self.keeps:
            self._count = struct.unpack("<i", data)[0]
        if self._count != _LOST:
            self._count += self.pulses
