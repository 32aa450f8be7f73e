"""The hardware: the only module that imports machine, network and esp32. No work at import."""

import os
import sys
import time

import machine
import micropython

from lowtide.dates import EPOCH_S

_READSIZE = 128
_led = None


def mount_root():
    """Mount the root with `readsize=128`: files up to 512 B then live in littlefs metadata.

    Raises:
        OSError: the volume does not mount.
    """
    import vfs

    partition = flash()
    vfs.umount("/")
    try:
        vfs.mount(vfs.VfsLfs2(partition, readsize=_READSIZE), "/")
    except OSError:
        vfs.mount(vfs.VfsLfs2(partition), "/")


def flash():
    """Return the partition of the root: `readblocks(number, buffer)`, `ioctl(4, 0)` blocks."""
    import esp32

    return esp32.Partition.find(esp32.Partition.TYPE_DATA, label="vfs")[0]


def time_s():
    """Return the board's clock in Unix seconds; 2000-01-01 after power-on."""
    return int(time.time()) + EPOCH_S


def set_time(unix_s):
    """Set the board's clock, which deep sleep keeps."""
    year, month, day, hour, minute, second = time.gmtime(unix_s - EPOCH_S)[:6]
    machine.RTC().datetime((year, month, day, 0, hour, minute, second, 0))


# The free-running millisecond count; it wraps: only for `seconds_since`.
ticks_ms = time.ticks_ms


def seconds_since(ticks_ms):
    """Return the real seconds since `ticks_ms()`, good for six days."""
    return time.ticks_diff(time.ticks_ms(), ticks_ms) // 1000


def boot():
    """Count this start in RTC memory. Return how many before it, in a row, had no clean end.

    A watchdog reset with the radio on is not counted: DNS may block for ever, and what the
    network does must not lead to safe mode.
    """
    cause, memory = machine.reset_cause(), machine.RTC().memory
    if cause == machine.SOFT_RESET:
        # Ctrl-D leaves the radio as it was: here is no object to stop it by.
        radio.start([])
        radio.stop()
    held = memory()
    if len(held) < 3:
        held = bytes(3)
    bad = held[0]
    if bad and held[1] and cause == machine.WDT_RESET:
        bad -= 1
    memory(bytes((min(bad + 1, 255), 0)) + held[2:])
    return bad


def kept():
    """Return `(why, data)` as last kept in RTC memory: it survives sleep and reset, not power.

    `boot()` comes first: it makes room where there is nothing.
    """
    memory = machine.RTC().memory()
    end = 3 + memory[2]
    try:
        why = memory[3:end].decode()
    except UnicodeError:
        # Another program's.
        why = ""
    return why, memory[end:]


def keep(data, why, radio=False):
    """Keep `data` in RTC memory, with why the last wake failed; `radio`: it goes on next.

    Room is for 2,048 bytes, of which the start count and `why` take at most 123.
    """
    why = why[:120]
    # No character is to be cut in two.
    while len(why.encode()) > 120:
        why = why[:-1]
    text = why.encode()
    memory = machine.RTC().memory
    memory(memory()[:1] + bytes((radio, len(text))) + text + data)


def clean_end():
    """Note that this start ends well: the next one finds none bad before it."""
    memory = machine.RTC().memory
    memory(b"\0" + memory()[1:])


def started_by():
    """Return what this start is: "sleep", "watchdog", or "" for power-on, reset or a person."""
    cause = machine.reset_cause()
    if cause == machine.DEEPSLEEP_RESET:
        return "sleep"
    return "watchdog" if cause == machine.WDT_RESET else ""


def deepsleep_s(seconds):
    """Sleep deeply, radio and LED off, then start anew; 0 sleeps until reset. Does not return."""
    radio.stop()
    if _led:
        _led(0)
    if seconds:
        machine.deepsleep(seconds * 1000)
    machine.deepsleep()


def rescue(e, seconds):
    """Print what failed, leave a person ten seconds for Ctrl-C, then sleep. Does not return."""
    sys.print_exception(e)
    # The console may have had it as a byte.
    micropython.kbd_intr(3)
    if started_by() != "sleep":
        time.sleep(10)
    deepsleep_s(seconds)


def reset():
    """Start anew at once. Does not return."""
    machine.reset()


def watchdog(seconds):
    """Set the hardware watchdog, again if need be, and return its `feed()`.

    It cannot be stopped: it outlives Ctrl-C and a soft reset, only deep sleep ends it.
    """
    return machine.WDT(timeout=seconds * 1000).feed


def random(n):
    """Return a random integer from 0 to `n`."""
    return int.from_bytes(os.urandom(4), "big") % (n + 1)


def led(pin, on):
    """Return the `(lit)`, 0 or 1, of the LED on `pin`; `on`: the level that lights it."""
    global _led
    out = machine.Pin(pin, machine.Pin.OUT, value=not on)
    _led = lambda lit: out(lit == on)  # noqa: E731 - smaller than a function
    return _led


def adc_read_uv(pin):
    """Return a `read_uv()` for the ADC on `pin`, 11 dB attenuation (to about 2.45 V)."""
    adc = machine.ADC(machine.Pin(pin), atten=machine.ADC.ATTN_11DB)
    return adc.read_uv


class Radio:
    """Wi-Fi station. `wlan` is the port's own object, None while the radio is off."""

    wlan = None

    def start(self, address):
        """Switch on; `address`: `[ip, mask, gateway, dns]`, empty for DHCP."""
        import network

        self.wlan = wlan = network.WLAN(network.STA_IF)
        wlan.active(True)
        if address:
            wlan.ifconfig(tuple(address))

    def strongest(self, ssid):
        """Scan (about 2 s). Return the BSSID of the strongest access point so named, or b""."""
        # It finds nothing while the driver still tries to connect.
        self.wlan.disconnect()
        best = (-999, b"")
        for ap in self.wlan.scan():
            if ap[0] == ssid.encode():
                best = max(best, (ap[3], ap[1]))
        return best[1]

    def connect(self, ssid, password, bssid):
        """Begin to connect; an empty password is an open network, empty `bssid` any point."""
        # connect() while connecting raises "Wifi Internal Error".
        self.wlan.disconnect()
        self.wlan.connect(ssid, password or None, bssid=bssid or None)

    def stop(self):
        """Switch the radio off."""
        if self.wlan is not None:
            self.wlan.active(False)
            self.wlan = None


radio = Radio()
