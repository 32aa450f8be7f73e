"""One uplink: everything that is due, on one connection to each host, one after the other.

A decision module like `agent`: it says what is asked in which order and what each answer means.
The wire is `drs.Drs`, handed in; it opens, closes and counts connections.
"""

from micropython import const

from lowtide import Fault, Insecure, Refused, Rejected

_DAY_S = const(86400)
_BSSID_SIZE = const(6)


class Uplink:
    """Runs uplinks for `agent` over `link` (see `link.Link`) and `api` (see `drs.Drs`).

    `link` and `api` are the self-test's, too. `set_time(unix_s)` sets the local clock, `keep()`
    brings the agent's schedule to RTC memory.
    """

    def __init__(self, agent, link, api, set_time, keep):
        self.agent, self.link, self.api = agent, link, api
        self.set_time, self.keep = set_time, keep

    def pack(self, room):
        """Return what RTC memory keeps of it in `room` bytes: access point, access token."""
        bssid = self.link.bssid or bytes(_BSSID_SIZE)
        return bssid + self.api.pack(room - _BSSID_SIZE)

    def resume(self, data):
        """Take back `pack()`; nothing is as good as no memory of them."""
        self.link.bssid = data[:_BSSID_SIZE]
        self.api.resume(data[_BSSID_SIZE:])

    async def run(self):
        """Do all that is due. The agent's schedule and back-off are up to date afterwards."""
        agent, link = self.agent, self.link
        # What a person types from now on is for the next uplink.
        self.forced, agent.forced = agent.forced, False
        agent.uplink_begins()
        # If this hangs, what the watchdog starts finds a back-off and not an uplink that is due.
        self.keep()
        moved_s = 0
        try:
            # Clock and SNTP are believed in turn: no wrong one of them locks the board out.
            moved_s = await link.up(agent.failures % 2 == 0)
            await self._talk()
            agent.uplink_done()
        except Fault as e:
            if isinstance(e, Insecure):
                # A certificate is judged by the clock: what set it is not believed any more.
                agent.verified_at = 0
                self.set_time(agent.time_s() - moved_s)
            elif e.block == "revoked":
                agent.orders.refused(e.block, True)
                agent.persist()
            agent.uplink_failed(str(e), e.wait_s)
        finally:
            if self.forced:
                # Not sent, whatever ended this; later, unasked, would be a surprise.
                agent.log("order: type it again")
            self.api.close()
            link.down()

    async def _talk(self):
        agent, orders, slot = self.agent, self.agent.orders, self.agent.config["slot.id"]
        now_s, slots = await self.api.subscription()
        agent.clock_verified(now_s)
        self.set_time(now_s)
        orders.verified(now_s)
        block = orders.block
        orders.subscription(slots.get(slot))
        agent.persist()
        if orders.block != block:
            agent.log("blocked: %s" % orders.block)
        if orders.askable() and (self.forced or not orders.ask_in_s(now_s, agent.asked_at)):
            await self._ask(slot, now_s)
        forced, self.forced = self.forced, False
        verdict = agent.verdict(now_s, forced)
        if verdict.may:
            await self._order(slot, now_s, verdict)
        elif forced:
            agent.log("not ordered: %s" % verdict.why)
        await self._report(slot, now_s)

    async def _ask(self, slot, now_s):
        agent, orders = self.agent, self.agent.orders
        state = orders.state
        try:
            status, has_date = await self.api.order_info(orders.event_id, slot)
            orders.order_info(status, has_date, now_s)
        except Refused as e:
            agent.log(str(e))
            orders.order_info_refused(now_s)
        except Fault:
            # A purchase that is due does not wait for news for ever: the next try goes without
            # asking.
            if agent.verdict(now_s).may:
                agent.asked_at = now_s
            raise
        agent.asked_at = now_s
        agent.persist()
        if orders.state != state:
            agent.log("order is %s (was %s)" % (orders.state, state))

    async def _order(self, slot, now_s, verdict):
        agent, orders, repeat = self.agent, self.agent.orders, verdict.repeat
        orders.sending(now_s, repeat, agent.level.lowest_permille)
        agent.persist()
        agent.log("Replenish: " + verdict.why)
        try:
            code, event_id = await self.api.replenish(slot)
        except Rejected:
            orders.withdrawn(repeat)
            agent.persist()
            raise
        except Refused as e:
            orders.refused(e.block, repeat)
            agent.persist()
            if repeat:
                # Still unknown, still to be repeated: not at once.
                raise
            agent.log("not ordered: %s" % e)
            return
        if not orders.answered(code, event_id, now_s, repeat):
            raise Fault("Replenish: detailCode not understood")
        agent.persist()
        agent.log("%s: %s" % (code, orders.state))
        if agent.config["device.stage"] == "test" and code[0] == "S":
            agent.log("A REAL ORDER: it will be charged. Cancel it within 24 h in Your Orders")

    async def _report(self, slot, now_s):
        # SlotStatus whenever there is a connection, DeviceStatus once a day (protocol, section 5).
        agent, capacity = self.agent, self.agent.config["slot.capacity"]
        level = agent.level.permille
        try:
            if level is not None:
                days = agent.forecast.days_left()
                run_out_s = None if days is None else now_s + days * _DAY_S
                await self.api.slot_status(slot, level * capacity // 1000, capacity, run_out_s)
            if not 0 <= now_s - agent.reported_at < _DAY_S:
                await self.api.device_status(now_s)
                agent.reported_at = now_s
        except Refused as e:
            # Refused once is refused all day: no reason to try again before tomorrow.
            agent.log(str(e))
            agent.reported_at = now_s
