"""`WLAN` of `network`; the station itself is in the tool (radio.py)."""

from micropython import const
from vb_bus import ask, load

_STA_IF = const(0)
_AP_IF = const(1)
_GOT_IP = const(1010)
_RADIO = const(0x57)


def _tell(*words):
    answer = ask(_RADIO, "\0".join(words).encode())
    kind, text = answer[0], str(answer[1:], "utf-8")
    if kind != 0x3D:  # "="
        raise (OSError if kind == 0x21 else ValueError)(text)  # "!"
    return text


def _text(word):
    return word if isinstance(word, str) else str(word, "utf-8")


class WLAN:
    IF_STA = 0
    IF_AP = 1
    SEC_OPEN = 0
    SEC_WPA2 = 3
    PM_NONE = 0
    PM_PERFORMANCE = 1
    PM_POWERSAVE = 2

    _interfaces = {}

    def __new__(cls, interface=_STA_IF):
        """There is one object to each interface, as on the port."""
        if interface not in (_STA_IF, _AP_IF):
            raise ValueError("invalid WLAN interface identifier")
        if interface not in cls._interfaces:
            cls._interfaces[interface] = self = super().__new__(cls)
            self._ap = False if interface == _AP_IF else None
        return cls._interfaces[interface]

    def active(self, is_active=None):
        if self._ap is not None:
            # Boards switch it off to be sure; nobody is ever there.
            self._ap = self._ap if is_active is None else bool(is_active)
            return self._ap
        return _tell("active", "" if is_active is None else str(int(bool(is_active)))) == "1"

    def connect(self, ssid=None, key=None, *, bssid=None):
        if bssid is not None and len(bssid) != 6:
            raise ValueError
        _tell("connect", _text(ssid or ""), _text(key or ""), bssid.hex() if bssid else "")

    def disconnect(self):
        _tell("disconnect")

    def isconnected(self):
        return self._ap is None and self.status() == _GOT_IP

    def status(self, param=None):
        if param == "stations":
            raise OSError("AP required")
        if param not in (None, "rssi"):
            raise ValueError("unknown status param")
        return int(_tell(param or "status"))

    def scan(self):
        found = _tell("scan")
        if not found:
            return []
        ssid, bssid, channel, rssi, security = found.split("\0")
        fields = ssid.encode(), bytes.fromhex(bssid), int(channel), int(rssi), int(security)
        return [fields + (False,)]

    def ifconfig(self, config=None):
        if config is None:
            return tuple(_tell("address").split("\0"))
        _tell("address", *(["dhcp"] if config == "dhcp" else map(str, config)))

    def ipconfig(self, param=None, **settings):
        return load("vb_network_more").wlan_ipconfig(self, param, settings)

    def config(self, param=None, **settings):
        return load("vb_network_more").wlan_config(param, settings)
