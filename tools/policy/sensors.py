"""Gauges as they are: raw samples of a true level, through noise, drift, and people's hands.

Every sample is a function of the time and of how many were taken in that wake, never of what was
done before: two policies over one bin see the same gauge.
"""

import math
import random

from lowtide import GaugeFault
from lowtide.gauges.analogue import Analogue
from lowtide.gauges.distance import Distance
from lowtide.gauges.hx711 import HX711
from tools.policy.usage import DAY, HOUR, T0

_NOISE = 8192  # samples in a table, a power of two
_YEAR = 365 * DAY
# What comes over a gauge: times a year, from and to so many seconds.
_HAND = ("hand", 60, 10, 600)
_LIFTED = ("lifted", 12, 30, 600)
_WASHED = ("lifted", 1.5, 1200, 3 * HOUR)
_FLAPS = ("flaps", 8, HOUR / 2, 12 * HOUR)
_WARM = ("warm", 25, 3 * HOUR, 6 * HOUR)
_UNPLUGGED = ("unplugged", 0.15, 600, 2 * DAY)


class Kind:
    """One kind of gauge: raw readings of the empty and the full bin, noise in permille.

    `driver`: the shipping driver whose samples these are. `spikes`: share of samples that are far
    off, by up to `spike_permille`; `no_echo`: share of samples that the driver reports as a fault;
    `per_kelvin`: the most that a degree moves it, in permille; `lifted`: what it shows of a bin
    that is not there, `hand` of a hand, in permille from and to (where it `weighs`: on top).
    """

    def __init__(self, name, driver, empty, full, sigma, spikes, spike_permille, **ways):
        self.name, self.driver, self.empty, self.full = name, driver, empty, full
        self.no_echo = ways.get("no_echo", 0)
        self.per_kelvin = ways.get("per_kelvin", 0)
        self.events = ways["events"]
        self.lifted, self.hand = ways["lifted"], ways.get("hand", (0, 0))
        self.weighs = ways.get("weighs", False)
        rng = random.Random(name)
        # Noise, with the drift and the error of calibration, takes no sample further than this.
        self.farthest = spike_permille + 50
        self.noise = [self._sample(rng, sigma, spikes, spike_permille) for _ in range(_NOISE)]

    def _sample(self, rng, sigma, spikes, spike_permille):
        if rng.random() < self.no_echo:
            return None
        if rng.random() < spikes:
            return self.span(rng.uniform(-spike_permille, spike_permille))
        return self.span(rng.gauss(0, sigma))

    def table(self):
        """Return the calibration, as `lowtide.gauge.Gauge` takes it."""
        points = sorted([(self.empty, 0), (self.full, 1000)])
        return " ".join([f"{raw}:{permille}" for raw, permille in points])

    def span(self, permille):
        """Return so many permille as raw counts, rounded."""
        return round((self.full - self.empty) * permille / 1000)


KINDS = (
    # A 24-bit load cell amplifier: counts; a container weighs some tenths of what it holds.
    Kind(
        *("load cell", HX711, 84_000, 512_000, 1, 0.002, 300),
        weighs=True,
        per_kelvin=2,
        lifted=(-300, -80),
        hand=(50, 600),
        events=(_HAND, _LIFTED, _WASHED, _WARM, _UNPLUGGED),
    ),
    # A float on a resistive track: microvolts; out of its bin, it lies at the bottom.
    Kind(
        *("float", Analogue, 250_000, 2_350_000, 8, 0.01, 100),
        lifted=(0, 30),
        events=(_LIFTED, _WASHED, _FLAPS, _UNPLUGGED),
    ),
    # Ultrasound from the lid: millimetres; without its bin it sees the floor.
    Kind(
        *("distance", Distance, 300, 50, 6, 0.02, 400),
        no_echo=0.01,
        per_kelvin=1.5,
        lifted=(-300, -60),
        hand=(850, 1000),
        events=(_HAND, _LIFTED, _WASHED, _UNPLUGGED),
    ),
)
_WEIGHTS = (4, 3, 3)


class Sensor:
    """One device's gauge, in the place of its driver (see `lowtide.gauges`)."""

    def __init__(self, rng, days):
        self.kind = rng.choices(KINDS, _WEIGHTS)[0]
        self.below = self.kind.driver.below
        self._per_kelvin = rng.uniform(-1, 1) * self.kind.per_kelvin
        self._seed = rng.randrange(_NOISE)
        # How well a person calibrates.
        self._offset, self._gain = rng.uniform(-5, 5), rng.uniform(0.99, 1.01)
        self._events = _events(rng, self.kind, days)
        self.rewind()

    def rewind(self):
        """Go back to the first wake."""
        self._next, self._event = 0, None
        self._next_s = self._events[0][0] if self._events else T0 + 10**10
        self._shown = self._drift = 0.0
        self._raw = self._index = self._hour = 0

    def lift(self, start_s, seconds):
        """Somebody takes the bin out for so long, to fill it."""
        self._event = (start_s, start_s + seconds, "lifted", 0.5)

    def calm(self, until_s):
        """Whether nothing comes over the gauge from now to then."""
        return self._event is None and self._next_s > until_s

    def at(self, now_s, permille):
        """Be read at `now_s`, over a bin that holds `permille`."""
        self._index = now_s // 60 * 5 + self._seed
        if now_s // HOUR != self._hour:
            self._hour = now_s // HOUR
            self._drift = self._offset + _kelvin(now_s) * self._per_kelvin
        self._shown = permille * self._gain + self._drift
        if self._event is not None or now_s >= self._next_s:
            self._come_over(now_s)
        kind = self.kind
        self._raw = kind.empty + int((kind.full - kind.empty) * self._shown / 1000)

    def _come_over(self, now_s):
        # The latest event wins.
        events = self._events
        while now_s >= self._next_s:
            self._event = events[self._next]
            self._next += 1
            self._next_s = events[self._next][0] if self._next < len(events) else T0 + 10**10
        start, end, what, _ = self._event
        if end <= now_s:
            self._event = None
        elif what == "warm":
            kelvin = 12 * math.sin((now_s - start) / (end - start) * math.pi)
            self._shown += kelvin * self._per_kelvin

    def read(self):
        """Return one raw sample.

        Raises:
            GaugeFault: no echo, or nothing connected.
        """
        self._index = index = self._index + 1
        noise = self.kind.noise[index % _NOISE]
        if self._event is None and noise is not None:
            return self._raw + noise
        return self._disturbed(noise)

    def sleep(self):
        """Nothing to power down."""

    def _disturbed(self, noise):
        kind = self.kind
        what, size = self._event[2:] if self._event is not None else ("warm", 0)
        if noise is None:
            raise GaugeFault("out of range")
        if what == "unplugged":
            raise GaugeFault("disconnected")
        shown = self._shown
        if what == "lifted":
            least, most = kind.lifted
            shown = least + (most - least) * size
        elif what == "flaps":
            # From one stop to the other, anew at every sample.
            shown += 300 * size * (1 if self._index * 2654435761 & 1 << 16 else -1)
        elif what == "hand":
            least, most = kind.hand
            # No hand is still; on a scale its weight comes on top.
            hand = least + (most - least) * size + 30 * math.sin(self._index * 2.4)
            shown = hand + (shown if kind.weighs else 0)
        return kind.empty + kind.span(shown) + noise


def _kelvin(now_s):
    # A room's temperature, from its mean: the day's course and the year's.
    day = math.sin((now_s % DAY / DAY - 0.375) * 2 * math.pi)
    return 3 * day + 5 * math.sin((now_s % _YEAR / _YEAR - 0.3) * 2 * math.pi)


def _events(rng, kind, days):
    # -> (start, end, what, size 0 to 1), in order.
    events = []
    for what, a_year, least_s, most_s in kind.events:
        expected = a_year * days / 365
        count = int(expected) + (rng.random() < expected % 1)
        for _ in range(count):
            start = T0 + rng.randrange(days * DAY)
            seconds = least_s * (most_s / least_s) ** rng.random()
            events.append((start, start + round(seconds), what, rng.random()))
    return sorted(events)
