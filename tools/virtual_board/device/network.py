"""`network` of the ESP32 port. The air is perfect: the sockets are the host's loopback."""

import time as _time

STA_IF = 0
AP_IF = 1
STAT_BEACON_TIMEOUT = 200
STAT_NO_AP_FOUND = 201
STAT_WRONG_PASSWORD = 202
STAT_ASSOC_FAIL = 203
STAT_HANDSHAKE_TIMEOUT = 204
STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010

_CONNECT_MS = 20
_hostname = "mpy-esp32"
_country = "XX"


def hostname(name=None):
    global _hostname
    if name is None:
        return _hostname
    _hostname = name


def country(code=None):
    global _country
    if code is None:
        return _country
    _country = code


class WLAN:
    IF_STA = 0
    IF_AP = 1
    SEC_OPEN = 0
    SEC_WPA2 = 3
    PM_NONE = 0
    PM_PERFORMANCE = 1
    PM_POWERSAVE = 2

    _interfaces = {}

    def __new__(cls, interface=STA_IF):
        if interface not in cls._interfaces:
            cls._interfaces[interface] = self = super().__new__(cls)
            self._active = False
            self._since = None
            self._address = ("127.0.0.1", "255.0.0.0", "127.0.0.1", "127.0.0.1")
            self._config = {"ssid": "", "channel": 1, "reconnects": -1, "txpower": 20.0, "pm": 1}
        return cls._interfaces[interface]

    def __init__(self, interface=STA_IF):
        pass

    def active(self, is_active=None):
        if is_active is not None:
            self._active = bool(is_active)
            if not is_active:
                self._since = None
        return self._active

    def connect(self, ssid=None, key=None, *, bssid=None):
        if not self._active:
            raise OSError("Wifi Not Started")
        if self.status() == STAT_CONNECTING:
            raise OSError("Wifi Internal Error")
        if ssid is not None:
            self._config["ssid"] = ssid
        if self._config["ssid"]:
            self._since = _time.ticks_ms()

    def disconnect(self):
        self._since = None

    def isconnected(self):
        return self.status() == STAT_GOT_IP

    def status(self, param=None):
        if param == "rssi":
            return -55
        if param is not None:
            raise ValueError("unknown status param")
        if self._since is None:
            return STAT_IDLE
        is_up = _time.ticks_diff(_time.ticks_ms(), self._since) >= _CONNECT_MS
        return STAT_GOT_IP if is_up else STAT_CONNECTING

    def scan(self):
        if not self._active:
            raise OSError("STA must be active")
        return [(b"lowtide", b"\x02\0\0\0\0\x01", 1, -55, 3, False)]

    def ifconfig(self, config=None):
        if config is not None:
            if config != "dhcp":
                self._address = tuple(config)
            return None
        return self._address if self.isconnected() else ("0.0.0.0",) * 4

    def ipconfig(self, param=None, **settings):
        if param == "addr4":
            return self.ifconfig()[:2]
        if param == "gw4":
            return self.ifconfig()[2]
        if param in ("dhcp4", "has_dhcp4"):
            return True
        if param is not None:
            raise ValueError("unexpected key")

    def config(self, param=None, **settings):
        for name in settings:
            if name not in self._config and name not in ("mac", "hostname"):
                raise ValueError("unknown config param")
        self._config.update(settings)
        if param is None:
            return None
        if param in ("hostname", "dhcp_hostname"):
            return _hostname
        if param == "mac":
            from machine import unique_id

            return unique_id()
        if param in self._config:
            return self._config["ssid" if param == "essid" else param]
        raise ValueError("unknown config param")
