"""How fast the fleet runs, in device-years a second, both policies."""

import time

from tools.policy.fleet import Fleet, run


def main() -> int:
    """Measure on one worker and on two; return 0."""
    for workers in (1, 2):
        fleet = Fleet(devices=24 * workers, days=365)
        start = time.monotonic()
        run(fleet, workers)
        rate = fleet.devices / (time.monotonic() - start)
        print(f"policy: {rate:.1f} device-years a second on {workers} worker{'s' * (workers > 1)}")
    return 0
