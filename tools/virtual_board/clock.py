"""The board's own clock: starts in 2000 at power-on, runs with the world's calendar."""

import os
import time

from tools.virtual_board.world import World

Y2000_UNIX_S = 946_684_800
# How far mbedTLS may lag behind while the calendar runs fast, and the limits to how often we look.
_LAG_S = 600
_REFRESH_MIN_S = 0.01


class BoardClock:
    def __init__(self, world: World, sleep_drift_ppm: float = 0):
        self._world = world
        self._sleep_rate = 1 + sleep_drift_ppm / 1e6  # seconds of the world to one of ours
        self._slept_at = 0.0
        self._offset_s = Y2000_UNIX_S - world.now()
        # mbedTLS asks the C library for the date; libfaketime shifts it by what is in this file.
        self.faketime_fd = os.memfd_create("faketime")
        self.refresh()

    def now_ns(self) -> int:
        """Nanoseconds since 2000."""
        return int((self._world.now() + self._offset_s - Y2000_UNIX_S) * 1e9)

    def set_ns(self, ns: int) -> None:
        self._offset_s = ns / 1e9 + Y2000_UNIX_S - self._world.now()
        self.refresh()

    def fall_asleep(self, duration_s: float) -> float:
        """Returns the world's time at which `duration_s` of this clock have passed."""
        self._slept_at = self._world.now()
        return self._slept_at + duration_s * self._sleep_rate

    def wake_up(self) -> None:
        """Takes over what the sleep clock has counted."""
        slept_s = self._world.now() - self._slept_at
        self._offset_s += slept_s / self._sleep_rate - slept_s
        self.refresh()

    def refresh(self) -> None:
        """Tells libfaketime; to be called after every change of the world's clock."""
        shift_s = self._world.now() + self._offset_s - time.time()
        # Of fixed width, so that a reader never sees a mixture of lengths.
        os.pwrite(self.faketime_fd, f"{shift_s:+020.3f}\n".encode(), 0)

    def refresh_interval_s(self) -> float:
        """Real seconds after which `refresh` is due again."""
        drift = abs(self._world.speed - 1)
        return max(_LAG_S / drift, _REFRESH_MIN_S) if drift else float("inf")
