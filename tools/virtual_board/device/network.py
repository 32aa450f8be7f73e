"""`network` of the ESP32 port until somebody uses it."""

from vb_core import load

STA_IF = 0


def __getattr__(name):
    return getattr(load("wlan" if name == "WLAN" else "network_more"), name)
