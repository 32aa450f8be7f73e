"""The hardware: the only module that imports machine, network and esp32. No work at import."""

import os
import time

import machine

from lowtide.dates import EPOCH_S

_READSIZE = 128


def mount_root():
    """Mount the root with `readsize=128`: files up to 512 B then live in littlefs metadata.

    Raises:
        OSError: the volume does not mount.
    """
    import esp32
    import vfs

    partition = esp32.Partition.find(esp32.Partition.TYPE_DATA, label="vfs")[0]
    vfs.umount("/")
    try:
        vfs.mount(vfs.VfsLfs2(partition, readsize=_READSIZE), "/")
    except OSError:
        vfs.mount(vfs.VfsLfs2(partition), "/")


def time_s():
    """Return the board's clock in Unix seconds; 2000-01-01 after power-on."""
    return int(time.time()) + EPOCH_S


def set_time(unix_s):
    """Set the board's clock, which deep sleep keeps."""
    year, month, day, hour, minute, second = time.gmtime(unix_s - EPOCH_S)[:6]
    machine.RTC().datetime((year, month, day, 0, hour, minute, second, 0))


def ticks_ms():
    """Return the free-running millisecond count; it wraps: only for `seconds_since`."""
    return time.ticks_ms()


def seconds_since(ticks_ms):
    """Return the real seconds since `ticks_ms()`, good for six days."""
    return time.ticks_diff(time.ticks_ms(), ticks_ms) // 1000


def rtc_memory():
    """Return what was last kept in RTC memory: survives sleep and reset, not power."""
    return machine.RTC().memory()


def keep_in_rtc(data):
    """Keep up to 2,048 bytes in RTC memory."""
    machine.RTC().memory(data)


def woke_from_sleep():
    """Whether this start is a wake from deep sleep, not power-on or reset."""
    return machine.reset_cause() == machine.DEEPSLEEP_RESET


def deepsleep_s(seconds):
    """Sleep deeply, then start anew; 0 sleeps until reset. Does not return."""
    if seconds:
        machine.deepsleep(seconds * 1000)
    machine.deepsleep()


def reset():
    """Start anew at once. Does not return."""
    machine.reset()


def watchdog(seconds):
    """Start the hardware watchdog; it cannot be stopped, only a sleep ends it."""
    machine.WDT(timeout=seconds * 1000)


def random(n):
    """Return a random integer from 0 to `n`."""
    return int.from_bytes(os.urandom(4), "big") % (n + 1)


def adc_read_uv(pin):
    """Return a `read_uv()` for the ADC on `pin`, 11 dB attenuation (to about 2.45 V)."""
    adc = machine.ADC(machine.Pin(pin), atten=machine.ADC.ATTN_11DB)
    return adc.read_uv


class Radio:
    """Wi-Fi station."""

    def __init__(self):
        self._wlan = None

    def start(self, ssid, password):
        """Begin to connect; an empty password is an open network."""
        import network

        self._wlan = wlan = network.WLAN(network.STA_IF)
        wlan.active(True)
        # connect() while connecting raises "Wifi Internal Error".
        wlan.disconnect()
        wlan.connect(ssid, password or None)

    def connected(self):
        """Whether there is a link with an address."""
        return self._wlan.isconnected()

    def stop(self):
        """Switch the radio off."""
        if self._wlan is not None:
            self._wlan.active(False)
            self._wlan = None
