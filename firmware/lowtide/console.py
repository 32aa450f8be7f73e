"""The serial console: a line in, a line out; JSON mode for scripts."""

import asyncio
import json

from micropython import const

from lowtide import VERSION, dates
from lowtide import record as r
from lowtide.config import SECRET, names, point

_MAX_LINE = const(2300)
_SECRETS = [name.encode() for name in names() if point(name)[0] == SECRET]
_PROMPT = "lowtide> "


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
        self.heard = False
        self.leave = None
        self.on_config = self.selftest = None
        self._running = None
        self._commands = {
            "help": self._help,
            "status": self._status,
            "config": self._set_or_show,
            "measure": self._measure,
            "calibrate": self._calibrate,
            "order": self._order,
            "why": self._why,
            "log": self._show_log,
            "selftest": self._selftest,
            "time": self._time,
            "sleep": self._sleep,
            "reboot": self._reboot,
            "json": self._json_mode,
        }

    async def run(self, reader):
        """Serve commands from `reader` (an asyncio stream) for ever."""
        self._write(_PROMPT)
        while True:
            data = await reader.read(1)
            if not data:
                # A serial line that is gone for the moment reads as empty at once.
                await asyncio.sleep(1)
                continue
            self.heard = True
            self.feed(data)
            if self._running:
                await self._finish(self._running)

    def feed(self, data):
        """Take bytes in; a complete line is answered at once."""
        for byte in data:
            if byte in b"\r\n":
                self._enter()
            elif byte in b"\x08\x7f":
                if self._line:
                    self._line = self._line[:-1]
                    self._say("\b \b")
            elif len(self._line) <= _MAX_LINE and (byte >= 32 or byte == 9):
                self._line.append(byte)
                self._echo(byte)

    def _enter(self):
        line, self._line = self._line, bytearray()
        self._say("\n")
        if line:
            self._answer(line)
        if not self._running:
            self._say(_PROMPT)

    async def _finish(self, running):
        # A command that takes its time; what is typed meanwhile waits.
        try:
            failed = await running
            self._reply({"error": failed} if failed else {"selftest": "ok"}, self._json)
        finally:
            self._running = None
        self._say(_PROMPT)

    def _say(self, text):
        # Echo and prompt: for people only.
        if not self._json:
            self._write(text)

    def _echo(self, byte):
        # Once a secret's name is typed its value is not echoed.
        if 31 < byte < 127:
            words = bytes(self._line).split(None, 2)
            secret = len(words) > 2 and words[1] in _SECRETS
            self._say("*" if secret else chr(byte))

    def _answer(self, line):
        # Exactly one answer, whatever was typed.
        answer, as_json = {}, self._json
        try:
            if len(line) > _MAX_LINE:
                raise ValueError("line longer than %d characters; nothing done" % _MAX_LINE)
            answer = self.command(bytes(line).decode().split(None, 2))
        except UnicodeError:
            answer["error"] = "not UTF-8 text; nothing done"
        except ValueError as e:
            answer["error"] = str(e)
        except Exception as e:  # noqa: BLE001 - the console outlives whatever a command meets
            answer["error"] = "%s: %s" % (type(e).__name__, e)
        if not self._running:
            self._reply(answer, as_json or self._json)

    def _reply(self, answer, as_json):
        if as_json:
            # MicroPython's dicts keep no order, and `ok` comes first.
            rest = json.dumps(answer, separators=(",", ":"))[1:]
            ok = "false" if "error" in answer else "true"
            self._write('{"ok":%s%s%s\n' % (ok, "," if answer else "", rest))
        else:
            self._write(_text(answer))

    def command(self, words):
        """Run one command, given as up to three words; return the answer as a dict.

        Raises:
            ValueError: bad input, in one line; nothing changed.
        """
        handler = self._commands.get(words[0]) if words else None
        if handler is None:
            raise ValueError("unknown command; 'help' lists them")
        return handler(words[1:])

    def _help(self, _args):
        return {
            "commands": "help; status; config [NAME [VALUE]]; measure; calibrate; order [--now]; "
            "why; log; selftest; time [ISO8601]; sleep; reboot; json on|off"
        }

    def _level(self):
        # -> (0.0 to 1.0 or None, fault or None), read now and for the eye only.
        try:
            return self._gauge.read() / 1000, None
        except Exception as e:  # noqa: BLE001 - whatever a driver raises belongs on the screen
            return None, "gauge fault: %s" % e

    def _status(self, _args):
        agent, rec, config = self._agent, self._agent.rec, self._config
        level, fault = self._level()
        return {
            "level": level,
            "state": r.STATES[rec.state],
            "blocked": r.BLOCKS[rec.blocked],
            "slot": config["slot.id"],
            "event_id": rec.event_id or None,
            "time": dates.iso(self._time_s()),
            "version": VERSION,
            "low": agent.level.low,
            "fault": fault or config.fault,
            "missing": config.missing(),
            "power": config["power.mode"],
            "safe_mode": agent.safe,
            "ordered": dates.iso(rec.ordered_at) if rec.ordered_at else None,
            "uplink": agent.trouble,
            "failures": agent.failures,
        }

    def _set_or_show(self, args):
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

    def _measure(self, _args):
        level, fault = self._level()
        raws, levels = self._gauge.raws, self._gauge.levels
        return {
            "raw": " ".join(map(str, raws)),
            "filtered": raws[len(raws) // 2] if raws else None,
            "outliers": sum([abs(each - levels[len(levels) // 2]) > 25 for each in levels]),
            "level": level,
            "fault": fault,
        }

    def _calibrate(self, args):
        from lowtide.calibrate import calibrate

        # A bin in somebody's hands orders nothing: low is confirmed anew from here.
        self._agent.level.fault()
        return calibrate(self._gauge, self._config, self._ends, args)

    def _order(self, args):
        if args not in ([], ["--now"]):
            raise ValueError("want 'order' or 'order --now'")
        verdict = self._agent.request_order(bool(args))
        if not verdict.may:
            raise ValueError("not ordered: " + verdict.why)
        return {"order": "on its way", "why": verdict.why}

    def _why(self, _args):
        agent = self._agent
        level = agent.level.permille
        verdict = agent.verdict(self._time_s())
        days, soon, late = [agent.forecast.days_left(wider) for wider in (0, 1, -1)]
        forecast = None
        if days is not None:
            forecast = "empty in %d days (%d to %s)" % (days, soon, "?" if late is None else late)
        return {
            "why": "%s; %s" % (verdict.why, forecast or "no forecast yet"),
            "level": None if level is None else level / 1000,
            "measured": dates.iso(agent.measured_at) if agent.measured_at else None,
            "threshold": self._config["level.reorder_pct"] / 100,
            "low_readings": "%d of %d"
            % (agent.level.low_count, self._config["level.confirm_count"]),
            "forecast": forecast,
            "next_order": dates.iso(verdict.at_s) if verdict.at_s else None,
        }

    def _show_log(self, _args):
        return {"log": self._log.lines}

    def _selftest(self, _args):
        self._running = self.selftest(  # type: ignore[misc]
            lambda line: self._write(line + "\n")
        )
        return {}

    def _time(self, args):
        if args:
            self._set_time(dates.parse_iso(args[0]))
        return {"time": dates.iso(self._time_s())}

    def _sleep(self, _args):
        self.leave = "sleep"
        return {"sleep": True}

    def _reboot(self, _args):
        self.leave = "reboot"
        return {"reboot": True}

    def _json_mode(self, args):
        if args not in (["on"], ["off"]):
            raise ValueError("want 'json on' or 'json off'")
        self._json = args == ["on"]
        return {"json": self._json}


def _text(answer):
    lines: list[str] = []
    for name, value in sorted(answer.items()):
        if isinstance(value, dict):
            lines.extend("%s = %s" % item for item in sorted(value.items()))
        elif isinstance(value, list):
            lines.extend(value)
        else:
            lines.append("%s: %s" % (name, "-" if value is None else value))
    return "\n".join(lines or ("ok",)) + "\n"
