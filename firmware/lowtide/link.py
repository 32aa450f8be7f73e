"""The way out: Wi-Fi up, and a clock good enough to judge certificates."""

import asyncio
import os
import socket
import struct

from micropython import const

from lowtide.outcome import Fault

_WIFI_S = const(15)
_SNTP_S = const(3)
_POLL_MS = const(50)
_NTP_TO_UNIX = const(2208988800)
_ERA_S = const(1 << 32)


class Link:
    """Wi-Fi and SNTP.

    Args:
        radio: `start(ssid, password)`, `connected() -> bool`, `stop()`.
        set_time: `(unix_s)` sets the local clock.
        since_s: no time before this can be right.
    """

    def __init__(self, config, radio, set_time, since_s):
        self._config, self._radio = config, radio
        self._set_time, self._since_s = set_time, since_s

    async def up(self, clock_plausible, clock_suspect):
        """Bring Wi-Fi up; ask SNTP where the clock is not plausible, or is suspect.

        Raises:
            Fault: no Wi-Fi, or no plausible time.
        """
        config = self._config
        try:
            self._radio.start(config["wifi.ssid"], config["wifi.password"])
            for _ in range(_WIFI_S * 1000 // _POLL_MS):
                if self._radio.connected():
                    break
                await asyncio.sleep(_POLL_MS / 1000)
            else:
                raise Fault("no Wi-Fi: check wifi.ssid, wifi.password and the distance")
            if clock_suspect or not clock_plausible:
                await self._clock(clock_plausible)
        except OSError as e:
            raise Fault("network: %s" % e)

    def down(self):
        """Radio off: left on, it draws 200 times the sleep current."""
        self._radio.stop()

    async def _clock(self, clock_plausible):
        try:
            self._set_time(
                await sntp(self._config["ntp.host"], self._config["ntp.port"], self._since_s)
            )
        except (OSError, Fault) as e:
            if not clock_plausible:
                raise Fault("no time, so no TLS: SNTP: %s" % e)


async def sntp(host, port, since_s):
    """Ask one SNTP server once (RFC 4330); return Unix seconds.

    micropython-lib's `ntptime` knows port 123 only, blocks, and sets the clock by itself.

    Raises:
        Fault: no answer, or none that can be right.
        OSError: no route, no such host.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        address = socket.getaddrinfo(host, port, 0, socket.SOCK_DGRAM)[0][-1]
        sock.setblocking(False)
        # The transmit timestamp comes back as originate: only who saw the question can answer.
        nonce = os.urandom(8)
        sock.sendto(b"\x23" + bytes(39) + nonce, address)
        for _ in range(_SNTP_S * 1000 // _POLL_MS):
            await asyncio.sleep(_POLL_MS / 1000)
            try:
                data = sock.recv(48)
            except OSError:
                continue
            if len(data) == 48 and data[24:32] == nonce and data[0] & 7 == 4 and data[1]:
                return _plausible(data, since_s)
    finally:
        sock.close()
    raise Fault("no answer from %s" % host)


def _plausible(data, since_s):
    now_s = struct.unpack("!I", data[40:44])[0] - _NTP_TO_UNIX
    if now_s < since_s:
        # Era 1 begins in 2036 (RFC 4330, section 3).
        now_s += _ERA_S
    if now_s - since_s >= _ERA_S >> 1:
        raise Fault("implausible time")
    return now_s
