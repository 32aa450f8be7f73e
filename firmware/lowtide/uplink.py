"""One uplink: everything that is due, on one connection to each host, one after the other.

A decision module like `agent`: it says what is asked in which order and what each answer means.
The wire is `drs.Drs`, handed in; it opens, closes and counts connections.
"""

from micropython import const

from lowtide import record as r
from lowtide.outcome import Fault, Insecure, Refused, Rejected, Revoked

_DAY_S = const(86400)
_BSSID_SIZE = const(6)


class Uplink:
    """Runs uplinks for `agent` over `link` (see `link.Link`) and `api` (see `drs.Drs`).

    `link` and `api` are the self-test's, too. `set_time(unix_s)` sets the local clock, `keep()`
    brings the agent's schedule to RTC memory.
    """

    def __init__(self, agent, link, api, config, set_time, keep):
        self._agent, self.link, self.api = agent, link, api
        self._config, self._set_time, self._keep = config, set_time, keep
        self._forced = False

    def pack(self, room):
        """Return what RTC memory keeps of it in `room` bytes: access point, access token."""
        bssid = self.link.bssid or bytes(_BSSID_SIZE)
        return bssid + self.api.pack(room - _BSSID_SIZE)

    def resume(self, data):
        """Take back `pack()`; nothing is as good as no memory of them."""
        bssid = data[:_BSSID_SIZE]
        self.link.bssid = bssid if any(bssid) else b""
        self.api.resume(data[_BSSID_SIZE:])

    async def run(self):
        """Do all that is due. The agent's schedule and back-off are up to date afterwards."""
        agent = self._agent
        # What a person types from now on is for the next uplink.
        self._forced, agent.forced = agent.forced, False
        agent.uplink_begins()
        # If this hangs, what the watchdog starts finds a back-off and not an uplink that is due.
        self._keep()
        try:
            # Clock and SNTP are believed in turn: no wrong one of them locks the board out.
            await self.link.up(agent.clock_plausible(), agent.failures % 2 == 0)
            await self._talk()
            agent.uplink_done()
        except Revoked:
            agent.rec.blocked = r.REVOKED
            agent.persist()
            agent.uplink_failed("access revoked: register again, then set lwa.refresh_token")
        except (Fault, Refused) as e:
            agent.uplink_failed(str(e), getattr(e, "wait_s", 0))
        finally:
            self.api.close()
            self.link.down()

    async def _talk(self):
        agent, orders, slot = self._agent, self._agent.orders, self._config["slot.id"]
        now_s, slots = await self._subscription()
        agent.clock_verified(now_s)
        self._set_time(now_s)
        orders.verified(now_s)
        blocked = agent.rec.blocked
        orders.subscription(slots.get(slot))
        agent.persist()
        if agent.rec.blocked != blocked:
            agent.log("blocked: %s" % r.BLOCKS[agent.rec.blocked])
        if orders.askable() and (self._forced or agent.ask_due(now_s)):
            try:
                await self._ask(slot, now_s)
            except Fault:
                # A purchase that is due does not wait for news for ever: the next try goes
                # without asking.
                if agent.verdict(now_s).may:
                    agent.asked_at = now_s
                raise
        verdict = agent.verdict(now_s, self._forced)
        if verdict.may:
            await self._order(slot, now_s, verdict)
        elif self._forced:
            agent.log("not ordered: " + verdict.why)
        await self._report(slot, now_s)

    async def _subscription(self):
        try:
            return await self.api.subscription()
        except Insecure:
            # A certificate is judged by the clock: what set it is not believed any more.
            self._agent.verified_at = 0
            self.link.distrust_clock()
            raise

    async def _ask(self, slot, now_s):
        agent, orders = self._agent, self._agent.orders
        state = agent.rec.state
        try:
            found = await self.api.order_info(agent.rec.event_id, slot)
            if found:
                orders.order_info(found[0], found[1], now_s)
            else:
                orders.order_info_refused(now_s)
        except Refused as e:
            if isinstance(e, Rejected):
                # The token's fault, not the id's.
                raise
            agent.log(str(e))
            orders.order_info_refused(now_s)
        agent.asked_at = now_s
        agent.persist()
        if agent.rec.state != state:
            agent.log("order is %s (was %s)" % (r.STATES[agent.rec.state], r.STATES[state]))

    async def _order(self, slot, now_s, verdict):
        agent, orders = self._agent, self._agent.orders
        agent.note_lowest()
        orders.sending(now_s, verdict)
        agent.persist()
        agent.log("Replenish: %s" % verdict.why)
        try:
            code, event_id = await self.api.replenish(slot)
        except Rejected as e:
            orders.withdrawn(verdict.repeat)
            agent.persist()
            raise Fault(str(e))
        except Refused as e:
            orders.refused(r.BLOCKS.index(e.block), verdict.repeat)
            agent.persist()
            if verdict.repeat:
                # Still unknown, still to be repeated: not at once.
                raise Fault(str(e))
            agent.log("not ordered: %s" % e)
            return
        if not orders.answered(code, event_id, now_s, verdict.repeat):
            raise Fault("Replenish: detailCode not understood")
        agent.persist()
        agent.log("%s: %s" % (code, r.STATES[agent.rec.state]))

    async def _report(self, slot, now_s):
        # SlotStatus whenever there is a connection, DeviceStatus once a day (protocol, section 5).
        agent, capacity = self._agent, self._config["slot.capacity"]
        level, reported_at = agent.level.permille, agent.reported_at
        try:
            if level is not None:
                days = agent.forecast.days_left()
                run_out_s = None if days is None else now_s + days * _DAY_S
                await self.api.slot_status(slot, level * capacity // 1000, capacity, run_out_s)
            if not 0 <= now_s - reported_at < _DAY_S:
                await self.api.device_status(now_s)
                agent.reported_at = now_s
        except Rejected as e:
            raise Fault(str(e))
        except Refused as e:
            # Refused once is refused all day: no reason to try again before tomorrow.
            agent.log(str(e))
            agent.reported_at = now_s
