"""Configuration: one table of settings, and those that were set. People set by `settings`."""

import json

from micropython import const

# Kinds of setting: a whole number, a secret, a choice with a bar between its values; "t" is any
# text, and what the others are only `settings` has to know.
INT = "i"
SECRET = "s"
_POWER = const("power.mode")

# Name, kind, least, most (text is counted in characters), default. The unit is in the name; what
# each one is for, with an example, is in help.txt. One string and not a dict of tuples: that
# would take 8 KB of heap on the 64-bit host, all the time.
_TABLE = const("""
wifi.ssid t 0 32\x20
wifi.password s 0 63\x20
wifi.static n 0 63\x20
drs.host h 1 128 dash-replenishment-service-na.amazon.com
drs.port i 1 65535 443
lwa.host h 1 128 api.amazon.com
lwa.port i 1 65535 443
lwa.page u 9 128 https://www.amazon.com/ap/oa
lwa.client_id t 0 256\x20
lwa.client_secret s 0 256\x20
lwa.refresh_token s 0 2048\x20
ntp.host h 1 128 pool.ntp.org
ntp.port i 1 65535 123
device.model d 0 64\x20
device.serial d 0 64\x20
device.stage live|trial|test 0 0 live
slot.id t 0 128\x20
slot.capacity i 1 1000000 100
slot.unit t 1 16 count
power.mode mains|battery 0 0 mains
measure.interval_s i 1 86400 900
gauge.table g 0 200\x20
level.reorder_pct i 1 60 20
level.lead_days i 0 60 7
level.confirm_count i 2 20 3
level.refill_pct i 5 30 15
level.refill_count i 2 40 6
order.repeat_window_s i 0 86400 43200
order.poll_interval_s i 600 86400 14400
order.resolution_after_s i 600 86400 3600
order.resolution_window_s i 86400 864000 259200
order.cancel_hold_s i 86400 8640000 432000
order.horizon_s i 172800 8640000 864000
order.min_interval_s i 3600 8640000 86400
""")
_NEWER = const("configuration: of a newer firmware; deploy that again, or factory-reset")
# As `store.Store` has it.
_SCHEMA = const(1)
# What the agent cannot work without. A public (PKCE) client has no secret.
_REQUIRED = const("wifi.ssid lwa.client_id lwa.refresh_token slot.id")


def names():
    """Yield the names of all settings, in the table's order."""
    # Not split(): that would need the table's size once more, and again.
    start = 1
    while start < len(_TABLE):
        yield _TABLE[start : _TABLE.find(" ", start)]
        start = _TABLE.find("\n", start) + 1


def point(name):
    """Return `(kind, default, least, most)` of a setting.

    Raises:
        ValueError: there is no such setting.
    """
    start = _TABLE.find("\n%s " % name)
    if start < 0 or " " in name:
        raise ValueError("unknown setting; see 'config'")
    line = _TABLE[start + 1 : _TABLE.find("\n", start + 1)]
    _, kind, least, most, default = line.split(" ")
    return kind, int(default) if kind == INT else default, int(least), int(most)


def fits(name, value):
    """Whether `value` is of the setting's type and within its limits: the loop can live with it.

    Raises:
        ValueError: there is no such setting.
    """
    kind, _, least, most = point(name)
    if kind == INT:
        return isinstance(value, int) and least <= value <= most
    if "|" in kind:
        return value in kind.split("|")
    return isinstance(value, str) and least <= len(value) <= most


class Config:
    """The settings, over a `store` (see `store.Store`) that holds those that were set, as JSON.

    `present` tells whether a file exists (the device was configured once, readable or not),
    `fault` is None or why its content could not be used; with a fault nothing is ordered.
    """

    def __init__(self, store):
        self.store = store
        self.load()

    def load(self):
        """Take up what is in flash: without a file there are no settings."""
        # `_bad`: name to why its stored value cannot be used; "" is the whole file.
        self._set, self._bad = {}, {}
        payload = self.store.load()
        self.present = payload is not None
        try:
            stored = json.loads(payload) if self.present else {}
        except ValueError:
            stored = None
        if not isinstance(stored, dict):
            newer = self.store.schema > _SCHEMA
            self._bad[""] = _NEWER if newer else "configuration damaged; set it again"
            return
        self._set = stored
        for name in names():
            # Only ours: a setting of a newer firmware is kept for it, not judged.
            if name in stored and not fits(name, stored[name]):
                self._bad[name] = "configuration: %s: not valid; see 'help %s'" % (name, name)

    @property
    def fault(self):
        """None, or why the settings cannot be relied on, in one line; nothing is bought then."""
        for why in self._bad.values():
            return why
        return None

    def __getitem__(self, name):
        value = None if name in self._bad else self._set.get(name)
        return point(name)[1] if value is None else value

    def update(self, values):
        """Store several settings, all or none; they are in flash when this returns.

        What a person typed comes by way of `settings.change`, which checks it.

        Raises:
            ValueError: the file is a newer firmware's; nothing changed.
            OSError: it could not be written; nothing changed.
        """
        if self.fault == _NEWER:
            raise ValueError(_NEWER)
        changed = dict(self._set)
        changed.update(values)
        self.store.save(json.dumps(changed).encode())
        self._set = changed
        self.present = True
        for name in values:
            self._bad.pop(name, None)
        self._bad.pop("", None)

    def missing(self):
        """Return the first required setting that is not set, or None when configured.

        Nor is it with a power mode that cannot be read: nothing then says that it may stay awake.
        """
        if _POWER in self._bad:
            return _POWER
        for name in _REQUIRED.split():
            if not self[name]:
                return name
        return None
