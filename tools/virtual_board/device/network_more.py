"""The rest of `network`, which few boards use."""

import network

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
