"""The calls of an uplink with Lowtide's client alone: `drs`, `https` and what they import."""

import asyncio

from bench_order import loaded, order, say

from lowtide import https
from lowtide.drs import Drs


def connector(certs):
    """Return a `connect` as `app.App` builds it."""
    context = None

    def connect(host, port):
        nonlocal context
        if context is None:
            context = https.load_roots(certs)
        return https.Connection(context, host, port, 15)

    return connect


def build(o, config):
    """Return the client, with the access token that it is to have."""
    api = Drs(config, connector(o["certs"]), lambda: o["now_s"])
    api.resume(o["token_until"].to_bytes(4, "little") + o["token"].encode())
    return api


async def calls(api, o):
    await api.subscription()
    code, _ = await api.replenish(o["slot"])
    report = o["slot_status"]
    await api.slot_status(
        o["slot"], report["remainingQuantityInUnit"], report["originalQuantityInUnit"], None
    )
    await api.device_status(o["now_s"])
    api.close()
    return code


def main():
    o = order()
    api = build(o, o["settings"])
    held = loaded()
    say(ok=asyncio.run(calls(api, o)) == "STANDARD_ORDER_PLACED", loaded=held)
