"""The world's calendar: a clock that can run fast, stand still, and jump."""

import http.client
import json
import threading
import time
import urllib.request
from collections.abc import Callable

_POLL_TIMEOUT_S = 15
_RETRY_S = 0.2
_BREATH_S = 0.02  # against a service that answers at once without news


class World:
    """Calendar time: a line through (monotonic, unix) with a slope, read from any thread."""

    def __init__(self, now_s: float, speed: float):
        self._line = (time.monotonic(), now_s, speed)

    def now(self) -> float:
        since, base, speed = self._line
        return base + (time.monotonic() - since) * speed

    @property
    def speed(self) -> float:
        return self._line[2]

    def set(self, now_s: float, speed: float) -> None:
        self._line = (time.monotonic(), now_s, speed)

    def real_seconds_until(self, unix_s: float) -> float:
        """Real time to a calendar time: infinite while the calendar stands still."""
        left = unix_s - self.now()
        if left <= 0:
            return 0.0
        return left / self.speed if self.speed > 0 else float("inf")


class ClockFollower(threading.Thread):
    """Keeps a World in step with the simulator's `GET /clock`.

    A simulator that is gone leaves the world running at its last speed.
    """

    def __init__(self, control_url: str, on_change: Callable[[], None]):
        super().__init__(daemon=True, name="clock")
        self._url = control_url.rstrip("/") + "/clock"
        self._on_change = on_change
        # Loopback only: a proxy from the environment has no business here.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._version, speed, now_s = self._fetch(self._url)
        self.world = World(now_s, speed)

    def _fetch(self, url: str) -> tuple[int, float, float]:
        """Returns (version, speed, now).

        Raises:
            OSError, ValueError: no answer, or none that can be used.
        """
        with self._opener.open(url, timeout=_POLL_TIMEOUT_S) as response:
            clock = json.load(response)
        try:
            speed = 0.0 if clock["paused"] else float(clock["speed"])
            return clock["version"], speed, float(clock["now_s"])
        except (KeyError, TypeError) as exc:
            raise ValueError(f"{url} is not a clock") from exc

    def run(self) -> None:
        url = f"{self._url}?after={self._version}"
        while True:
            try:
                version, speed, now_s = self._fetch(url)
            except (OSError, ValueError, http.client.HTTPException):
                time.sleep(_RETRY_S)
                # It may be another simulator when it comes back: ask for the time, not for news.
                url, self._version = self._url, None
                continue
            if version != self._version:
                self._version = version
                self.world.set(now_s, speed)
                self._on_change()
            else:
                time.sleep(_BREATH_S)
            url = f"{self._url}?after={version}"
