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

_hostname = "mpy-esp32"


def hostname(name=None):
    global _hostname
    _hostname = name or _hostname
    return _hostname


class WLAN:
    IF_STA = 0
    IF_AP = 1
    PM_NONE = 0
    PM_PERFORMANCE = 1
    PM_POWERSAVE = 2

    _interfaces = {}

    def __new__(cls, interface=STA_IF):
        """There is one object to each interface, as on the port."""
        if interface not in cls._interfaces:
            cls._interfaces[interface] = self = super().__new__(cls)
            self._active = False
            self._since = None
            self._ifconfig = ("127.0.0.1", "255.0.0.0", "127.0.0.1", "127.0.0.1")
            self._config = {"ssid": "", "channel": 1, "reconnects": -1, "txpower": 20, "pm": 1}
        return cls._interfaces[interface]

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
        if param is not None:
            return -55  # rssi, the only one there is
        if self._since is None:
            return STAT_IDLE
        is_up = _time.ticks_diff(_time.ticks_ms(), self._since) >= 20
        return STAT_GOT_IP if is_up else STAT_CONNECTING

    def scan(self):
        if not self._active:
            raise OSError("STA must be active")
        return [(b"lowtide", b"\x02\0\0\0\0\x01", 1, -55, 3, False)]

    def ifconfig(self, config=None):
        if config is None:
            return self._ifconfig if self.isconnected() else ("0.0.0.0",) * 4
        if config != "dhcp":
            self._ifconfig = tuple(config)

    def ipconfig(self, param=None, **settings):
        if param == "addr4":
            return self.ifconfig()[:2]
        if param == "gw4":
            return self.ifconfig()[2]

    def config(self, param=None, **settings):
        self._config.update(settings)
        if param == "mac":
            import machine

            return machine.unique_id()
        if param == "hostname":
            return _hostname
        if param is not None:
            if param not in self._config:
                raise ValueError("unknown config param")
            return self._config[param]
