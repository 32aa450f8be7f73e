"""The simulator's calendar: virtual time that runs at a speed, stands still, or jumps.

Times are integer Unix milliseconds, so that adding a window of hours is exact.
"""

import asyncio
import time
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache

HOUR_MS = 3_600_000
BEGIN_MS = int(datetime(2015, 1, 1, tzinfo=UTC).timestamp() * 1000)
END_MS = int(datetime(2099, 12, 31, tzinfo=UTC).timestamp() * 1000)
MAX_SPEED = 1_000_000


def parse_iso(text: str) -> int:
    """Return Unix milliseconds of an ISO 8601 time; without a zone it is UTC.

    Raises ValueError where it is no such time or outside the calendar.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    at_ms = round(moment.timestamp() * 1000)
    if not BEGIN_MS <= at_ms < END_MS:
        raise ValueError("the calendar runs from 2015-01-01 to 2099-12-31")
    return at_ms


def iso(at_ms: int | None) -> str | None:
    """Format as the books and the notifications do: whole seconds and `Z`."""
    if at_ms is None:
        return None
    return _iso(at_ms // 1000)


def iso_ms(at_ms: int | None) -> str | None:
    """Format as GetOrderInfo and `notificationTime` do: with milliseconds."""
    if at_ms is None:
        return None
    return f"{iso(at_ms)[:-1]}.{at_ms % 1000:03d}Z"


def http_date(at_ms: int) -> str:
    """Format as the `Date` header does."""
    return _http_date(at_ms // 1000)


@lru_cache(maxsize=64)
def _iso(at_s):
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(maxsize=4)
def _http_date(at_s):
    return formatdate(at_s, usegmt=True)


class Calendar:
    """Virtual now = base + real time since `base` was set * speed.

    `version` changes with every change of speed, pause and position, and only then: a follower
    that knows (now, speed, paused) can go on by itself until the version changes.
    """

    def __init__(self, now_ms, speed=1.0, paused=False, version=1, monotonic=time.monotonic):
        self._monotonic = monotonic
        self._base_ms = now_ms
        self._base_real = monotonic()
        self._changed = asyncio.Event()
        self.closed = False
        self.speed = speed
        self.paused = paused
        self.version = version

    def now_ms(self) -> int:
        """Return the virtual time; it stands still at the end of the calendar."""
        if self.paused:
            return self._base_ms
        real_s = self._monotonic() - self._base_real
        return min(self._base_ms + int(real_s * 1000 * self.speed), END_MS)

    def set(self, speed: float | None = None, paused: bool | None = None) -> None:
        """Change speed or pause from now on."""
        self._rebase(self.now_ms())
        if speed is not None:
            self.speed = speed
        if paused is not None:
            self.paused = paused
        self._announce()

    def advance(self, by_ms: int) -> None:
        """Jump forward. Raises ValueError where that leaves the calendar."""
        target_ms = self.now_ms() + by_ms
        if target_ms > END_MS:
            raise ValueError("the calendar ends on 2099-12-31")
        self._rebase(target_ms)
        self._announce()

    async def wait_change(self, after: int, timeout_s: float) -> None:
        """Return once the version differs from `after`, or after `timeout_s` real seconds."""
        changed = self._changed
        if self.version != after or self.closed:
            return
        try:
            await asyncio.wait_for(changed.wait(), timeout_s)
        except TimeoutError:
            return

    def close(self) -> None:
        """Let every waiter go; the process ends."""
        self.closed = True
        self._changed.set()

    def as_dict(self) -> dict:
        """Return what `GET /clock` answers."""
        now_ms = self.now_ms()
        return {
            "now": iso(now_ms),
            "now_s": now_ms / 1000,
            "speed": self.speed,
            "paused": self.paused,
            "version": self.version,
        }

    def _rebase(self, now_ms):
        self._base_ms = now_ms
        self._base_real = self._monotonic()

    def _announce(self):
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()
