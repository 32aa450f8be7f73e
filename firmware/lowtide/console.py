"""The serial console: a line in, a line out; JSON mode for scripts."""

import asyncio
import json

from micropython import const

from lowtide import VERSION, dates
from lowtide.config import SECRET, names, point

_MAX_LINE = const(2300)
_PROMPT = const("lowtide> ")
# What `help` says, and the one list of commands; a longer one is the method `_do_` and its name.
_USAGE = const(
    "help; status; config [NAME [VALUE]]; measure; calibrate; order [--now]; "
    "why; log; selftest; time [ISO8601]; sleep; reboot; json on|off"
)
_SECRETS = [name.encode() for name in names() if point(name)[0] == SECRET]


class Console:
    """Reads commands and answers them. `heard` turns true with any input, `leave` names the
    command that ends the loop; both are the caller's to act on.

    Args:
        agent, config, log: what it shows and drives.
        gauge: read by `measure` and `status`; their readings decide nothing.
        time_s, set_time: the local clock.
        write: `(str)` to the serial line.
    """

    def __init__(self, agent, config, log, gauge, time_s, set_time, write):
        self._agent, self._config, self._log, self._gauge = agent, config, log, gauge
        self._time_s, self._set_time, self._write = time_s, set_time, write
        self._json = False
        self._line = bytearray()
        self._ends: dict[str, tuple] = {}
        self._running = None
        self.heard = False
        self.leave = None
        self.on_config = self.selftest = None

    async def run(self, reader):
        """Serve commands from `reader` (an asyncio stream) for ever."""
        self._say(_PROMPT)
        while True:
            data = await reader.read(1)
            if not data:
                # A serial line that is gone for the moment reads as empty at once.
                await asyncio.sleep(1)
                continue
            self.heard = True
            self.feed(data)
            if self._running:
                # The self-test takes its time; what is typed meanwhile waits.
                try:
                    failed = await self._running
                    self._reply({"error": failed} if failed else {"selftest": "ok"}, self._json)
                finally:
                    self._running = None
                self._say(_PROMPT)

    def feed(self, data):
        """Take bytes in; a complete line is answered at once."""
        for byte in data:
            line = self._line
            if byte in b"\r\n":
                self._line = bytearray()
                self._enter(line)
            elif byte in b"\x08\x7f":
                if line:
                    self._line = line[:-1]
                    self._say("\b \b")
            elif len(line) <= _MAX_LINE and (byte >= 32 or byte == 9):
                line.append(byte)
                if 31 < byte < 127:
                    # Once a secret's name is typed its value is not echoed.
                    words = bytes(line).split(None, 2)
                    self._say("*" if len(words) > 2 and words[1] in _SECRETS else chr(byte))

    def _say(self, text):
        # Echo and prompt: for people only.
        if not self._json:
            self._write(text)

    def _enter(self, line):
        # Exactly one answer, whatever was typed; none to an empty line.
        self._say("\n")
        as_json, answer = self._json, None
        try:
            if len(line) > _MAX_LINE:
                raise ValueError("line longer than %d characters; nothing done" % _MAX_LINE)
            if line:
                answer = self._command(bytes(line).decode().split(None, 2))
        except UnicodeError:
            answer = {"error": "not UTF-8; nothing done"}
        except ValueError as e:
            answer = {"error": str(e)}
        except Exception as e:  # noqa: BLE001 - the console outlives whatever a command meets
            answer = {"error": "%s: %s" % (type(e).__name__, e)}
        if answer:
            self._reply(answer, as_json or self._json)
        if not self._running:
            self._say(_PROMPT)

    def _reply(self, answer, as_json):
        if as_json:
            # MicroPython's dicts keep no order, and `ok` comes first.
            ok = "false" if "error" in answer else "true"
            rest = json.dumps(answer, separators=(",", ":"))[1:]
            self._write('{"ok":%s,%s\n' % (ok, rest))
            return
        lines: list[str] = []
        for name, value in sorted(answer.items()):
            if isinstance(value, dict):
                for item in sorted(value.items()):
                    lines.append("%s = %s" % item)
            elif isinstance(value, list):
                lines.extend(value)
            else:
                lines.append("%s: %s" % (name, "-" if value is None else value))
        self._write("\n".join(lines or ("ok",)) + "\n")

    def _command(self, words):
        # -> the answer as a dict; None: it comes later. ValueError: bad input, nothing changed.
        name = words[0] if words else ""
        if name in ("sleep", "reboot"):
            self.leave = name
            return {name: True}
        if name == "selftest":
            self._running = self.selftest(self._write)  # type: ignore[misc]
            return None
        if name == "help":
            return {"commands": _USAGE}
        if name == "log":
            return {"log": self._log.lines}
        for usage in _USAGE.split("; "):
            if name == usage.split()[0]:
                return getattr(self, "_do_" + name)(words[1:])
        raise ValueError("unknown command; 'help' lists them")

    def _level(self):
        # -> (0.0 to 1.0 or None, fault or None), read now and for the eye only.
        try:
            return self._gauge.read() / 1000, None
        except Exception as e:  # noqa: BLE001 - whatever a driver raises belongs on the screen
            return None, "gauge fault: %s" % e

    def _do_status(self, _args):
        agent, orders, config = self._agent, self._agent.orders, self._config
        level, fault = self._level()
        return {
            "level": level,
            "state": orders.state,
            "blocked": orders.block,
            "slot": config["slot.id"],
            "event_id": orders.event_id or None,
            "time": dates.iso(self._time_s()),
            "version": VERSION,
            "low": agent.level.low,
            "fault": fault or config.fault,
            "missing": config.missing(),
            "power": config["power.mode"],
            "safe_mode": agent.safe,
            "ordered": _iso(orders.ordered_at),
            "uplink": agent.trouble,
            "failures": agent.failures,
        }

    def _do_config(self, args):
        config = self._config
        if not args:
            return {"config": {name: config.shown(name) for name in names()}}
        name = args[0]
        if len(args) > 1:
            value = args[1].strip()
            config.set(name, "" if value == '""' else value)
            if self.on_config:
                self.on_config(name)
        return {"name": name, "value": config.shown(name)}

    def _do_measure(self, _args):
        level, fault = self._level()
        raws, levels = self._gauge.raws, self._gauge.levels
        outliers = 0
        for each in levels:
            outliers += abs(each - levels[4]) > 25
        return {
            "raw": " ".join(map(str, raws)),
            "filtered": raws[4] if raws else None,
            "outliers": outliers,
            "level": level,
            "fault": fault,
        }

    def _do_calibrate(self, args):
        from lowtide.calibrate import calibrate

        # A bin in somebody's hands orders nothing: low is confirmed anew from here.
        self._agent.level.fault()
        return calibrate(self._gauge, self._config, self._ends, args)

    def _do_order(self, args):
        if args not in ([], ["--now"]):
            raise ValueError("want 'order' or 'order --now'")
        verdict = self._agent.request_order(bool(args))
        if not verdict.may:
            raise ValueError("not ordered: " + verdict.why)
        return {"order": "on its way", "why": verdict.why}

    def _do_why(self, _args):
        agent, level = self._agent, self._agent.level
        verdict = agent.verdict(self._time_s())
        forecast = None
        days = agent.forecast.days_left()
        if days is not None:
            late = agent.forecast.days_left(-1)
            forecast = "empty in %d days (%d to %s)" % (
                days, agent.forecast.days_left(1), "?" if late is None else late
            )  # fmt: skip
        return {
            "why": "%s; %s" % (verdict.why, forecast or "no forecast yet"),
            "level": None if level.permille is None else level.permille / 1000,
            "measured": _iso(agent.measured_at),
            "threshold": self._config["level.reorder_pct"] / 100,
            "low_readings": "%d of %d" % (level.low_count, self._config["level.confirm_count"]),
            "forecast": forecast,
            "next_order": _iso(verdict.at_s),
        }

    def _do_time(self, args):
        if args:
            self._set_time(dates.parse_iso(args[0]))
        return {"time": dates.iso(self._time_s())}

    def _do_json(self, args):
        if args not in (["on"], ["off"]):
            raise ValueError("want 'json on' or 'json off'")
        self._json = args == ["on"]
        return {"json": self._json}


def _iso(at_s):
    return dates.iso(at_s) if at_s else None
