"""Composition root: the one place that knows both the hardware and the logic."""

import sys

import board
import hal
from lowtide import SINCE_S
from lowtide.agent import Agent
from lowtide.config import Config
from lowtide.gauges.analogue import Analogue
from lowtide.log import Log
from lowtide.store import Store

UPLINK_BUDGET_S = 45
WATCHDOG_S = 75
FAULT_SLEEP_S = 600
# Real seconds since the last input for which the console stays open on a board that sleeps.
CONSOLE_UNCONFIGURED_S = 600
CONSOLE_BATTERY_S = 10


class App:
    """Everything built once, wired once."""

    def __init__(self):
        self.log = Log(hal.time_s, sys.stdout.write)
        store = Store("/config.rec", 1)
        self.config = Config(store, *store.load())
        self.gauge = Analogue(hal.adc_read_uv(board.GAUGE_PIN), board.EMPTY_UV, board.FULL_UV)
        store = Store("/order.rec", 1)
        self.agent = Agent(
            self.config, store, store.load(), self.gauge, hal.time_s, self.log, hal.random, SINCE_S
        )
        self.agent.rtc_resume(hal.rtc_memory())
        self._uplink = None

    async def uplink(self, due):
        """Run one uplink inside its budget; a measure wake never loads what this imports."""
        import asyncio

        self.log("uplink: %s due" % due)
        if self._uplink is None:
            self._uplink = self._build_uplink()
        try:
            await asyncio.wait_for(self._uplink.run(), UPLINK_BUDGET_S)
        except asyncio.TimeoutError:
            self.agent.uplink_failed("uplink took more than %d s" % UPLINK_BUDGET_S)

    def _build_uplink(self):
        from lowtide import https
        from lowtide.drs import Drs
        from lowtide.link import Link
        from lowtide.uplink import Uplink

        context = None

        async def connect(host, port):
            nonlocal context
            if context is None:
                context = https.load_roots("/certs")
            connection = https.Connection(context, host, port, 15)
            await connection.open()
            return connection

        link = Link(self.config, hal.Radio(), self.set_time, SINCE_S)
        api = Drs(self.config, connect, hal.time_s)
        return Uplink(self.agent, link, api, self.config, self.set_time)

    def set_time(self, unix_s):
        """Set the clock; what is scheduled by it moves along."""
        self.agent.clock_moved(unix_s - hal.time_s())
        hal.set_time(unix_s)

    def config_changed(self, name):
        """Let a new setting undo what an old one blocked; hosts and tokens are taken up anew."""
        self._uplink = None
        self.agent.config_changed(name)

    def step(self):
        """One measure step. Return why the uplink is due, or None."""
        agent = self.agent
        if agent.measure_due():
            agent.measure()
        due = agent.uplink_due()
        if due and agent.measured_at != hal.time_s():
            # Nothing is bought on an old reading, and any uplink may come to buy.
            agent.measure()
            due = agent.uplink_due()
        return due

    def console_window_s(self):
        """Return for how long after the last input the console stays open; None for ever."""
        if self.config.missing():
            return CONSOLE_UNCONFIGURED_S
        return CONSOLE_BATTERY_S if self.config["power.mode"] == "battery" else None

    async def attended(self):
        """Loop with the console open: mains power, a new device, or just after power-on."""
        import asyncio

        from lowtide.console import Console

        console = Console(
            self.agent,
            self.config,
            self.log,
            self.gauge,
            hal.time_s,
            self.set_time,
            sys.stdout.write,
        )
        console.on_config = self.config_changed
        task = asyncio.create_task(console.run(asyncio.StreamReader(sys.stdin.buffer)))
        heard_ms = hal.ticks_ms()
        while console.leave is None:
            due = self.step()
            if due:
                await self.uplink(due)
            if console.heard:
                console.heard = False
                heard_ms = hal.ticks_ms()
            window_s = self.console_window_s()
            if window_s is not None and hal.seconds_since(heard_ms) >= window_s:
                break
            await asyncio.sleep(0.1)
        task.cancel()
        return console.leave

    def sleep(self):
        """Sleep until the next step is due; for ever where only a person can help."""
        if self.config.missing():
            hal.deepsleep_s(0)
        hal.keep_in_rtc(self.agent.rtc_pack())
        hal.deepsleep_s(self.agent.wake_in_s())


def main():
    """Run one wake, or the mains loop. Every way out is a sleep or a reset."""
    app = App()
    if (
        app.config["power.mode"] == "battery"
        and hal.woke_from_sleep()
        and not app.config.missing()
    ):
        hal.watchdog(WATCHDOG_S)
        due = app.step()
        if due:
            import asyncio

            asyncio.run(app.uplink(due))
    else:
        import asyncio

        if asyncio.run(app.attended()) == "reboot":
            hal.keep_in_rtc(app.agent.rtc_pack())
            hal.reset()
    app.sleep()


try:
    main()
except Exception as e:  # noqa: BLE001 - a board at the REPL never sleeps again
    sys.print_exception(e)
    hal.deepsleep_s(FAULT_SLEEP_S)
