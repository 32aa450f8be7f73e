"""The world of a device under test in MicroPython: bin, people and service, as scripted."""

from ram_flash import ROOT, mount

from lowtide import Fault
from lowtide.agent import Agent
from lowtide.config import Config
from lowtide.orders import Orders
from lowtide.store import Store
from lowtide.uplink import Uplink

SLOT = "PaperTowel"
MINUTE, HOUR, DAY = 60, 3600, 86400
T0 = 22000 * DAY
SETTINGS = (
    ("wifi.ssid", "home"),
    ("lwa.client_id", "amzn1.application-oa2-client.0123456789abcdef"),
    ("lwa.refresh_token", "Atzr|" + "r" * 360),
    ("slot.id", SLOT),
    # The reorder point alone decides: the bins here jump, and a forecast has no say in that.
    ("level.lead_days", 0),
)
_KEPT = ("now", "clock", "rtc", "level", "phase", "made", "number", "subscribed", "lose_answer",
         "token", "problem", "sends")  # fmt: skip


class Broken(Exception):
    """A promise is broken."""


class World:
    """Calendar, bin, service; `device()` boots the shipping code on `flash`."""

    def __init__(self):
        self.now = self.clock = T0
        self.rtc = b""
        self.level = 800
        self.phase = ""
        self.made = self.number = self.sends = 0
        self.subscribed = True
        self.lose_answer = self.problem = False
        self.token = ""

    def keep(self):
        """Return all of it, to come back to."""
        return [getattr(self, name) for name in _KEPT]

    def back(self, kept):
        """Come back to what was kept."""
        for name, value in zip(_KEPT, kept):  # noqa: B905 - MicroPython has no strict=
            setattr(self, name, value)

    def id_of(self, number):
        """An event instance id of 116 characters, the longest that is documented."""
        return "amzn1.dash.v2.o.%0100d" % number

    def power_off(self):
        """RTC memory is lost; the clock starts in 2000."""
        self.rtc = b""
        self.clock = 946684800

    def wait(self, seconds):
        """Let the calendar run."""
        self.now += seconds
        self.clock += seconds


class Device:
    """One start of the device: what app.App builds, on fakes for gauge, radio and wire."""

    def __init__(self, world):
        self.world = world
        self.config = Config(Store(ROOT + "/config.rec"))
        self.store = Store(ROOT + "/order.rec")
        self.agent = Agent(self.config, self.store, self, self.time_s, self.say, self.most)
        self.agent.rtc_resume(world.rtc)
        self.uplink = Uplink(self.agent, self, self, self.set_time, self.keep)

    def time_s(self):
        """The local clock."""
        return self.world.clock

    def set_time(self, unix_s):
        """As app.App."""
        self.agent.clock_moved(unix_s - self.world.clock)
        self.world.clock = unix_s

    def say(self, line):
        """Drop the log."""

    def most(self, n):
        """No luck in back-off, and little of it."""
        return min(n, 30)

    def read(self):
        """The gauge."""
        return self.world.level

    def wake(self):
        """One battery wake: app.App.step, the uplink where it is due, RTC memory kept."""
        agent = self.agent
        agent.measure()
        if agent.uplink_due():
            step = self.uplink.run()
            try:
                step.send(None)
            except StopIteration:
                step = None
        self.keep()

    def keep(self):
        """As app.App."""
        self.world.rtc = self.agent.rtc_pack()

    # -- radio and wire ------------------------------------------------------------------------

    async def up(self, suspect):
        """As `link.Link`, SNTP included."""
        if suspect or not self.agent.clock_plausible():
            self.set_time(self.world.now)
        return 0

    def down(self):
        """As `link.Link`."""

    close = down

    async def subscription(self):
        """As `drs.Drs`; a rotated token is stored first, as there."""
        world = self.world
        if world.token:
            if world.token != self.config["lwa.refresh_token"]:
                self.config.update({"lwa.refresh_token": world.token})
            world.token = ""
        return world.now, {SLOT: world.subscribed}

    async def slot_status(self, slot, remaining, capacity, run_out_s):
        """As `drs.Drs`: it decides nothing."""

    async def device_status(self, active_s):
        """As `drs.Drs`."""

    async def order_info(self, event_id, slot):
        """As `drs.Drs`."""
        world = self.world
        if event_id != world.id_of(world.number):
            raise Broken("LOST: asks for an order that is not the latest")
        status = {
            "resolution": ("Pending", False), "placed": ("Processing", True),
            "shipped": ("Shipped", True), "delivered": ("Closed", True),
            "cancelled": ("Cancelled", False),
        }  # fmt: skip
        return status[world.phase]

    async def replenish(self, slot):
        """As `drs.Drs`: the slot's lock, an order, an answer that may be lost."""
        world = self.world
        world.sends += 1
        if world.level >= 200:
            raise Broken("rule 3: Replenish while the bin is not low")
        if Orders(None, Store(ROOT + "/order.rec").load()).state != "attempt":
            raise Broken("rule 1: Replenish without an attempt in flash")
        code = "ORDER_INPROGRESS"
        if world.phase not in ("resolution", "placed", "shipped"):
            world.made += 1
            world.number = world.made
            world.phase = "resolution" if world.problem else "placed"
            world.problem = False
            code = "STANDARD_ORDER_PLACED"
        if world.lose_answer:
            raise Fault("no answer")
        return code, world.id_of(world.number)


def boot(world, flash):
    """Mount and start, as after any power-on or wake."""
    mount(flash)
    return Device(world)
