"""`network` of the ESP32 port; the station itself is in the tool (radio.py)."""

from vb_bus import ask

STA_IF = 0
AP_IF = 1
STAT_BEACON_TIMEOUT = 200
STAT_NO_AP_FOUND = 201
STAT_WRONG_PASSWORD = 202
STAT_ASSOC_FAIL = 203
STAT_CONNECT_FAIL = 203
STAT_HANDSHAKE_TIMEOUT = 204
STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010

_hostname = "mpy-esp32"


def hostname(name=None):
    global _hostname
    _hostname = name or _hostname
    return _hostname


def ipconfig(param=None, *, dns=None):
    """Gets or sets the DNS server; nothing else is global."""
    address = WLAN().ifconfig()
    if dns is not None:
        WLAN().ifconfig(address[:3] + (dns,))
    elif param != "dns":
        raise ValueError("unexpected key")
    else:
        return address[3]


def _tell(*words):
    answer = ask("W", "\0".join(words).encode())
    kind, text = answer[:1], str(answer[1:], "utf-8")
    if kind != b"=":
        raise (OSError if kind == b"!" else ValueError)(text)
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

    def __new__(cls, interface=STA_IF):
        """There is one object to each interface, as on the port."""
        if interface not in (STA_IF, AP_IF):
            raise ValueError("invalid WLAN interface identifier")
        if interface not in cls._interfaces:
            cls._interfaces[interface] = self = super().__new__(cls)
            self._ap = False if interface == AP_IF else None
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
        return self._ap is None and self.status() == STAT_GOT_IP

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
        ip, mask, gateway, dns = self.ifconfig()
        if param == "addr4":
            return ip, mask
        if param == "gw4":
            return gateway
        if param == "dhcp4":
            return _tell("dhcp4") == "1"
        if param or not set(settings) <= {"dhcp4", "addr4", "gw4"}:
            raise ValueError("unexpected key")
        address = settings.get("addr4", (ip, mask))
        if isinstance(address, str):
            ip, _, bits = address.partition("/")
            address = ip, bits or mask
        is_dhcp = settings.get("dhcp4", False) and len(settings) == 1
        address = tuple(address) + (settings.get("gw4", gateway), dns)
        self.ifconfig("dhcp" if is_dhcp else address)

    def config(self, param=None, **settings):
        for name, value in settings.items():
            if name == "hostname":
                hostname(value)
            else:
                _tell("config", name, str(value))
        if param == "mac":
            import machine

            return machine.unique_id()
        if param == "hostname":
            return _hostname
        if param is not None:
            value = _tell("config", param)
            return value if param == "ssid" else (float if param == "txpower" else int)(value)
