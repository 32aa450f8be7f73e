"""The stores that are compared, each with one face: `fields` as found, `save(fields)`."""

import json
import os
import struct

from ram_flash import ROOT

PATH = ROOT + "/order"
_NAMES = ("state", "blocked", "late", "lapsed", "cancels", "lapses", "bad_days", "bad_day",
          "lowest_permille", "attempt_at", "ordered_at", "horizon_at", "cancelled_at",
          "event_id")  # fmt: skip
_FORMAT = "<7B2H4I"
_SIZE = struct.calcsize(_FORMAT)
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
        from lowtide.store import Store

        self._store = Store(PATH)
        payload = self._store.load()
        self.fields = None
        if payload:
            self.fields = struct.unpack(_FORMAT, payload[:_SIZE]) + (payload[_SIZE:].decode(),)

    def save(self, fields):
        self._store.save(struct.pack(_FORMAT, *fields[:-1]) + fields[-1].encode())


class ChuMicro:
    """`chumicro-kvstore` on its littlefs backend, a key a field."""

    def __init__(self):
        from chumicro_kvstore import KVStore
        from chumicro_kvstore._backends.mp_littlefs import MpLittlefsBackend

        self._store = KVStore(MpLittlefsBackend(PATH))
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
            with open(PATH) as f:
                kept = json.load(f)
        except (OSError, ValueError):
            return
        self.fields = tuple(kept[name] for name in _NAMES)

    def save(self, fields):
        with open(PATH + ".tmp", "w") as f:
            json.dump(dict(zip(_NAMES, fields)), f)  # noqa: B905
        os.rename(PATH + ".tmp", PATH)


class Removing(Json):
    """As `Json`, but what is there is removed before the renaming: known to lose."""

    def save(self, fields):
        with open(PATH + ".tmp", "w") as f:
            json.dump(dict(zip(_NAMES, fields)), f)  # noqa: B905 - MicroPython has no strict=
        if "order" in os.listdir(ROOT):
            os.remove(PATH)
        os.rename(PATH + ".tmp", PATH)


STORES = {"lowtide": Lowtide, "kvstore": ChuMicro, "json": Json, "removing": Removing}
