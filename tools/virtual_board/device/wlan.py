"""`WLAN` of `network`; the station itself is in the tool (radio.py)."""

from micropython import const
from vb_core import ask, load

_STA_IF = const(0)
_AP_IF = const(1)
_GOT_IP = const(1010)
_RADIO = const(0x57)


def tell(*words):
    answer = ask(_RADIO, "\0".join(words).encode())
    kind, text = answer[0], str(answer[1:], "utf-8")
    if kind != 0x3D:  # "="
        raise (OSError if kind == 0x21 else ValueError)(text)  # "!"
    return text


def _text(value):
    return value if isinstance(value, str) else str(value, "utf-8")


class WLAN:
    IF_STA = 0
    IF_AP = 1
    SEC_OPEN = 0
    SEC_WPA2 = 3
    PM_NONE = 0
    PM_PERFORMANCE = 1
    PM_POWERSAVE = 2

    _wlan = {}

    def __new__(cls, id=_STA_IF):
        """There is one object to each interface, as on the port."""
        if id not in (_STA_IF, _AP_IF):
            raise ValueError("invalid WLAN interface identifier")
        if id not in cls._wlan:
            cls._wlan[id] = self = super().__new__(cls)
            self._ap = False if id == _AP_IF else None
        return cls._wlan[id]

    def active(self, on=None):
        if self._ap is not None:
            # Boards switch it off to be sure; nobody is ever there.
            self._ap = self._ap if on is None else bool(on)
            return self._ap
        return bool(int(tell("active", "" if on is None else str(int(bool(on))))))

    def connect(self, ssid=None, key=None, *, bssid=None):
        if bssid is not None and len(bssid) != 6:
            raise ValueError
        tell("connect", _text(ssid or ""), _text(key or ""), bssid.hex() if bssid else "")

    def disconnect(self):
        tell("disconnect")

    def isconnected(self):
        return self._ap is None and self.status() == _GOT_IP

    def status(self, name=None):
        if name == "stations":
            raise OSError("AP required")
        if name not in (None, "rssi"):
            raise ValueError("unknown status name")
        return int(tell(name or "status"))

    def scan(self):
        found = tell("scan")
        if not found:
            return []
        ssid, bssid, channel, rssi, security = found.split("\0")
        fields = ssid.encode(), bytes.fromhex(bssid), int(channel), int(rssi), int(security)
        return [fields + (False,)]

    def ifconfig(self, config=None):
        if config is None:
            return tuple(tell("address").split("\0"))
        tell("address", *(["dhcp"] if config == "dhcp" else map(str, config)))

    def ipconfig(self, name=None, **settings):
        return load("config").ipconfig(self, name, settings)

    def config(self, name=None, **settings):
        return load("config").config(name, settings)
