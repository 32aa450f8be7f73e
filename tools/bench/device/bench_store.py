"""An order's states in flash, kept by one store or another: costs, power cuts, damage.

Each update is a wake: the store is opened, what it holds is changed, and kept.
"""

import json
import os
import struct
import time

from bench_order import order, say
from ram_flash import ROOT, Flash, PowerCut, formatted, mount

_PATH = ROOT + "/order"
_NAMES = ("state", "blocked", "late", "lapsed", "cancels", "lapses", "bad_days", "bad_day",
          "lowest_permille", "attempt_at", "ordered_at", "horizon_at", "cancelled_at",
          "event_id")  # fmt: skip
_FORMAT = "<7B2H4I"
_SIZE = struct.calcsize(_FORMAT)
_KINDS = 3
_EIO = 5
_T0 = 1900800000


def content(number):
    """Return the fields of the order's `number`-th state: new times, and each fourth a new id."""
    at = _T0 + number * 21600
    state = 1 + number % 4
    event_id = "amzn1.dash.v2.o.%0100d" % (number // 4)
    return (state, 0, 0, 0, 0, 0, 0, 0, number % 1000, at, at + 60, 0, 0, event_id)


class Lowtide:
    """`lowtide.store`, the fields packed as the agent packs them."""

    def __init__(self):
        from lowtide.store import OK, Store

        self._store = Store(_PATH, 1)
        status, payload = self._store.load()
        self.fields = None
        if status == OK:
            self.fields = struct.unpack(_FORMAT, payload[:_SIZE]) + (payload[_SIZE:].decode(),)

    def save(self, fields):
        self._store.save(struct.pack(_FORMAT, *fields[:-1]) + fields[-1].encode())


class ChuMicro:
    """`chumicro-kvstore` on its littlefs backend, a key a field."""

    def __init__(self):
        from chumicro_kvstore import KVStore
        from chumicro_kvstore._backends.mp_littlefs import MpLittlefsBackend

        self._store = KVStore(MpLittlefsBackend(_PATH))
        self.fields = tuple(self._store.get(name) for name in _NAMES) if len(self._store) else None

    def save(self, fields):
        for name, value in zip(_NAMES, fields):  # noqa: B905 - MicroPython has no strict=
            self._store[name] = value
        self._store.commit_if_changed()


class Json:
    """What is written by hand: JSON into a file aside, and renamed."""

    def __init__(self):
        self.fields = None
        try:
            with open(_PATH) as f:
                kept = json.load(f)
        except (OSError, ValueError):
            return
        self.fields = tuple(kept[name] for name in _NAMES)

    def save(self, fields):
        with open(_PATH + ".tmp", "w") as f:
            json.dump(dict(zip(_NAMES, fields)), f)  # noqa: B905
        os.rename(_PATH + ".tmp", _PATH)


class Removing(Json):
    """As `Json`, but what is there is removed before the renaming: known to lose."""

    def save(self, fields):
        with open(_PATH + ".tmp", "w") as f:
            json.dump(dict(zip(_NAMES, fields)), f)  # noqa: B905 - MicroPython has no strict=
        if "order" in os.listdir(ROOT):
            os.remove(_PATH)
        os.rename(_PATH + ".tmp", _PATH)


_STORES = {"lowtide": Lowtide, "kvstore": ChuMicro, "json": Json, "removing": Removing}


class Dead(Flash):
    """A flash of which nothing can be read."""

    def readblocks(self, number, buf, offset=0):
        """As MicroPython wants it."""
        return _EIO if self.dead else Flash.readblocks(self, number, buf, offset)


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
    size = os.stat(_PATH)[6]
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
    flash = Dead(formatted())
    mount(flash, readsize)
    store().save(content(3))
    with open(_PATH, "rb") as f:
        good = f.read()
    believed = 0
    for at in range(len(good) * 8):
        bad = bytearray(good)
        bad[at >> 3] ^= 1 << (at & 7)
        with open(_PATH, "wb") as f:
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
    store, readsize = _STORES[o["store"]], o["readsize"]
    result = costs(store, readsize, o["updates"])
    result["cuts"] = cuts(store, readsize, o["cut"])
    result["damage"] = damage(store, readsize)
    say(**result)
