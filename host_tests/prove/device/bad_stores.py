"""Known-bad builds for the power cuts: the proof must catch every one."""

import binascii
import os
import struct

from ram_flash import ROOT

from lowtide.agent import Agent
from lowtide.orders import Orders
from lowtide.store import Store
from lowtide.uplink import Uplink


def _frame(store, payload):
    body = struct.pack("<2sBIH", b"LT", 1, 1, len(payload)) + payload
    return body + struct.pack("<I", binascii.crc32(body))


def _write(path, data):
    f = open(path, "wb")  # noqa: SIM115
    f.write(data)
    f.close()


def _remove_before_rename(self, payload):
    if self.load() == payload:
        return False
    _write(self.path + ".tmp", _frame(self, payload))
    if self.path.split("/")[-1] in os.listdir(ROOT):
        os.remove(self.path)
    os.rename(self.path + ".tmp", self.path)
    return True


def _no_crc(self):
    try:
        with open(self.path, "rb") as f:
            data = f.read()
    except OSError:
        return None
    return data[9:-4]


async def _intent_after_send(self, slot, now_s, verdict):
    agent, orders = self.agent, self.agent.orders
    code, event_id = await self.api.replenish(slot)
    orders.sending(now_s, verdict.repeat, agent.level.lowest_permille)
    orders.answered(code, event_id, now_s, verdict.repeat)
    agent.persist()


_orders = Agent._orders


def _damaged_is_none(self):
    return Orders(self.config) if self.store.load() == b"" else _orders(self)


_verdict = Orders.verdict


def _repeat_without_low(self, now_s, low, doubt=None, forced=False):
    return _verdict(self, now_s, low or self._in_window(now_s), doubt, forced)


BUILDS = {
    "remove before rename": (Store, "save", _remove_before_rename),
    "no CRC": (Store, "load", _no_crc),
    "intent after send": (Uplink, "_order", _intent_after_send),
    "damaged record taken for none": (Agent, "_orders", _damaged_is_none),
    "repeat without a low reading": (Orders, "verdict", _repeat_without_low),
}


def become(name):
    """Be that build from now on."""
    kind, method, replacement = BUILDS[name]
    setattr(kind, method, replacement)
