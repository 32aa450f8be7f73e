"""An order's states in flash, kept by one store or another: costs, power cuts, damage.

Each update is a wake: the store is opened, what it holds is changed, and kept.
"""

import gc
import os
import time

from bench_order import order, say
from bench_stores import PATH, STORES, content
from ram_flash import Flash, PowerCut, formatted, mount

_KINDS = 3


def costs(store, readsize, updates):
    """Keep so many states; return what that took, and what keeping the last one again takes."""
    flash = Flash(formatted())
    mount(flash, readsize)
    store().save(content(0))
    before = flash.programs, flash.erases, flash.programmed
    took_us = [0] * updates
    for number in range(1, updates + 1):
        began = time.ticks_us()
        store().save(content(number))
        took_us[number - 1] = time.ticks_diff(time.ticks_us(), began)
    after = flash.programs, flash.erases, flash.programmed
    operations = flash.operations
    store().save(content(updates))
    kept = store().fields == content(updates)
    size = os.stat(PATH)[6]
    spent = [b - a for a, b in zip(before, after)]  # noqa: B905
    return {
        "ok": kept,
        "programs": spent[0],
        "erases": spent[1],
        "programmed": spent[2],
        "took_us": took_us,
        "size": size,
        "unchanged": flash.operations - operations,
    }


def cut(store, readsize, image, number, at, kind):
    """Keep one more state with a cut; return the flash, None if the cut did not come."""
    flash = Flash(image)
    mount(flash, readsize)
    flash.cut_at, flash.kind = at, kind
    try:
        store().save(content(number))
    except (PowerCut, OSError):
        # A store that closes its file on the way out meets the dead flash before the cut is seen.
        if not flash.dead:
            raise
    return Flash(flash.data) if flash.dead else None


def cuts(store, readsize, updates):
    """Cut each of so many updates at every flash operation, in three ways; count what is left."""
    found = {"cuts": 0, "old": 0, "new": 0, "lost": 0}
    gc.disable()
    image = formatted()
    mount(Flash(image), readsize)
    for number in range(updates):
        for kind in range(_KINDS):
            at = 1
            while True:
                flash = cut(store, readsize, image, number, at, kind)
                if flash is None:
                    break
                at += 1
                found["cuts"] += 1
                found[judge(store, readsize, flash, number)] += 1
        flash = Flash(image)
        mount(flash, readsize)
        store().save(content(number))
        image = bytes(flash.data)
    gc.enable()
    return found


def judge(store, readsize, flash, number):
    """Return what a cut left of states `number - 1` and `number`."""
    old = content(number - 1) if number else None
    try:
        mount(flash, readsize)
        fields = store().fields
    except (OSError, ValueError, KeyError):
        return "lost"
    if fields == content(number):
        return "new"
    return "old" if fields == old else "lost"


def damage(store, readsize):
    """Flip each bit of what is kept; return how many flips were believed."""
    flash = Flash(formatted())
    mount(flash, readsize)
    store().save(content(3))
    with open(PATH, "rb") as f:
        good = f.read()
    believed = 0
    for at in range(len(good) * 8):
        bad = bytearray(good)
        bad[at >> 3] ^= 1 << (at & 7)
        with open(PATH, "wb") as f:
            f.write(bad)
        try:
            fields = store().fields
        except (ValueError, KeyError, TypeError):
            continue
        believed += fields is not None and fields != content(3)
    return {"flips": len(good) * 8, "believed": believed, "dead flash": of_dead(store, flash)}


def of_dead(store, flash):
    """Return what the store says where the flash cannot be read."""
    flash.dead = True
    try:
        store()
    except OSError:
        return "an error"
    return "no order"


def main():
    o = order()
    store, readsize = STORES[o["store"]], o["readsize"]
    result = costs(store, readsize, o["updates"])
    result["cuts"] = cuts(store, readsize, o["cut"])
    result["damage"] = damage(store, readsize)
    say(**result)
