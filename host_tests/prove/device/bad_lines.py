"""Known-bad builds for the wire: the proof must catch every one. Runs in either interpreter."""

import asyncio

from lowtide import Fault
from lowtide.drs import Drs
from lowtide.https import Connection
from lowtide.link import Link
from lowtide.orders import Orders
from lowtide.uplink import Uplink


async def _attempt_after_sending(self, slot, now_s, verdict):
    agent, orders = self.agent, self.agent.orders
    code, event_id = await self.api.replenish(slot)
    orders.sending(now_s, verdict.repeat, agent.level.lowest_permille)
    orders.answered(code, event_id, now_s, verdict.repeat)
    agent.persist()


_order = Uplink._order


async def _forgets_the_attempt(self, slot, now_s, verdict):
    try:
        await _order(self, slot, now_s, verdict)
    except Fault:
        self.agent.orders.withdrawn(verdict.repeat)
        self.agent.persist()
        raise


def _never_repeats(self, now_s):
    return False


_take, _call = Connection._take, Drs.call


async def _half_a_body(self, size):
    try:
        return await _take(self, size)
    except ValueError:
        return b""


def _any_answer(self, detail_code, event_id, now_s, repeat):
    self._enter_order("placed", event_id or "", now_s)
    return True


async def _sends_again_at_once(self, *call, **report):
    try:
        return await _call(self, *call, **report)
    except Fault:
        self._connection = self.connect(self.config["drs.host"], self.config["drs.port"])
        return await _call(self, *call, **report)


async def _ignores_a_cut(self, *call, **report):
    try:
        return await _call(self, *call, **report)
    except (OSError, ValueError):
        return {}, {}


async def _blindly(self, method, target, headers, body=b""):
    if self._writer is None:
        self._reader, self._writer = await asyncio.open_connection(
            self.host, self.port, ssl=self.context, server_hostname=self.host
        )
    lines = ["%s %s HTTP/1.1" % (method, target), "Content-Length: %d" % len(body)]
    lines += ["%s: %s" % header for header in headers]
    self._writer.write("\r\n".join(lines + ["", ""]).encode() + body)
    await self._writer.drain()
    return await self._answer()


def _leaves_it_open(self):
    Connection.left = self._writer
    self._reader = self._writer = None


def _leaves_it_on(self):
    pass


def _no_limit():
    wait_for = asyncio.wait_for
    # `https` also waits for the fraction of a second in which a peer may not speak.
    asyncio.wait_for = lambda step, limit_s: wait_for(step, limit_s if limit_s < 1 else 1000)


# Name: the patches (class, method, replacement).
BUILDS = {
    "the attempt is stored after sending": ((Uplink, "_order", _attempt_after_sending),),
    "a repeat forgets the attempt": ((Uplink, "_order", _forgets_the_attempt),),
    "an attempt is never repeated": ((Orders, "_in_window", _never_repeats),),
    "half an answer is an answer": (
        (Connection, "_take", _half_a_body),
        (Orders, "answered", _any_answer),
    ),
    "a request that was cut is sent again at once": ((Drs, "call", _sends_again_at_once),),
    "a cut is ignored": (
        (Drs, "call", _ignores_a_cut),
        (Connection, "request", _blindly),
    ),
    "the connection stays open": ((Connection, "close", _leaves_it_open),),
    "the radio stays on": ((Link, "down", _leaves_it_on),),
}


def become(name):
    """Be that build from now on."""
    if name == "no time limit":
        return _no_limit()
    for kind, method, replacement in BUILDS[name]:
        setattr(kind, method, replacement)
