"""What a person has the service do with the device: register it, cancel a test order, forget it.

Registering is Login with Amazon's code grant with PKCE (RFC 7636): the verifier is made here,
leaves in the exchange alone, over verified TLS, and is never shown or stored. Loaded when it is
typed. Everything here raises ValueError, or what `link.Link` and `drs.Drs` raise: one line with
the remedy.
"""

import binascii
import hashlib
import json
import os

from micropython import const

from lowtide import Fault, Refused
from lowtide.drs import quote

_PAGE = const(
    "%s?client_id=%s&scope=dash%%3Areplenish&scope_data=%s&response_type=code"
    "&redirect_uri=%s&code_challenge=%s&code_challenge_method=S256"
)


async def run(name, rest, app, link, api):
    """Do `register`, `order --cancel`, or the first half of `factory-reset`; return the answer.

    `app`: see `app.App`; `link`, `api`: see `link.Link`, `drs.Drs`, the caller's to close.
    """
    if name == "register":
        return await _register(rest, app, link, api)
    if name == "order":
        return await _cancel_test(app.agent, app.config, link, api)
    return await _deregister(rest, app.config, link, api)


async def _register(rest, app, link, api):
    # `rest` is where the browser is to be sent back to, or to where it was.
    config, begun = app.config, app.begun
    fields = {}
    for field in rest.partition("?")[2].split("&"):
        name, _, value = field.partition("=")
        fields[name] = value
    if "error" in fields:
        why = fields["error"] + ": " + fields.get("error_description", "").replace("+", " ")
        raise ValueError(why[:120])
    if "code" not in fields:
        then = "open it; then register ADDRESS it ends at"
        return {"link": _link(config, begun, rest), "next": then}
    if "uri" not in begun or not rest.startswith(begun["uri"]):
        raise ValueError("no registration begun there: register URI first")
    await link.up(True)
    # First: a power cut in between then leaves a device that tries an old token once more, and not
    # one that has a new token and waits for it.
    app.config_changed("lwa.refresh_token")
    # The code goes on as it stood in the address.
    form = "grant_type=authorization_code&code=%s&redirect_uri=%s&code_verifier=%s" % (
        fields["code"], quote(begun["uri"]), begun["verifier"]
    )  # fmt: skip
    if not await api.grant(form, "code refused: used, or older than 5 minutes; register again"):
        raise ValueError("no refresh token came: is the security profile enabled for DRS?")
    del begun["uri"], begun["verifier"]
    try:
        _, slots = await api.subscription()
        slot = config["slot.id"]
        if slot not in slots:
            slot = next(iter(slots)) if len(slots) == 1 else ""
            config.update({"slot.id": slot})
    finally:
        app.config_changed("slot.id")
    answer = {"slots": slots, "slot": slot}
    if not slot:
        answer["next"] = "config slot.id NAME"
    return answer


def _link(config, begun, uri):
    if not uri.startswith("http") or " " in uri:
        raise ValueError("want register URI: one of the profile's Allowed Return URLs")
    for name in ["wifi.ssid", "lwa.client_id", "device.model", "device.serial"]:
        if not config[name]:
            raise ValueError("set %s first" % name)
    begun["uri"], begun["verifier"] = uri, _base64url(os.urandom(32))
    device = {"device_model": config["device.model"], "serial": config["device.serial"]}
    if config["device.stage"] != "live":
        device["should_include_non_live"] = True
        if config["device.stage"] == "test":
            device["is_test_device"] = True
    return _PAGE % (
        config["lwa.page"],
        quote(config["lwa.client_id"]),
        quote(json.dumps({"dash:replenish": device})),
        quote(uri),
        _base64url(hashlib.sha256(begun["verifier"].encode()).digest()),
    )


def _base64url(data):
    text = binascii.b2a_base64(data).decode().rstrip("=\n")
    return text.replace("+", "-").replace("/", "_")


async def _cancel_test(agent, config, link, api):
    # The record is free only if the service says so of the order.
    if config["device.stage"] != "test":
        raise ValueError("device.stage is not test")
    if config.missing():
        raise ValueError("set %s first" % config.missing())
    slot, orders, status = config["slot.id"], agent.orders, None
    await link.up(True)
    now_s, _ = await api.subscription()
    await api.call("DELETE", "testOrders/slots", slot, None, "CancelTestOrders")
    if orders.askable():
        try:
            status, has_date = await api.order_info(orders.event_id, slot)
        except Refused as e:
            agent.log(str(e))
    if status:
        orders.order_info(status, has_date, now_s)
        agent.persist()
        if orders.askable():
            raise ValueError("not cancelled but %s; is it real? See Your Orders" % status)
    if orders.state == "shipped":
        # That may be a real one: it waits for a refill (rule 7).
        raise ValueError("shipped: it ends with a refill")
    orders.refilled()
    agent.persist()
    return {"order": "cancelled; nothing is charged"}


async def _deregister(rest, config, link, api):
    if rest not in ["", "--offline"]:
        raise ValueError("want factory-reset [--offline]")
    registered = config["lwa.refresh_token"] != "" and not rest
    if registered:
        try:
            await link.up(True)
            await api.subscription()
            await api.call("DELETE", "registration", "", None, "Deregister", 2)
        except Fault as e:
            # Revoked: it was deregistered before.
            if e.block != "revoked":
                raise ValueError("%s; nothing wiped: try again, or with --offline" % e)
    return {"deregistered": registered, "wiped": True}
