"""The way out: Wi-Fi up, and a clock good enough to judge certificates."""

import asyncio
import os
import socket

from micropython import const

from lowtide import Fault

_JOIN_S = const(15)
_REJOIN_S = const(5)
_SNTP_S = const(3)
_POLLS_A_SECOND = const(20)
_POLL_S = const(0.05)
_NTP_TO_UNIX = const(2208988800)


class Link:
    """Wi-Fi and SNTP for `agent`, over `radio` (see `hal.Radio`).

    `set_time(unix_s)` sets the local clock.
    """

    def __init__(self, agent, radio, set_time):
        self.agent, self.radio, self.set_time = agent, radio, set_time
        # The access point of the last time, for RTC memory: 6 bytes, or none.
        self.bssid = b""

    async def up(self, clock_suspect):
        """Bring Wi-Fi up; ask SNTP where the clock is not plausible, or is suspect.

        Return by how many seconds that moved a clock which may have been right.

        Raises:
            Fault: no Wi-Fi, or no plausible time.
        """
        try:
            await self._join()
        except (OSError, ValueError) as e:
            # The latter is about a wifi.static that is none.
            raise Fault("Wi-Fi: %s" % e)
        plausible = self.agent.clock_plausible()
        if plausible and not clock_suspect:
            return 0
        try:
            now_s = await self._sntp()
        except (OSError, Fault) as e:
            if plausible:
                return 0
            raise Fault("no time, so no TLS: check ntp.host: %s" % e)
        moved_s = now_s - self.agent.time_s() if plausible else 0
        self.set_time(now_s)
        return moved_s

    def down(self):
        """Radio off: left on, it draws 200 times the sleep current."""
        self.radio.stop()

    async def _join(self):
        config, radio = self.agent.config, self.radio
        radio.start(config["wifi.static"].split())
        if any(self.bssid) and await self._joined(_REJOIN_S):
            return
        # Another place or another access point: look for the strongest. A hidden one is not seen.
        self.bssid = radio.strongest(config["wifi.ssid"])
        if not await self._joined(_JOIN_S):
            self.bssid = b""
            # The port's status: 201 no access point of that name, 202 wrong password.
            raise Fault(
                "no Wi-Fi (%d): check wifi.ssid, wifi.password and the distance"
                % radio.wlan.status()
            )

    async def _joined(self, timeout_s):
        config, radio = self.agent.config, self.radio
        radio.connect(config["wifi.ssid"], config["wifi.password"], self.bssid)
        for _ in range(timeout_s * _POLLS_A_SECOND):
            if radio.wlan.isconnected():
                return True
            await asyncio.sleep(_POLL_S)
        return False

    async def _sntp(self):
        # Ask the server once (RFC 4330) -> Unix seconds. Faults: no answer, or none that can be
        # right; OSError: no route, no such host. micropython-lib's `ntptime` knows port 123 only,
        # blocks, and sets the clock by itself.
        host, port = self.agent.config["ntp.host"], self.agent.config["ntp.port"]
        address = socket.getaddrinfo(host, port, 0, socket.SOCK_DGRAM)[0][-1]
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            # The transmit timestamp comes back as originate: only who saw the question can answer.
            nonce = os.urandom(8)
            sock.sendto(b"\x23" + bytes(39) + nonce, address)
            for _ in range(_SNTP_S * _POLLS_A_SECOND):
                await asyncio.sleep(_POLL_S)
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
        earliest_s = self.agent.earliest_s()
        since_s = int.from_bytes(data[40:44], "big") - _NTP_TO_UNIX - earliest_s
        # Whichever era it is: the next one begins in 2036 (RFC 4330, section 3).
        since_s &= 0xFFFFFFFF
        if since_s >> 30:
            raise Fault("implausible time")
        return earliest_s + since_s
