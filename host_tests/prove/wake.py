"""One wake: the shipping Agent, Uplink and App.step, with a fake at every seam.

No threads, no sleeping: the fakes never wait, so a coroutine runs to its end in one go.
"""

import asyncio
import sys
import types

from host_tests.prove import FIRMWARE
from host_tests.prove.ledger import Violation
from host_tests.prove.service import DAY
from lowtide import Fault, Insecure, Refused, Rejected
from lowtide.agent import Agent
from lowtide.config import names, point
from lowtide.uplink import Uplink

SLOT = "PaperTowel"
FULL, LOW = 900, 100
_CERTIFICATE = 300 * DAY


class PowerCut(BaseException):
    """The power goes; whatever was running never goes on."""


class Settings(dict):
    """A configured device; two readings confirm, which spares the search readings."""

    fault = None
    present = True

    def missing(self):
        """As `config.Config`."""
        return None


SETTINGS = Settings({name: point(name)[1] for name in names()})
SETTINGS.update({"slot.id": SLOT, "level.confirm_count": 2, "level.refill_count": 2})
SETTINGS["measure.interval_s"] = 1
# The reorder point alone decides: what a forecast has learned would be as many states as days.
SETTINGS["level.lead_days"] = 0


def shipping_app():
    """Return app.py's `App`, the hardware under it replaced by nothing."""
    fakes = {"board": types.ModuleType("board"), "hal": types.ModuleType("hal")}
    module = types.ModuleType("shipping_main")
    kept = {name: sys.modules.get(name) for name in fakes}
    sys.modules.update(fakes)
    try:
        exec(compile((FIRMWARE / "app.py").read_text(), "app.py", "exec"), module.__dict__)
    finally:
        for name, value in kept.items():
            if value is None:
                del sys.modules[name]
            else:
                sys.modules[name] = value
    return module.App, fakes["hal"]


APP, HAL = shipping_app()


class App(APP):
    """`app.App`, built on an agent that is there already."""

    def __init__(self, agent):
        self.agent = agent


class Wake:
    """One wake: the fakes at every seam of the shipping code, and the plan of what fails.

    A point is `(what, number)`: `persist` n, `replenish`, `order_info`, `subscription`. A plan is
    `(point, fault)`.
    """

    def __init__(self, world, plan):
        self.world, self._plan = world, plan
        self.points = []
        self._persists = 0
        self._begun = False
        ledger = world.ledger
        # An attempt that began in an earlier wake, and the books from before one that begins now.
        self._repeat = ledger.is_repeat(world.now)
        self._before = (ledger.attempt_at, ledger.settled)

    def run(self):
        """Be awake: what main() does on battery."""
        world = self.world
        agent = self._start()
        app = App(agent)
        HAL.time_s, HAL.set_time = self.time_s, self._set_time
        try:
            due = app.step()
            if due:
                self._uplink(Uplink(agent, self, self, app.set_time, self._keep))
        except OSError:
            # app.py: the traceback, then sleep; RTC memory keeps what it had, on mains nothing.
            if world.mains:
                world.agent = None
                world.ledger.rows_lost()
            return
        if not world.mains:
            world.rtc = agent.rtc_pack()
        world.ledger.woke(SETTINGS["level.refill_count"])

    def _start(self):
        world, agent = self.world, self.world.agent  # on mains the one that lives on
        if agent is None:
            agent = Agent(SETTINGS, self, self, self.time_s, _nothing, _most)
            agent.rtc_resume(world.rtc)
            world.agent = agent if world.mains else None
        else:
            agent.store = agent.gauge = self
            agent.time_s = self.time_s
        self._agent = agent
        return agent

    def _uplink(self, uplink):
        step = uplink.run()
        try:
            step.send(None)
            step.throw(asyncio.CancelledError())  # the budget is over
        except StopIteration:
            return
        except asyncio.CancelledError:
            self._agent.uplink_failed("uplink took more than 45 s")

    def _fault(self, what, number=0):
        self.points.append((what, number))
        if self._plan is not None and self._plan[0] == (what, number):
            return self._plan[1]
        return None

    # -- clock and gauge ---------------------------------------------------------------------

    def time_s(self):
        """The local clock."""
        return self.world.now + self.world.offset

    def _set_time(self, unix_s):
        self.world.offset = unix_s - self.world.now

    def read(self):
        """The gauge."""
        self.world.ledger.reading(self.world.level >= 250, self.world.level == LOW)
        return self.world.level

    # -- flash -------------------------------------------------------------------------------

    def load(self):
        """As `store.Store`."""
        world = self.world
        return world.payload if world.status == 0 else (None, b"")[world.status - 1]

    def save(self, payload):
        """As `store.Store`; a fault may come before it, after it, or in its place."""
        world = self.world
        if world.status == 0 and payload == world.payload:
            world.ledger.stored()
            return False
        number, self._persists = self._persists, self._persists + 1
        fault = self._fault("persist", number)
        if fault == "cut before":
            raise PowerCut
        if fault == "flash fails":
            raise OSError(5)
        world.payload, world.status = payload, 0
        world.ledger.stored()
        rec, ledger = world.rec, world.ledger
        begun = rec.state == "attempt" and rec.attempt_at == world.now
        if begun and not self._begun and not ledger.is_repeat(world.now):
            self._begun = True
            ledger.intended(world.now)
        if fault == "cut after":
            raise PowerCut
        return True

    # -- link and service --------------------------------------------------------------------

    async def up(self, suspect):
        """As `link.Link`."""
        if not self.world.network:
            raise Fault("no Wi-Fi")
        if suspect or not self._agent.clock_plausible():
            self._agent.clock_moved(-self.world.offset)
            self.world.offset = 0
        return 0

    def down(self):
        """As `link.Link`."""

    close = down

    def _keep(self):
        if not self.world.mains:
            self.world.rtc = self._agent.rtc_pack()

    async def subscription(self):
        """As `drs.Drs`."""
        world = self.world
        if abs(world.offset) > _CERTIFICATE:
            raise Insecure("certificate not valid yet, or no more")
        await self._trouble(self._fault("subscription"))
        if world.service.revoked:
            raise _refused("invalid_grant", "revoked")
        return world.now, {SLOT: world.service.subscribed}

    async def _trouble(self, fault):
        if fault == "lost":
            raise Fault("no answer")
        if fault == "silent":
            await _forever()
        if fault == "5xx":
            raise Fault("answered 500")

    async def slot_status(self, slot, remaining, capacity, run_out_s):
        """As `drs.Drs`: it decides nothing."""

    async def device_status(self, active_s):
        """As `drs.Drs`."""

    async def order_info(self, event_id, slot):
        """As `drs.Drs`."""
        world = self.world
        fault = self._fault("order_info")
        await self._trouble(fault)
        order = world.service.find(event_id)
        if fault == "400" or order is None or world.service.forgets:
            world.ledger.told(order, None, world.now)
            raise Refused("GetOrderInfo: 400")
        if fault == "no news":
            return "Unknown", False
        answer = world.service.info(order)
        world.ledger.told(order, answer, world.now)
        return answer

    async def replenish(self, slot):
        """As `drs.Drs`: everything that the service or the line may do to it."""
        world, ledger, repeat = self.world, self.world.ledger, self._repeat
        fault = self._fault("replenish")
        if world.offset:
            raise Violation("rule 8: bought while the local clock was not the service's")
        low = world.level == LOW and self._agent.level.low
        state = world.rec.state
        ledger.sending(world.now, state, low, repeat or self._begun)
        self._not_taken(fault)
        answer = self._act(repeat)
        if fault == "cut after":
            raise PowerCut
        if fault == "unreadable":
            return "SOMETHING_NEW", "x"
        if fault == "no id":
            answer = (answer[0], None)
        await self._trouble({"answer lost": "lost"}.get(fault, fault))
        kind = "placed" if answer[0].endswith("PLACED") else "in progress"
        ledger.answered(kind, world.service.locked, answer[1], world.now, repeat)
        return answer

    def _not_taken(self, fault):
        # What ends a Replenish before the service acts on it.
        ledger = self.world.ledger
        if fault == "request lost":
            raise Fault("no answer")
        if fault == "cut before":
            raise PowerCut
        if fault == "rejected":
            ledger.withdrawn(self._before)
            raise Rejected("Invalid token")
        if fault == "refused" or not self.world.service.subscribed:
            if not self._repeat:
                ledger.refused()
            raise _refused("400", None if fault == "refused" else "unsubscribed")

    def _act(self, repeat):
        world, service = self.world, self.world.service
        order = service.locked
        if order is not None:
            world.ledger.open_order(world.now, order, repeat)
            return "ORDER_INPROGRESS", service.in_progress_text()
        by = world.ledger.buying(world.now, service.orders, repeat)
        order = service.buy(world.now, world.ledger.depletion, by)
        if repeat:
            order.first_send = world.ledger.attempt_at
        return "STANDARD_ORDER_PLACED", f"id-{order.number}"


class _forever:
    def __await__(self):
        yield


def _refused(why, block):
    refused = Refused(why)
    refused.block = block
    return refused


def _nothing(line):
    pass


def _most(n):
    return n
