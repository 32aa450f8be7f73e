"""Configuration: one table drives defaults, validation and what the console shows."""

import json

from micropython import const

from lowtide.outcome import ABSENT, OK

STR = const(0)
INT = const(1)
SECRET = const(2)
MODE = const(3)
_MODES = ("mains", "battery")

# name: (kind, default, least, most), text counted in characters; the unit is in the name.
POINTS: dict[str, tuple] = {
    "wifi.ssid": (STR, "", 0, 32),
    "wifi.password": (SECRET, "", 0, 63),
    "drs.host": (STR, "dash-replenishment-service-na.amazon.com", 1, 128),
    "drs.port": (INT, 443, 1, 65535),
    "lwa.host": (STR, "api.amazon.com", 1, 128),
    "lwa.port": (INT, 443, 1, 65535),
    "lwa.client_id": (STR, "", 0, 256),
    "lwa.client_secret": (SECRET, "", 0, 256),
    "lwa.refresh_token": (SECRET, "", 0, 2048),
    "ntp.host": (STR, "pool.ntp.org", 1, 128),
    "ntp.port": (INT, 123, 1, 65535),
    "device.model": (STR, "", 0, 64),
    "device.serial": (STR, "", 0, 64),
    "slot.id": (STR, "", 0, 128),
    "slot.capacity": (INT, 100, 1, 1000000),
    "slot.unit": (STR, "count", 1, 16),
    "power.mode": (MODE, "mains", 0, 0),
    "measure.interval_s": (INT, 900, 1, 86400),
    "level.reorder_pct": (INT, 20, 1, 60),
    "level.confirm_count": (INT, 3, 2, 20),
    "level.refill_pct": (INT, 15, 5, 30),
    "level.refill_count": (INT, 6, 2, 40),
    "order.repeat_window_s": (INT, 43200, 0, 86400),
    "order.poll_interval_s": (INT, 14400, 600, 86400),
    "order.resolution_after_s": (INT, 3600, 600, 86400),
    "order.resolution_window_s": (INT, 259200, 86400, 864000),
    "order.cancel_hold_s": (INT, 432000, 86400, 8640000),
    "order.horizon_s": (INT, 864000, 172800, 8640000),
    "order.min_interval_s": (INT, 86400, 3600, 8640000),
}
# What the agent cannot work without. A public (PKCE) client has no secret.
REQUIRED = ("wifi.ssid", "lwa.client_id", "lwa.refresh_token", "slot.id")


def check(name, value):
    """Return `value` (text or number) as the point's own type.

    Raises:
        ValueError: one line that names the point, the limit and the remedy, never the value of
            a secret.
    """
    if name not in POINTS:
        raise ValueError("unknown setting; 'config' lists them all")
    kind, _, least, most = POINTS[name]
    if kind == INT:
        text = str(value)
        if text.isdigit() and len(text) < 10 and least <= int(text) <= most:
            return int(text)
        want = "a whole number from %d to %d" % (least, most)
    elif kind == MODE:
        if value in _MODES:
            return value
        want = " or ".join(_MODES)
    else:
        if isinstance(value, str) and least <= len(value) <= most and min(value or " ") >= " ":
            return value
        want = "%d to %d characters, no control characters" % (least, most)
    raise ValueError("%s: want %s" % (name, want))


class Config:
    """The settings, over a `store` (see `store.Store`) that holds those that were set, as JSON.

    `present` tells whether a file exists (the device was configured once, readable or not),
    `fault` is None or why its content could not be used; with a fault nothing is ordered.
    """

    def __init__(self, store, status, payload):
        self._store = store
        self._set = {}
        self._damaged = status not in (OK, ABSENT)
        self.present = status != ABSENT
        self._bad = {}
        if payload is not None:
            try:
                stored = json.loads(payload)
            except ValueError:
                stored = None
            if isinstance(stored, dict):
                self._set = stored
            else:
                self._damaged = True
        for name, value in self._set.items():
            # A setting of a newer firmware is kept for it, not judged.
            if name in POINTS:
                try:
                    check(name, value)
                except ValueError as e:
                    self._bad[name] = "configuration not usable: %s" % e

    @property
    def fault(self):
        """None, or why the settings cannot be relied on, in one line; nothing is bought then."""
        if self._damaged:
            return "configuration damaged; set it again"
        for why in self._bad.values():
            return why
        return None

    def __getitem__(self, name):
        value = None if name in self._bad else self._set.get(name)
        return POINTS[name][1] if value is None else value

    def set(self, name, value):
        """Check and store one setting; it is in flash when this returns.

        Raises:
            ValueError: see `check`; nothing changed.
            OSError: it could not be written; nothing changed.
        """
        changed = dict(self._set)
        changed[name] = check(name, value)
        self._store.save(json.dumps(changed).encode())
        self._set = changed
        self.present = True
        self._damaged = False
        self._bad.pop(name, None)

    def shown(self, name):
        """Return what may be shown of a setting: the value, or whether a secret is set."""
        value = self[name]
        if POINTS[name][0] == SECRET:
            return "set" if value else "not set"
        return value

    def missing(self):
        """Return the first required setting that is not set, or None when configured."""
        for name in REQUIRED:
            if not self[name]:
                return name
        return None
