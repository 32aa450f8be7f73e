"""The figures of a fleet, and the years of one device, drawn."""

from datetime import UTC, datetime

import matplotlib

from tools.policy.judge import BINS

matplotlib.use("svg")
from matplotlib import pyplot

_COLOURS = {"lowtide": "#1b7f79", "bare threshold": "#d1734b"}
_BARS = {
    "false": "false orders",
    "early": "orders too early",
    "beside_pack": "orders beside an\nunopened pack",
    "dry": "stock-outs",
    "avoidable": "avoidable stock-outs",
    "clearly": "a day later, too",
    "missed": "missed refills",
    "phantom": "refills that were none",
}


def fleet(tally, device_years, title, path):
    """Draw what each policy did, and how full the bins truly were at its orders."""
    figure, (bars, orders) = pyplot.subplots(1, 2, figsize=(12, 4.8), layout="constrained")
    height = 0.8 / len(tally.counts)
    for i, (policy, counts) in enumerate(tally.counts.items()):
        shares = [counts[name] * 100 / device_years for name in _BARS]
        places = [place + i * height for place in range(len(_BARS))]
        drawn = bars.barh(places, shares, height, color=_COLOURS[policy], label=policy)
        bars.bar_label(drawn, [f" {counts[name]:,}" for name in _BARS], fontsize=8)
        bands = [(band + 0.5) * 100 / BINS for band in range(BINS)]
        orders.step(bands, tally.at_orders[policy], where="mid", color=_COLOURS[policy])
    bars.set_yticks(
        [place + 0.4 - height / 2 for place in range(len(_BARS))],
        _BARS.values(),
    )
    bars.set_xscale("symlog", linthresh=0.1)
    bars.set_xlim(0, bars.get_xlim()[1] * 4)
    bars.invert_yaxis()
    bars.set_xlabel("in 100 device-years; the figure beside a bar is the count")
    bars.legend(frameon=False, loc="lower right")
    orders.set_yscale("symlog", linthresh=1)
    orders.set_ylim(bottom=0)
    orders.set_xlabel("truly in the bin at an order, %")
    orders.set_ylabel("orders")
    _save(figure, title, path)


def years(story, title, path):
    """Draw one device's years: what was in the bin, what it read, and the judge's cases."""
    figure, axes = pyplot.subplots(figsize=(16, 4.8), layout="constrained")
    times = [datetime.fromtimestamp(at_s, UTC) for at_s, _, _ in story.wakes]
    axes.plot(times, [truth / 10 for _, truth, _ in story.wakes], color="#999999", label="truth")
    read = [None if reading is None else reading / 10 for _, _, reading in story.wakes]
    axes.plot(times, read, ".", markersize=1.5, color=_COLOURS["lowtide"], label="reading")
    for at_s, _ in story.orders:
        axes.axvline(datetime.fromtimestamp(at_s, UTC), color="#444444", linewidth=0.6)
    for what, at_s, _ in story.cases:
        axes.annotate(what, (datetime.fromtimestamp(at_s, UTC), 102), rotation=60, fontsize=7)
    axes.set_ylabel("in the bin, %; a line is an order")
    axes.legend(frameon=False, loc="upper right")
    _save(figure, title, path)


def _save(figure, title, path):
    figure.suptitle(title, fontsize=11)
    figure.savefig(path)
    pyplot.close(figure)
