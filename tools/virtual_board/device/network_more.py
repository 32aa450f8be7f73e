"""The rest of `network`, and what of `WLAN` few boards use."""

import network
from vb_wlan import _tell

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
    wlan = network.WLAN()
    address = wlan.ifconfig()
    if dns is not None:
        wlan.ifconfig(address[:3] + (dns,))
    elif param != "dns":
        raise ValueError("unexpected key")
    else:
        return address[3]


def wlan_ipconfig(wlan, param, settings):
    ip, mask, gateway, dns = wlan.ifconfig()
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
    wlan.ifconfig("dhcp" if is_dhcp else address)


def wlan_config(param, settings):
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
