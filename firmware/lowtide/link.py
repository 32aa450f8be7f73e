"""The way out: Wi-Fi up, and a clock good enough to judge certificates."""

import asyncio
import os
import socket
import struct

from micropython import const

from lowtide import Fault

_JOIN_S = const(15)
_REJOIN_S = const(5)
_SNTP_S = const(3)
_POLL_MS = const(50)
_NTP_TO_UNIX = const(2208988800)
_ERA_S = const(1 << 32)


class Link:
    """Wi-Fi and SNTP.

    Args:
        radio: see `hal.Radio`.
        time_s, set_time: the local clock.
        earliest_s: `() -> int`, the earliest time that can be now.
    """

    def __init__(self, config, radio, time_s, set_time, earliest_s):
        self._config, self._radio = config, radio
        self._time_s, self._set_time, self._earliest_s = time_s, set_time, earliest_s
        self._moved_s = 0
        # The access point of the last time, for RTC memory: 6 bytes, or none.
        self.bssid = b""

    async def up(self, clock_plausible, clock_suspect):
        """Bring Wi-Fi up; ask SNTP where the clock is not plausible, or is suspect.

        Raises:
            Fault: no Wi-Fi, or no plausible time.
        """
        self._moved_s = 0
        try:
            await self._join()
        except OSError as e:
            raise Fault("Wi-Fi: %s" % e)
        if clock_plausible and not clock_suspect:
            return
        try:
            now_s = await self._sntp()
        except (OSError, Fault) as e:
            if clock_plausible:
                return
            raise Fault("no time, so no TLS: SNTP: %s" % e)
        if clock_plausible:
            self._moved_s = now_s - self._time_s()
        self._set_time(now_s)

    def down(self):
        """Radio off: left on, it draws 200 times the sleep current."""
        self._radio.stop()

    def distrust_clock(self):
        """Undo what SNTP did in this uplink to a clock that may have been right."""
        if self._moved_s:
            self._set_time(self._time_s() - self._moved_s)

    async def _join(self):
        config, radio = self._config, self._radio
        ssid, password = config["wifi.ssid"], config["wifi.password"]
        radio.start(config["wifi.static"].split())
        if self.bssid and await self._joined(ssid, password, _REJOIN_S):
            return
        # Another place or another access point: look for the strongest. A hidden one is not seen.
        self.bssid = radio.strongest(ssid)
        if not await self._joined(ssid, password, _JOIN_S):
            self.bssid = b""
            why = radio.status()
            raise Fault("no Wi-Fi (%d): check wifi.ssid, wifi.password and the distance" % why)

    async def _joined(self, ssid, password, timeout_s):
        self._radio.connect(ssid, password, self.bssid)
        for _ in range(timeout_s * 1000 // _POLL_MS):
            if self._radio.connected():
                return True
            await asyncio.sleep(_POLL_MS / 1000)
        return False

    async def _sntp(self):
        # Ask the server once (RFC 4330) -> Unix seconds. Faults: no answer, or none that can be
        # right; OSError: no route, no such host. micropython-lib's `ntptime` knows port 123 only,
        # blocks, and sets the clock by itself.
        host, port = self._config["ntp.host"], self._config["ntp.port"]
        address = socket.getaddrinfo(host, port, 0, socket.SOCK_DGRAM)[0][-1]
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
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
                    break
            else:
                raise Fault("no answer from %s" % host)
        finally:
            sock.close()
        now_s, earliest_s = struct.unpack("!I", data[40:44])[0] - _NTP_TO_UNIX, self._earliest_s()
        if now_s < earliest_s:
            # Era 1 begins in 2036 (RFC 4330, section 3).
            now_s += _ERA_S
        if now_s - earliest_s >= _ERA_S >> 1:
            raise Fault("implausible time")
        return now_s
