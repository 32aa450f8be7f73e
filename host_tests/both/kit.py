"""What the tests of both lanes share: fakes at every seam, and a device built from them."""

import asyncio
import json

from lowtide import Fault, GaugeFault, Refused
from lowtide.agent import Agent
from lowtide.config import Config, names, point
from lowtide.orders import Orders
from lowtide.uplink import Uplink

MINUTE = 60
HOUR = 3600
DAY = 86400
T0 = 22000 * DAY  # a midnight of 2030
SLOT = "PaperTowel"
POINTS = {name: point(name) for name in names()}
SECRETS = ("hunter2-wifi", "s3cret-of-the-client", "Atzr|the-refresh-token")
SETTINGS = {
    "wifi.ssid": "home",
    "wifi.password": SECRETS[0],
    "lwa.client_id": "amzn1.client",
    "lwa.client_secret": SECRETS[1],
    "lwa.refresh_token": SECRETS[2],
    "slot.id": SLOT,
}
PLACED = "STANDARD_ORDER_PLACED"
IN_PROGRESS = "ORDER_INPROGRESS"
SILENCE = "silence"


def raises(kind, function, *args):
    """Call; return the exception of `kind` that it must raise."""
    try:
        function(*args)
    except kind as e:
        return e
    raise AssertionError("did not raise " + kind.__name__)


def run(step):
    """Drive one coroutine to its end."""
    try:
        return asyncio.run(step)
    finally:
        if hasattr(asyncio, "core"):  # MicroPython keeps one loop; the next run wants its own
            asyncio.new_event_loop()


class FakeClock:
    """A calendar that moves when told."""

    def __init__(self, now_s=T0):
        self.now_s = now_s

    def __call__(self):
        return self.now_s

    def set(self, now_s):
        """Be set, as the local clock is."""
        self.now_s = now_s


class FakeStore:
    """A flash file: `payload`, how often it was written, and a flash that can fail."""

    def __init__(self, payload=None):
        self.payload = payload
        self.schema = 1
        self.writes = 0
        self.broken = False

    def load(self):
        """As `store.Store`."""
        return self.payload

    def save(self, payload):
        """As `store.Store`."""
        if payload == self.payload:
            return False
        if self.broken:
            raise OSError(5)
        self.payload = payload
        self.writes += 1
        return True


class FakeGauge:
    """`permille`, or a `GaugeFault` when it is None."""

    def __init__(self, permille=500):
        self.permille = permille
        self.raws: list[int] = []
        self.levels: list[int] = []

    def read(self):
        """As `gauge.Gauge`."""
        if self.permille is None:
            raise GaugeFault("out of range")
        self.raws = self.levels = [self.permille] * 9
        return self.permille


class FakeLink:
    """A radio that works unless `fault` is set."""

    def __init__(self):
        self.agent = self.fault = None
        self.is_up = False
        self.asked = []
        self.moved_s = 0

    async def up(self, clock_suspect):
        """As `link.Link`."""
        self.asked.append((self.agent.clock_plausible(), clock_suspect))
        if self.fault:
            raise self.fault
        self.is_up = True
        return self.moved_s

    def down(self):
        """As `link.Link`."""
        self.is_up = False


class FakeApi:
    """The service as scripted: queues of answers, an exception in one is raised.

    `sent` holds the record as it stood in flash when Replenish was called.
    """

    def __init__(self, clock, store):
        self._clock, self._store = clock, store
        self.slots = {SLOT: True}
        self.replenish_answers = []
        self.info_answers = []
        self.subscription_answers = []
        self.report_answers = []
        self.reports = []
        self.calls = []
        self.sent = []
        self.asked = []
        self.is_open = False

    def _next(self, queue, default):
        answer = queue.pop(0) if queue else default
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def subscription(self):
        """As `drs.Drs`: the service's own clock, and the slots."""
        self.calls.append("subscription")
        self.is_open = True
        return self._next(self.subscription_answers, (self._clock(), dict(self.slots)))

    async def replenish(self, slot):
        """As `drs.Drs`; by default a standard order with an id of its own."""
        self.calls.append("replenish")
        self.sent.append(Orders(None, self._store.payload))
        answer = self._next(self.replenish_answers, (PLACED, "order-%d" % len(self.sent)))
        if answer == SILENCE:
            await asyncio.sleep(60)
        return answer

    async def order_info(self, event_id, slot):
        """As `drs.Drs`; by default open with a delivery date."""
        self.calls.append("order_info")
        self.asked.append(event_id)
        return self._next(self.info_answers, ("Processing", True))

    async def slot_status(self, slot, remaining, capacity, run_out_s):
        """As `drs.Drs`."""
        self.calls.append("slot_status")
        self.reports.append((remaining, capacity, run_out_s))
        self._next(self.report_answers, None)

    async def device_status(self, active_s):
        """As `drs.Drs`."""
        self.calls.append("device_status")
        self._next(self.report_answers, None)

    def close(self):
        """As `drs.Drs`."""
        self.is_open = False


def config(**changes):
    """Return a configured `Config` over a `FakeStore`; dots are written as `__`."""
    settings = dict(SETTINGS)
    for name, value in changes.items():
        settings[name.replace("__", ".")] = value
    store = FakeStore(json.dumps(settings).encode())
    return Config(store)


class Device:
    """An agent with its uplink on fakes; world and local clock agree until a test parts them."""

    def __init__(self, rec=None, permille=500, **changes):
        self.config = config(**changes)
        self.clock = FakeClock()
        self.world = self.clock
        self.store = FakeStore((rec or Orders(None)).pack())
        self.gauge = FakeGauge(permille)
        self.link = FakeLink()
        self.api = FakeApi(lambda: self.world.now_s, self.store)
        self.log_lines = []
        self.logged = []
        self.power_on()

    def power_on(self, rtc=b""):
        """Start as after a power cut: only flash is left (or RTC memory too)."""
        self.agent = Agent(
            self.config,
            self.store,
            self.gauge,
            self.clock,
            self._log,
            lambda n: n,
        )
        self.link.agent = self.agent
        self.agent.rtc_resume(rtc)
        self.uplink = Uplink(self.agent, self.link, self.api, self.set_time, self._keep)
        self.rtc = rtc

    def set_time(self, unix_s):
        """As `app.App`."""
        self.agent.clock_moved(unix_s - self.clock())
        self.clock.set(unix_s)

    def _keep(self):
        self.rtc = self.agent.rtc_pack()

    def fail(self, why="no answer", wait_s=0):
        """Have an uplink that fails, without the uplink."""
        self.agent.uplink_begins()
        self.agent.uplink_failed(why, wait_s)

    def _log(self, line):
        self.log_lines.append(line)
        try:
            state = self.stored.state
        except (ValueError, TypeError):
            state = None
        self.logged.append((line, state))

    @property
    def stored(self):
        """The record in flash."""
        return Orders(None, self.store.payload)

    @property
    def state(self):
        """The state in flash, by name."""
        return self.stored.state

    def measure(self, permille, times=1):
        """Read this level so many times, without waiting."""
        self.gauge.permille = permille
        for _ in range(times):
            self.agent.measure()

    def low(self):
        """Be confirmed low."""
        self.measure(100, 3)
        assert self.agent.level.low
        return self

    def refill(self):
        """Be refilled."""
        self.measure(900, 6)
        assert not self.agent.level.low
        return self

    def wait(self, seconds):
        """Let the calendar run, asleep."""
        self.clock.now_s += seconds
        if self.world is not self.clock:
            self.world.now_s += seconds
        return self

    def talk(self):
        """Run one uplink, due or not."""
        run(self.uplink.run())
        assert not self.link.is_up
        assert not self.api.is_open
        return self

    def step(self):
        """One step of the loop: measure, and the uplink where it is due. Return why it was."""
        self.agent.measure()
        due = self.agent.uplink_due()
        if due:
            self.talk()
        return due

    def live(self, seconds, step_s=HOUR):
        """Live on for so long, a step at a time."""
        for _ in range(seconds // step_s):
            self.wait(step_s)
            self.step()
        return self

    def order(self, answer=None):
        """Become low and order once; `answer` as the queue of `FakeApi` takes it."""
        if answer is not None:
            self.api.replenish_answers.append(answer)
        sent = len(self.api.sent)
        self.low().talk()
        assert len(self.api.sent) == sent + 1
        return self

    def ask(self, answer):
        """Ask once about the order, whatever is due, and get this answer."""
        asked = len(self.api.asked)
        self.api.info_answers.append(answer)
        self.agent.asked_at = self.clock() + DAY  # from the future: asked anew
        self.talk()
        assert len(self.api.asked) == asked + 1
        return self


def placed_ids(device):
    """Return the ids of the orders that the fake service placed."""
    return ["order-%d" % (number + 1) for number in range(len(device.api.sent))]


def refused(text, block):
    """A `Refused`, as drs raises it."""
    e = Refused(text)
    e.block = block
    return e


def fault(text="no answer", wait_s=0):
    """A `Fault`, as drs raises it."""
    e = Fault(text)
    e.wait_s = wait_s
    return e
