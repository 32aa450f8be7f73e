"""`selftest`: flash, gauge, clock, Wi-Fi, DNS, TLS and token in turn, each with its remedy.

Loaded when somebody types it. It buys nothing, and changes nothing but the clock.
"""

import os
import socket

from micropython import const

from lowtide import Fault, dates
from lowtide.gauges import GaugeFault

_LOCAL = ("flash", "gauge", "clock")
_NETWORK = ("wifi", "dns", "tls", "token")
_FILE = const("/selftest.tmp")


class Selftest:
    """One run of it.

    Args:
        config, gauge: as the agent's.
        time_s: the local clock.
        plausible: whether that can be right.
        link, api: see `link.Link`, `drs.Drs`.
        connect: `(host, port) -> https.Connection`, verified.
    """

    def __init__(self, config, gauge, time_s, plausible, link, api, connect):
        self._config, self._gauge, self._time_s = config, gauge, time_s
        self._plausible, self._link, self._api, self._connect = plausible, link, api, connect
        self.failed = None

    async def run(self, write):
        """Test all in turn, a line each; `failed` names what failed first, if anything.

        After a network step has failed those behind it are not tried: they would say the same.
        """
        cut = False
        try:
            for name in _LOCAL + _NETWORK:
                if cut:
                    write("%s: not tried\n" % name)
                    continue
                try:
                    step = self._network(name) if name in _NETWORK else self._local(name)
                    write("%s: ok%s\n" % (name, await step))
                except (OSError, GaugeFault, Fault) as e:
                    write("%s: FAILED: %s\n" % (name, e))
                    self.failed = self.failed or name
                    cut = name in _NETWORK
        finally:
            self._api.close()
            self._link.down()

    # A step returns what there is to add to its "ok".

    async def _local(self, name):
        if name == "gauge":
            return ", %d.%d %%" % divmod(self._gauge.read(), 10)
        if name == "clock":
            return ", " + dates.iso(self._time_s()) if self._plausible else ": not set, wifi does"
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
            raise Fault("reads back other bytes: the flash is worn out")
        return ""

    async def _network(self, name):
        config = self._config
        if name == "wifi":
            missing = config.missing()
            if missing:
                raise Fault("not configured yet: set " + missing)
            await self._link.up(True)
            return ", " + dates.iso(self._time_s())
        if name == "token":
            _, slots = await self._api.subscription()
            slot = config["slot.id"]
            if slot not in slots:
                raise Fault("no slot %s; set slot.id to one of: %s" % (slot, ", ".join(slots)))
            return ", %s is %ssubscribed" % (slot, "" if slots[slot] else "not ")
        for service in ("ntp", "lwa", "drs") if name == "dns" else ("lwa", "drs"):
            await self._reach(name, service)
        return ""

    async def _reach(self, name, service):
        host, port = self._config[service + ".host"], self._config[service + ".port"]
        if name == "dns":
            try:
                socket.getaddrinfo(host, port)
            except OSError as e:
                raise Fault("%s (%s): check %s.host and the network's DNS" % (host, e, service))
            return
        # No token goes with it, and any answer at all proves certificate and name.
        connection = self._connect(host, port)
        try:
            await connection.request("GET", "/", ())
        finally:
            connection.close()
