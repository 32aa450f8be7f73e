"""`network` of the ESP32 port until somebody uses it."""

from vb_bus import load

STA_IF = 0


def __getattr__(name):
    return getattr(load("vb_wlan" if name == "WLAN" else "vb_network_more"), name)
