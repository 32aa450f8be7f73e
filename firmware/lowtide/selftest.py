"""`selftest`: flash, gauge, clock, Wi-Fi, DNS, TLS and token in turn, each with its remedy.

Loaded when somebody types it. It buys nothing, and changes nothing but the clock.
"""

import os
import socket

from lowtide import dates
from lowtide.gauges import GaugeFault
from lowtide.outcome import Fault, Refused, Revoked

_STEPS = ("flash", "gauge", "clock", "wifi", "dns", "tls", "token")
_FILE = "/selftest.tmp"


class Selftest:
    """One run of it.

    Args:
        config, gauge: as the agent's.
        time_s: the local clock.
        plausible: whether that can be right.
        link, api: see `link.Link`, `drs.Drs`.
        connect: `async (host, port) -> https.Connection`, verified.
    """

    def __init__(self, config, gauge, time_s, plausible, link, api, connect):
        self._config, self._driver, self._time_s = config, gauge, time_s
        self._plausible, self._link, self._api, self._connect = plausible, link, api, connect
        self.failed = None

    async def run(self, say):
        """Test all in turn, `say(line)` to each; `failed` names what failed first, if anything.

        After a network step has failed those behind it are not tried: they would say the same.
        """
        cut = False
        try:
            for name in _STEPS:
                if cut:
                    say("%s: not tried" % name)
                    continue
                try:
                    say("%s: ok%s" % (name, await getattr(self, "_" + name)()))
                except (OSError, GaugeFault, Fault, Refused, Revoked) as e:
                    say("%s: FAILED: %s" % (name, e))
                    self.failed = self.failed or name
                    cut = name not in ("flash", "gauge")
        finally:
            self._api.close()
            self._link.down()

    async def _flash(self):
        data = os.urandom(64)
        try:
            with open(_FILE, "wb") as f:
                f.write(data)
            with open(_FILE, "rb") as f:
                same = f.read() == data
            os.remove(_FILE)
        except OSError as e:
            raise Fault("%s: erase the flash and deploy again" % e)
        if not same:
            raise Fault("reads back other bytes than written: the flash is worn out")
        return ""

    async def _gauge(self):
        permille = self._driver.read()
        return ", %d.%d %%" % divmod(permille, 10)

    async def _clock(self):
        return (
            ", " + dates.iso(self._time_s()) if self._plausible else ", not set yet: wifi sets it"
        )

    async def _wifi(self):
        if self._config.missing():
            raise Fault("not configured yet: set " + self._config.missing())
        await self._link.up(self._plausible, True)
        return ", " + dates.iso(self._time_s())

    async def _dns(self):
        for name in ("ntp", "lwa", "drs"):
            host = self._config[name + ".host"]
            try:
                socket.getaddrinfo(host, self._config[name + ".port"])
            except OSError as e:
                raise Fault("%s (%s): check %s.host and the network's DNS" % (host, e, name))
        return ""

    async def _tls(self):
        for name in ("lwa", "drs"):
            # No token goes with it, and any answer at all proves certificate and name.
            connection = await self._connect(
                self._config[name + ".host"], self._config[name + ".port"]
            )
            try:
                await connection.request("GET", "/", ())
            finally:
                connection.close()
        return ""

    async def _token(self):
        _, slots = await self._api.subscription()
        slot = self._config["slot.id"]
        if slot not in slots:
            raise Fault("no slot %s; set slot.id to one of: %s" % (slot, ", ".join(slots)))
        return ", %s is %ssubscribed" % (slot, "" if slots[slot] else "not ")
