"""Configuration: one table drives defaults, validation and what the console shows."""

import json

from micropython import const

STR = const(0)
INT = const(1)
SECRET = const(2)
CHOICE = const(3)

# name: (kind, default, low, high) for INT, (kind, default, shortest, longest) for text in
# characters, (kind, default, choices) for CHOICE. Times in seconds, levels in percent.
POINTS = {
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
    "power.mode": (CHOICE, "mains", ("mains", "battery")),
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
    point = POINTS.get(name)
    if point is None:
        raise ValueError("unknown setting: %s; 'config' lists them all" % _shown(name))
    kind = point[0]
    if kind == CHOICE:
        if value not in point[2]:
            raise ValueError("%s: want %s" % (name, " or ".join(point[2])))
        return value
    if kind == INT:
        text = str(value)
        if not text.isdigit() or len(text) > 9 or not point[2] <= int(text) <= point[3]:
            raise ValueError("%s: want a whole number from %d to %d" % (name, point[2], point[3]))
        return int(text)
    if not isinstance(value, str) or not point[2] <= len(value) <= point[3]:
        raise ValueError("%s: want %d to %d characters" % (name, point[2], point[3]))
    if any(not " " <= c <= "~" for c in value) and name != "wifi.ssid" and name != "wifi.password":
        raise ValueError("%s: want printable ASCII; retype it" % name)
    if name.startswith("device.") and not all(
        c.isalpha() or c.isdigit() or c in "+_-" for c in value
    ):
        raise ValueError("%s: want letters, digits, + _ - only" % name)
    return value


def _shown(name):
    return "".join(c if " " <= c <= "~" else "?" for c in name[:40])


class Config:
    """The settings, over a `store` (see `store.Store`) that holds those that were set, as JSON.

    `present` tells whether a file exists (the device was configured once, readable or not),
    `fault` is None or why its content could not be used; with a fault nothing is ordered.
    """

    def __init__(self, store, status, payload):
        self._store = store
        self._set = {}
        self.fault = None
        self.present = status != 1
        if status > 1:
            self.fault = "configuration damaged or newer than this firmware; configure again"
        elif payload is not None:
            try:
                self._adopt(json.loads(payload))
            except (ValueError, AttributeError) as e:
                self.fault = "configuration not usable (%s); set that value again" % e

    def _adopt(self, stored):
        for name, value in stored.items():
            # A setting of a newer firmware is kept for it, not judged.
            self._set[name] = check(name, value) if name in POINTS else value

    def __getitem__(self, name):
        value = self._set.get(name)
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
        self.fault = None

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
