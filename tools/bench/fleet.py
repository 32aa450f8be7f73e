"""How fast the fleet of `make policy` lives: device-years a second on one worker and on two."""

import statistics
import time

from tools.bench.summary import Row
from tools.policy.fleet import Fleet, run

_WORKERS = (1, 2)
_DEVICES, _ROUNDS = 24, 3
_INTRO = """\
The fleet of simulated dispensers, both policies: {devices} devices for a year to each worker, one
worker and two in turn, {rounds} times. What else the machine does meanwhile is missing here."""


def measure() -> list[Row]:
    """Measure and print; return the rows of the table."""
    print(_INTRO.format(devices=_DEVICES, rounds=_ROUNDS))
    rates = {workers: [] for workers in _WORKERS}
    for _ in range(_ROUNDS):
        for workers in _WORKERS:
            fleet = Fleet(devices=_DEVICES * workers, days=365)
            began = time.monotonic()
            run(fleet, workers)
            rates[workers].append(fleet.devices / (time.monotonic() - began))
    for workers, found in rates.items():
        middle = statistics.median(found)
        print(f"{workers} worker{'s' * (workers > 1)}: best {max(found):.1f}, median {middle:.1f}")
    one, two = (max(rates[workers]) for workers in _WORKERS)
    return [
        Row("fleet, one worker", "device-years a second", one),
        Row(
            "fleet, two workers",
            "device-years a second",
            two,
            one,
            "one worker",
            more=True,
            noise=0.1,
        ),
    ]
