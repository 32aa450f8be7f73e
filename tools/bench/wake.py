"""What a measure wake and an uplink wake take, told by the device itself before it sleeps."""

import statistics

from tools.bench.board import board, firmware, gauge_only
from tools.bench.summary import Row

_WAKES = 9
_BINS = 3
_INTRO = """\
What a wake takes, as the device itself says before it sleeps: the firmware as it ships, on the
virtual board. Modules: from flash, with the bytes of their .mpy. Heap: bytes in use at the end,
after a collection. Flash: programs and erases. ms: of this host, from the first line of main.py to
the sleep, best and median of {wakes}."""


def measure() -> list[Row]:
    """Measure and print; return the rows of the table."""
    with board(gauge_only()) as bare:
        bare.slept()
        least = bare.measure_wakes(_WAKES)
    with board(firmware()) as whole:
        whole.talk_and_sleep()
        uplink = whole.run_low()[-1]
        whole.live()
        early, orders = whole.measure_wakes(_WAKES), whole.orders()
        for _ in range(_BINS):
            whole.live()
        late, orders = whole.measure_wakes(_WAKES), whole.orders() - orders
    print(_INTRO.format(wakes=_WAKES))
    print(f"{least[0].heap:,} bytes of the heap are the board's own: without any firmware.\n")
    head = ("modules", ".mpy bytes", "heap", "flash", "ms best", "median", "handshakes", "bytes")
    print(f"{'':<44}" + "".join(f"{name:>11}" for name in head))
    _print("a script that only reads the gauge", least)
    _print("measure wake, ten days old", early)
    _print(f"measure wake, {_BINS * 10} days and {orders} orders later", late)
    _print("uplink wake: Replenish and SlotStatus", [uplink])
    print()
    print(f"only the uplink wake: {', '.join(sorted(set(uplink.ours) - set(early[0].ours)))};")
    print(f"frozen: {', '.join(sorted(set(uplink.others) - set(early[0].others)))}")
    return _rows(least, early, late)


def _rows(least, early, late):
    peer, what = "a script that reads the gauge", "measure wake"
    past = f"itself, {_BINS * 10} days before"
    ms = [min(wake.ms for wake in wakes) for wakes in (late, least)]
    return [
        Row(what, "bytes of .mpy loaded", late[0].mpy_bytes, least[0].mpy_bytes, peer),
        Row(what, "heap in use", _most_heap(late), _most_heap(least), peer),
        Row(what, "flash operations", _flash(late), _flash(least), peer),
        Row(what, "best ms", *ms, peer),
        Row(f"{what}, a month later", "modules", len(late[0].ours), len(early[0].ours), past),
        Row(f"{what}, a month later", "heap in use", _most_heap(late), _most_heap(early), past),
        Row(f"{what}, a month later", "flash operations", _flash(late), _flash(early), past),
    ]


def _most_heap(wakes):
    return max(wake.heap for wake in wakes)


def _flash(wakes):
    return sum(wake.flash for wake in wakes)


def _print(text, wakes):
    wake = wakes[0]
    ms = [wake.ms for wake in wakes]
    print(f"{text:<44}{len(wake.ours):>11}{wake.mpy_bytes:>11,}{_most_heap(wakes):>11,}", end="")
    print(f"{_flash(wakes):>11}{min(ms):>11.2f}{statistics.median(ms):>11.2f}", end="")
    print(f"{wake.traffic.handshakes:>11}{wake.traffic.total:>11,}", flush=True)
