"""`selftest`: flash, gauge, clock, Wi-Fi, DNS, TLS and token in turn, each with its remedy.

Loaded when somebody types it. It buys nothing, and changes nothing but the clock.
"""

import os
import socket

from micropython import const

from lowtide import Fault, GaugeFault, dates

_LOCAL = const("flash gauge clock")
_NETWORK = const("wifi dns tls token")
_FILE = const("/selftest.tmp")


async def run(_name, _rest, app, link, api):
    """Test all in turn, a line each; return the answer, which names what failed first.

    After a network step has failed those behind it are not tried: they would say the same.
    `app`: see `app.App`; `link`, `api`: see `link.Link`, `drs.Drs`.
    """
    write, cut, failed = app.out.write, False, None
    for name in (_LOCAL + " " + _NETWORK).split():
        if cut:
            write("%s: not tried\n" % name)
            continue
        try:
            if name in _LOCAL:
                more = _local(name, app)
            else:
                more = await _network(name, app, link, api)
            write("%s: ok%s\n" % (name, more))
        except (OSError, Fault) as e:
            write("%s: FAILED: %s\n" % (name, e))
            failed = failed or name
            cut = name in _NETWORK
    return {"error": "failed: " + failed} if failed else {"selftest": "ok"}


# A step returns what there is to add to its "ok".


def _local(name, app):
    if name == "gauge":
        try:
            return ", %d.%d %%" % divmod(app.gauge.read(), 10)
        except GaugeFault as e:
            raise Fault("%s: check wiring, 'help calibrate'" % e)
    if name == "clock":
        if app.agent.clock_plausible():
            return ", " + dates.iso(app.time_s())
        return ": not set, wifi does"
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
        raise Fault("reads back other bytes: worn out")
    return ""


async def _network(name, app, link, api):
    config = app.config
    missing, slot = config.missing(), config["slot.id"]
    if missing == "wifi.ssid" or (name == "token" and missing and missing != "slot.id"):
        raise Fault("not set: see 'help %s'" % missing)
    if name == "wifi":
        await link.up(True)
        return ", " + dates.iso(app.time_s())
    if name == "token":
        _, slots = await api.subscription()
        if slot not in slots:
            raise Fault("no slot %s; set slot.id to one of: %s" % (slot, ", ".join(slots)))
        return ", %s is %ssubscribed" % (slot, "" if slots[slot] else "not ")
    for service in ("ntp lwa drs" if name == "dns" else "lwa drs").split():
        await _reach(name, app, service)
    return ""


async def _reach(name, app, service):
    host, port = app.config[service + ".host"], app.config[service + ".port"]
    if name == "dns":
        try:
            socket.getaddrinfo(host, port)
        except OSError as e:
            raise Fault("%s (%s): check %s.host and the network's DNS" % (host, e, service))
        return
    # No token goes with it, and any answer at all proves certificate and name.
    connection = app.connect(host, port)
    try:
        await connection.request("GET", "/", ())
    except Fault as e:
        if not connection.proven:
            raise Fault("%s (%s.host, %s.port)" % (e, service, service))
    finally:
        connection.close()
