"""Who decides over a bin: the shipping agent, or a bare threshold over one reading.

A policy has `wake(now_s)`: one measure step, and what it orders through `replenish(now_s)`, which
returns `supply.Service.replenish`'s answer. `in_depletion` is whether it waits for a refill.
"""

from lowtide import GaugeFault, Refused
from lowtide.agent import Agent
from lowtide.config import names, point
from lowtide.gauge import Gauge
from lowtide.orders import Orders
from lowtide.settings import check
from lowtide.uplink import Uplink

SLOT = "slot"
_NEAR = 100  # so many permille above where it is low, each reading matters
_LOOK_S = 3600  # how often is asked whether an uplink is due, where the bin is not low


class Settings(dict):
    """A configured device with the shipped defaults, but for `changes` ({name: text})."""

    fault = None
    present = True

    def __init__(self, changes=None):
        super().__init__({name: point(name)[1] for name in names()})
        self["slot.id"] = SLOT
        self.update({name: check(name, value) for name, value in (changes or {}).items()})

    def missing(self):
        """As `config.Config`."""
        return None


class Lowtide:
    """The shipping gauge, agent and uplink, with a fake at every seam to hardware and network."""

    def __init__(self, sensor, settings, replenish, find):
        self._settings, self._replenish, self._find = settings, replenish, find
        self._sensor = sensor
        self._flash, self._use = Orders(None).pack(), None
        self._far = settings["level.reorder_pct"] * 10 + _NEAR
        self._now_s = self._look_s = 0
        self.power_on()

    def power_on(self):
        """Start with what is in flash."""
        gauge = Gauge(self._sensor, self._settings, self._sensor.kind.table())
        self.agent = Agent(self._settings, self, gauge, self._time_s, _nothing, _most)
        # As app.py: the forecast's copy in flash is for when RTC memory is lost.
        self.agent.forecast.resume(self._use)
        self._uplink = Uplink(self.agent, self, self, _nothing, _nothing)

    @property
    def in_depletion(self):
        """Whether a depletion runs, by the device."""
        return self.agent.level.lowest_permille is not None

    def at_rest(self, permille):
        """Whether no single reading matters, over a bin that holds this."""
        level, state = self.agent.level, self.agent.orders.state
        # After a fault a row begins anew, be it of low readings or of a refill.
        if level.refill_count or level.permille is None:
            return False
        if level.low_count:
            return level.low and state != "none"
        return permille > self._far and self._lasts(level.permille)

    def _lasts(self, permille):
        # Whether it is not low by the forecast, and would not be with `_NEAR` less in the bin.
        days, lead_days = self.agent.forecast.days_left(), self._settings["level.lead_days"]
        return days is None or days * (permille - _NEAR) >= lead_days * permille

    def wake(self, now_s):
        """Measure, and run the uplink where one is due."""
        self._now_s = now_s
        agent = self.agent
        agent.measure()
        if agent.level.low or now_s >= self._look_s:
            self._look_s = now_s + _LOOK_S
            if agent.uplink_due():
                _run(self._uplink.run())
                self._use = self.agent.forecast.pack(self._use)

    def _time_s(self):
        return self._now_s

    # -- flash, link and service, as `store.Store`, `link.Link`, `drs.Drs` ------------------------

    def load(self):
        """Return the record."""
        return self._flash

    def save(self, payload):
        """Keep the record."""
        self._flash = payload

    async def up(self, suspect):
        """The network is there."""
        return 0

    def down(self):
        """It costs nothing to leave it up."""

    close = down

    async def subscription(self):
        """The slot is subscribed."""
        return self._now_s, {SLOT: True}

    async def order_info(self, event_id, slot):
        """Tell of the order."""
        order = self._find(event_id)
        if order is None:
            raise Refused("GetOrderInfo: 400")
        return order.info(self._now_s)

    async def slot_status(self, slot, remaining, capacity, run_out_s):
        """Be told what is left."""

    async def device_status(self, active_s):
        """Be told that it lives."""

    async def replenish(self, slot):
        """Order."""
        order, is_new = self._replenish(self._now_s)
        return "STANDARD_ORDER_PLACED" if is_new else "ORDER_INPROGRESS", str(order.number)


class Bare:
    """What examples do: one reading, one comparison; the service's lock keeps it from more."""

    in_depletion = False

    def __init__(self, sensor, settings, replenish, find):
        kind = sensor.kind
        self._read, self._replenish = sensor.read, replenish
        self._empty, self._span = kind.empty, kind.full - kind.empty
        self._reorder = settings["level.reorder_pct"] * 10
        self._far = self._reorder + kind.farthest

    def power_on(self):
        """It keeps nothing."""

    def at_rest(self, permille):
        """Whether no sample can be low, over a bin that holds this."""
        return permille > self._far

    def wake(self, now_s):
        """Read once; order if that is low."""
        try:
            permille = (self._read() - self._empty) * 1000 // self._span
        except GaugeFault:
            return
        if permille < self._reorder:
            self._replenish(now_s)


POLICIES = {"lowtide": Lowtide, "bare threshold": Bare}


def _run(uplink):
    # The fakes never wait, so a coroutine runs to its end in one go.
    try:
        uplink.send(None)
    except StopIteration:
        return
    raise AssertionError("an uplink waited")


def _nothing(*_):
    pass


def _most(n):
    return n
