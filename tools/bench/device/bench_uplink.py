"""A whole uplink wake with the shipping code; only pins, radio and RTC memory are stood in for."""

import asyncio

from bench_client import build
from bench_order import loaded, order, say

from lowtide.agent import Agent
from lowtide.config import Config
from lowtide.gauge import Gauge
from lowtide.gauges.analogue import Analogue
from lowtide.link import Link
from lowtide.log import Log
from lowtide.store import Store
from lowtide.uplink import Uplink


class Radio:
    """The air is perfect: the sockets are the host's loopback."""

    def start(self, address):
        self.wlan = self

    def strongest(self, ssid):
        return b"\2\0\0\0\0\1"

    def connect(self, ssid, password, bssid):
        pass

    def isconnected(self):
        return True

    def stop(self):
        pass


def build_uplink(o):
    """Return an uplink with a bin that was just confirmed low, as `app.App` builds it."""

    def time_s():
        return o["now_s"]

    log = Log(time_s, lambda line: None)
    config = Config(Store("config.rec"))
    gauge = Gauge(Analogue(lambda: o["gauge_uv"], 0, 1000), config, "0:0 1000:1000")
    agent = Agent(config, Store("order.rec"), gauge, time_s, log, lambda n: n)
    for _ in range(config["level.confirm_count"]):
        agent.measure()
    link = Link(agent, Radio(), lambda now_s: None)
    api = build(o, config)
    return Uplink(agent, link, api, lambda now_s: None, agent.rtc_pack)


def main():
    o = order()
    uplink = build_uplink(o)
    held = loaded()
    asyncio.run(asyncio.wait_for(uplink.run(), 45))
    agent = uplink.agent
    done = agent.orders.state == "placed" and not agent.trouble
    say(ok=done and agent.reported_at == o["now_s"], loaded=held, said=agent.log.lines)
