"""Of the composition root what only a person needs: the loop with the console, and its jobs.

Loaded on mains power, on a new device, in safe mode and after power-on; no measure wake needs it.
"""

import asyncio
import sys

from micropython import const, kbd_intr

import board
import hal
from lowtide.console import Console

_JOB_BUDGET_S = const(45)
# So long a run counts as a good start.
_GOOD_RUN_S = const(600)
# Real seconds since the last input for which the console stays open on a board that sleeps.
_UNCONFIGURED_S = const(600)
_SAFE_S = const(60)
_BATTERY_S = const(10)
_FOR_EVER_S = const(1 << 29)
# While the console reads, Ctrl-C is its own: it drops a line, and leaves on an empty one. What
# interrupts at any point then is Ctrl-\.
_CTRL_C = const(3)
_CTRL_BACKSLASH = const(28)


def attend(app):
    """Run `app` (see `app.App`) with the console open until it may sleep, or start anew."""
    left = asyncio.run(_loop(app))
    if left == "reboot":
        app.keep(False)
    elif left == "wiped":
        hal.keep(b"", "")
    else:
        app.log("asleep; a reset opens the console")
        return
    hal.clean_end()
    hal.reset()


def _window_s(app):
    if app.agent.safe:
        return _SAFE_S
    if app.config.missing():
        return _UNCONFIGURED_S
    return _BATTERY_S if app.config["power.mode"] == "battery" else _FOR_EVER_S


async def _loop(app):
    agent = app.agent
    console = Console(app, job)
    task = asyncio.create_task(console.run(asyncio.StreamReader(sys.stdin.buffer)))
    if hasattr(board, "LED_PIN"):
        from lowtide.led import show

        asyncio.create_task(show(agent, hal.led(board.LED_PIN, board.LED_ON), hal.ticks_ms))  # noqa: RUF006
    began = heard = hal.ticks_ms()
    good = agent.safe
    if _window_s(app) < _FOR_EVER_S:
        app.log("console: open until %d s without input" % _window_s(app))
    kbd_intr(_CTRL_BACKSLASH)
    while console.leave is None and not task.done():
        await _step(app)
        if not good and hal.seconds_since(began) >= _GOOD_RUN_S:
            good = True
            hal.clean_end()
        # A job under way keeps it open, and a while for its answer.
        if console.heard or app.radio_taken:
            console.heard = False
            heard = hal.ticks_ms()
        await asyncio.sleep(0.1)
        if hal.seconds_since(heard) >= _window_s(app):
            break
    if task.done():
        # It only ends by an exception: let that be seen.
        await task
    task.cancel()
    return console.leave


async def _step(app):
    app.feed()
    app.awake_since = hal.ticks_ms()
    due = None if app.agent.safe or app.radio_taken else app.step()
    if due:
        await app.uplink(due)
        if app.agent.failures > 2 and app.agent.trouble == "out of memory":
            # What is free lies in pieces; a fresh start has it whole.
            app.keep(False)
            # Its cause may be the network's: no bad start.
            hal.clean_end()
            hal.reset()


async def job(app, name, rest):
    """Do for the console what takes its time: on the network, once, in an uplink's budget.

    Return the answer. Raises ValueError: what went wrong and what to do.
    """
    if app.radio_taken:
        raise ValueError("an uplink is under way; try again in a minute")
    if name == "selftest":
        from lowtide.selftest import run
    else:
        from lowtide.register import run
    link, api = app.network()
    app.radio_taken = True
    kbd_intr(_CTRL_C)
    answer: dict = {}
    try:
        answer = await asyncio.wait_for(run(name, rest, app, link, api), _JOB_BUDGET_S)
    except asyncio.TimeoutError:
        raise ValueError("took more than %d s" % _JOB_BUDGET_S)
    finally:
        api.close()
        link.down()
        kbd_intr(_CTRL_BACKSLASH)
        app.radio_taken = False
    if "wiped" in answer:
        # It takes longer than that, and feeds the watchdog.
        from lowtide.wipe import wipe

        app.config_changed("")
        wipe(app.config, hal.flash(), app.feed)
    return answer
