"""What of `WLAN` few boards use."""

import network
from vb_wlan import tell


def ipconfig(wlan, param, settings):
    ip, mask, gateway, dns = wlan.ifconfig()
    if param == "addr4":
        return ip, mask
    if param == "gw4":
        return gateway
    if param == "dhcp4":
        return tell("dhcp4") == "1"
    if param or not set(settings) <= {"dhcp4", "addr4", "gw4"}:
        raise ValueError("unexpected key")
    address = settings.get("addr4", (ip, mask))
    if isinstance(address, str):
        ip, _, bits = address.partition("/")
        address = ip, bits or mask
    is_dhcp = settings.get("dhcp4", False) and len(settings) == 1
    address = tuple(address) + (settings.get("gw4", gateway), dns)
    wlan.ifconfig("dhcp" if is_dhcp else address)


def config(param, settings):
    for name, value in settings.items():
        if name == "hostname":
            network.hostname(value)
        else:
            tell("config", name, str(value))
    if param == "mac":
        import machine

        return machine.unique_id()
    if param == "hostname":
        return network.hostname()
    if param is not None:
        value = tell("config", param)
        return value if param == "ssid" else (float if param == "txpower" else int)(value)
