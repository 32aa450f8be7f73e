"""Composition root: the one place that knows both the hardware and the logic."""

import sys

from micropython import const

import board
import hal
from lowtide.agent import Agent
from lowtide.config import Config
from lowtide.gauge import Gauge
from lowtide.log import Log
from lowtide.store import Store

_DAY_S = const(86400)
_UPLINK_BUDGET_S = const(45)
_WATCHDOG_S = const(75)
_FAULT_SLEEP_S = const(600)
# So many starts in a row without a clean end lead to safe mode.
_BAD_STARTS = const(3)
# What the uplink may keep in RTC memory beside the agent's schedule, in bytes.
_RTC_ROOM = const(1700)


class App:
    """Everything built once, wired once."""

    def __init__(self, feed):
        self.feed, self.awake_since = feed, hal.ticks_ms()
        self.time_s, self.out = hal.time_s, sys.stdout
        self.log = Log(hal.time_s, self.out.write)
        self.config = Config(Store("/config.rec"))
        self.gauge = Gauge(board.gauge(hal), self.config, board.TABLE)
        self.agent = Agent(
            self.config, Store("/order.rec"), self.gauge, hal.time_s, self.log, hal.random
        )
        why, kept = hal.kept()
        self.agent.trouble = why or None
        # Behind the agent's share of RTC memory the gauge's, then the uplink's: access point and
        # access token.
        kept_by = self.agent.rtc_resume(kept)
        driver = self.gauge.driver
        if driver.keeps:
            driver.resume(kept_by[: driver.keeps])
        self.kept = kept_by[driver.keeps :]
        # The forecast's copy in flash, for when RTC memory is lost, or another layout's.
        self._use = Store("/use.rec")
        if not self.agent.slept_at:
            self.agent.forecast.resume(self._use.load())
        self._links = self._context = None
        self.radio_taken = False
        # What commands of two steps keep between them: `register`, `calibrate`.
        self.begun = {}

    def resume(self, started_by):
        """Go on after this kind of start (see `hal.started_by`)."""
        agent = self.agent
        if started_by == "sleep":
            shift_s = agent.woke()
            if shift_s:
                hal.set_time(hal.time_s() + shift_s)
            return
        # What was kept may be a day old: rows of readings begin anew.
        agent.level.fault()
        if started_by == "watchdog":
            agent.trouble = agent.trouble or "the watchdog ended the last wake"
            self.log(agent.trouble)
        else:
            # Who switches it on or resets it wants to see it try now.
            agent.config_changed("")

    def live(self, started_by):
        """Run one wake, or the mains loop, to its end."""
        battery = self.config["power.mode"] == "battery"
        if battery and started_by and not (self.config.missing() or self.agent.safe):
            due = self.step()
            if due:
                import asyncio

                asyncio.run(self.uplink(due))
            return
        from attended import attend

        attend(self)

    def step(self):
        """One measure step. Return why the uplink is due, or None."""
        agent = self.agent
        if not agent.measure_in_s():
            agent.measure()
        due = agent.uplink_due()
        if due and agent.measured_at != hal.time_s():
            # Nothing is bought on an old reading, and any uplink may come to buy.
            agent.measure()
            due = agent.uplink_due()
        return due

    async def uplink(self, due):
        """Run one uplink inside its budget; a measure wake never loads what this imports."""
        import asyncio

        from lowtide.uplink import Uplink

        self.log("uplink: %s due" % due)
        network = link, api = self.network()
        uplink = Uplink(self.agent, link, api, self.set_time, self.keep)
        uplink.resume(self.kept)
        budget_s = _UPLINK_BUDGET_S - hal.seconds_since(self.awake_since)
        self.radio_taken = True
        try:
            await asyncio.wait_for(uplink.run(), budget_s)
        except asyncio.TimeoutError:
            self.agent.uplink_failed("uplink took more than %d s" % _UPLINK_BUDGET_S)
        except MemoryError:
            # What a person types may have taken it.
            self.agent.uplink_failed("out of memory")
        finally:
            self.radio_taken = False
        if self._links is network:
            # Else a setting has changed meanwhile: the token may be another account's.
            self.kept = uplink.pack(_RTC_ROOM)
        self._use.save(self.agent.forecast.pack(self._use.load()))
        # What hangs from here on is not the network.
        self.keep(False)

    def network(self):
        """Return link and api, built at the first use, and anew where a setting has changed."""
        if self._links is None:
            from lowtide.drs import Drs
            from lowtide.link import Link

            link = Link(self.agent, hal.radio, self.set_time)
            self._links = link, Drs(self.config, self.connect, hal.time_s)
        return self._links

    def connect(self, host, port):
        """Return an `https.Connection` that is verified by the roots in `/certs`."""
        from lowtide import https

        if self._context is None:
            self._context = https.load_roots("/certs")
        return https.Connection(self._context, host, port, 15)

    def keep(self, radio=True):
        """Bring what a sleep must not lose to RTC memory; `radio`: it is switched on next."""
        driver = self.gauge.driver
        kept = driver.pack() + self.kept if driver.keeps else self.kept
        hal.keep(self.agent.rtc_pack(kept), self.agent.trouble or "", radio)

    def set_time(self, unix_s):
        """Set the clock; what is scheduled by it moves along."""
        self.agent.clock_moved(unix_s - hal.time_s())
        hal.set_time(unix_s)

    def config_changed(self, name):
        """Let a new setting undo what an old one blocked; hosts and tokens are taken up anew."""
        self._links, self._context, self.kept = None, None, b""
        self.agent.config_changed(name)

    def sleep(self):
        """Sleep until the next step is due; for ever where only a person can help."""
        if self.agent.safe:
            # The wake after this sleep is tried as if nothing had been.
            hal.deepsleep_s(_DAY_S)
        self.keep(False)
        hal.clean_end()
        hal.deepsleep_s(0 if self.config.missing() else self.agent.wake_in_s())


def run():
    """Run one start of the board. Every way out is a sleep, a reset, or a person's Ctrl-C."""
    try:
        _run(hal.boot(), hal.started_by())
    except KeyboardInterrupt:
        # The prompt is a person's for a day: the watchdog cannot be stopped.
        hal.watchdog(_DAY_S)
        hal.clean_end()
        raise


def _run(bad, started_by):
    try:
        app = App(hal.watchdog(_WATCHDOG_S))
        app.agent.safe = bad >= _BAD_STARTS and started_by != "sleep"
        app.resume(started_by)
        app.live(started_by)
        app.sleep()
    except Exception as e:  # noqa: BLE001 - a board at the prompt never sleeps again
        hal.keep(hal.kept()[1], "%s: %s" % (type(e).__name__, e))
        hal.rescue(e, _FAULT_SLEEP_S if bad < _BAD_STARTS else _DAY_S)
