"""`python -m tools.policy`: the fleet, as a table and drawn; or one device."""

import argparse
import sys
import time
from pathlib import Path

from tqdm import tqdm

from tools.policy import report
from tools.policy.device import Settings
from tools.policy.fleet import Fleet, run
from tools.policy.story import Story


def main(arguments=None):
    """Run what was asked for. Return 0, or 2 for a setting that there is not."""
    options = _parser().parse_args(arguments)
    try:
        changes = dict(pair.split("=", 1) for pair in options.set)
        Settings(changes)
        fleet = Fleet(
            *(options.devices, round(options.years * 365), options.seed, changes),
            hurry=not options.every_wake,
        )
    except ValueError as e:
        print(f"policy: --set NAME=VALUE: {e}", file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    if options.trace is not None:
        return _trace(options, fleet)
    return _fleet(options, fleet)


def _fleet(options, fleet):
    start = time.monotonic()
    with tqdm(total=fleet.devices, unit="device", smoothing=0.1) as bar:
        tally = run(fleet, options.workers, options.scheduler, bar.update)
    seconds = time.monotonic() - start
    device_years = fleet.devices * fleet.days / 365
    title = f"{fleet.devices:,} dispensers, {options.years:g} years each, seed {fleet.seed}"
    print(title)
    print("\n".join(report.table(tally, device_years)))
    from tools.policy import plot  # a second's import, which a worker never needs

    path = options.out / "policy.svg"
    plot.fleet(tally, device_years, title, path)
    print(f"drawn: {path}")
    print("\n".join(report.cases(tally)))
    counts = tally.counts["lowtide"]
    goal = "missed" if any(counts[what] for what in report.GOAL) else "met"
    print(
        f"policy: devices={fleet.devices} false={counts['false']} avoidable={counts['avoidable']}"
        f" missed={counts['missed']} goal={goal} seconds={seconds:.0f}"
        f" device_years_per_second={device_years / seconds:.1f}"
    )
    return 0


def _trace(options, fleet):
    story = Story(fleet.seed, options.trace, fleet.days, changes=fleet.changes)
    print("\n".join(story.told()))
    from tools.policy import plot

    path = options.out / f"policy-{options.trace}.svg"
    plot.years(story, story.title, path)
    print(f"drawn: {path}")
    return 0


def _parser():
    parser = argparse.ArgumentParser(prog="python -m tools.policy", description=__doc__)
    add = parser.add_argument
    add("--devices", type=_at_least(1), default=1000, metavar="N")
    add("--years", type=_years, default=2, metavar="N", help="of each device, at most 20")
    add("--seed", type=int, default=1, metavar="N")
    add("--workers", type=_at_least(1), metavar="N", help="processes; as many as cores")
    add("--scheduler", metavar="ADDRESS", help="of a Dask cluster, whose workers do it instead")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the device")
    add("--every-wake", action="store_true", help="live the wakes too that cannot matter")
    add("--out", type=Path, default=Path("build"), metavar="FOLDER")
    add("--trace", type=_at_least(0), metavar="DEVICE", help="tell and draw this device's years")
    return parser


def _years(text):
    years = float(text)
    if not 0.1 <= years <= 20:
        raise argparse.ArgumentTypeError("0.1 to 20")
    return years


def _at_least(least):
    def number(text):
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"at least {least}")
        return value

    return number


if __name__ == "__main__":
    sys.exit(main())
