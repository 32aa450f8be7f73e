"""`selftest`: flash, gauge, clock, Wi-Fi, DNS, TLS and token in turn, each with its remedy.

Loaded when somebody types it. It buys nothing, and changes nothing but the clock.
"""

import os
import socket

from micropython import const

from lowtide import Fault, GaugeFault, dates

_LOCAL = ("flash", "gauge", "clock")
_NETWORK = ("wifi", "dns", "tls", "token")
_FILE = const("/selftest.tmp")


async def run(_name, _rest, app, link, api):
    """Run it. `app`: see `app.App`; `link`, `api`: see `link.Link`, `drs.Drs`."""
    return await Selftest(app, link, api).run()


class Selftest:
    """One run of it."""

    def __init__(self, app, link, api):
        self._app, self._config, self._link, self._api = app, app.config, link, api
        self._plausible = app.agent.clock_plausible()

    async def run(self):
        """Test all in turn, a line each; return the answer, which names what failed first.

        After a network step has failed those behind it are not tried: they would say the same.
        """
        cut, failed = False, None
        for name in _LOCAL + _NETWORK:
            if cut:
                self._app.out.write("%s: not tried\n" % name)
                continue
            try:
                step = self._network(name) if name in _NETWORK else self._local(name)
                self._app.out.write("%s: ok%s\n" % (name, await step))
            except (OSError, GaugeFault, Fault) as e:
                self._app.out.write("%s: FAILED: %s\n" % (name, e))
                failed = failed or name
                cut = name in _NETWORK
        return {"error": "failed: " + failed} if failed else {"selftest": "ok"}

    # A step returns what there is to add to its "ok".

    async def _local(self, name):
        if name == "gauge":
            return ", %d.%d %%" % divmod(self._app.gauge.read(), 10)
        if name == "clock":
            return (
                ", " + dates.iso(self._app.time_s()) if self._plausible else ": not set, wifi does"
            )
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
            if not config["wifi.ssid"]:
                raise Fault("not configured yet: set wifi.ssid")
            await self._link.up(True)
            return ", " + dates.iso(self._app.time_s())
        if name == "token":
            if config.missing() and config.missing() != "slot.id":
                raise Fault("not configured yet: register, or set " + config.missing())
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
        connection = self._app.connect(host, port)
        try:
            await connection.request("GET", "/", ())
        finally:
            connection.close()
