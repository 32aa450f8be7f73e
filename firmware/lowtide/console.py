"""The serial console: a line in, a line out; JSON mode for scripts."""

import asyncio
import json
import sys

from micropython import const

from lowtide.config import SECRET, Config, names, point

_MAX_LINE = const(2300)
_PROMPT = const("lowtide> ")
# The one list of commands: functions of `commands`; what takes its time, the caller's `job`; what
# ends the loop. What each one does is in help.txt.
COMMANDS = "help status config measure calibrate order why log time json"
JOBS = "register selftest factory-reset"
LEAVE = "sleep reboot"
# Whoever types more behind these expects what they do not do: `sleep 60` would sleep on.
_ALONE = const("status measure why log selftest sleep reboot")
# Modules that are loaded for a command and not kept: the network needs their heap.
_SELDOM = const("calibrate register selftest settings wipe")
_LONGEST = const(-20)


class Console:
    """Reads commands and answers them. `heard` turns true with any input, `leave` names the
    command that ends the loop; both are the caller's to act on.

    Args:
        app: what it shows and drives, see `app.App`; `out` is the serial line, a text stream.
        job: `(app, name, argument)` gives a coroutine that does what takes its time and returns
            the answer.
    """

    def __init__(self, app, job):
        self.app, self.job = app, job
        self._json = self._hidden = self._lost = self._key = self.heard = False
        self.line = bytearray()
        self._running = self.leave = None
        # What follows these is not echoed: secrets, and the code in a registration's address.
        self._secrets = [b"code="]
        for name in names():
            if point(name)[0] == SECRET:
                self._secrets.append(name.encode())

    async def run(self, reader):
        """Serve commands from `reader` (an asyncio stream) for ever."""
        # Loaded now: in the middle of an uplink there may be no room.
        __import__("lowtide.commands")
        self._say(_PROMPT)
        while True:
            try:
                data = await reader.read(1)
                if not data:
                    # A serial line that is gone for the moment reads as empty at once.
                    await asyncio.sleep(1)
                    continue
                self.heard = True
                self.feed(data)
            except MemoryError:
                # An uplink has it: what was being typed is not to count.
                self._lost = True
            if self._running:
                # What is typed meanwhile waits.
                try:
                    answer = await self._running
                    if "wiped" in answer:
                        self.leave = "wiped"
                except Exception as e:  # noqa: BLE001 - the console outlives what a job meets
                    answer = _failed(e)
                self._running = None
                self._answer(answer, self._json)
                __import__("lowtide.commands")

    def feed(self, data):
        """Take bytes in; a complete line is answered at once.

        Raises:
            KeyboardInterrupt: Ctrl-C on an empty line.
        """
        for byte in data:
            line = self.line
            if byte in b"\r\n":
                # A long line is not to be in memory three times.
                del line
                self._enter()
            elif byte in b"\x03\x15":
                # Ctrl-C, Ctrl-U.
                if byte == 3 and not line:
                    raise KeyboardInterrupt
                self._drop()
                self._say("\n" + _PROMPT)
            elif byte in b"\x08\x7f":
                self._back(line)
            else:
                self._typed(byte, line)

    def _typed(self, byte, line):
        if byte == 27 or self._key:
            # ESC [ 1 ~, ESC O A: an arrow or a function key, to its end.
            self._key = byte in b"\x1b[O;0123456789"
        elif len(line) <= _MAX_LINE and (byte >= 32 or byte == 9):
            line.append(byte)
            if 31 < byte < 127:
                self._say("*" if self._hidden else chr(byte))
                for word in self._secrets:
                    if word in line[_LONGEST:]:
                        self._hidden = True

    def _drop(self):
        self.line = bytearray()
        self._hidden = self._lost = self._key = False

    def _back(self, line):
        if line and 31 < line[-1] < 127:
            self._say("\b \b")
        # Of other characters, which have not been echoed, all bytes.
        while line and 127 < line[-1] < 192:
            line = line[:-1]
        self.line = line[:-1]

    def _say(self, text):
        # Echo and prompt: for people only.
        if not self._json:
            self.app.out.write(text)

    def _enter(self):
        # Exactly one answer, whatever was typed; none to an empty line.
        self._say("\n")
        as_json, answer, line, lost = self._json, None, self.line, self._lost
        self._drop()
        try:
            if lost:
                raise MemoryError
            if len(line) > _MAX_LINE:
                raise ValueError("over %d characters; nothing done" % _MAX_LINE)
            if line:
                words = str(line, "utf-8").split(None, 1) + ["", ""]
                del line
                answer = self._command(words[0], words[1].strip())
        except Exception as e:  # noqa: BLE001 - the console outlives whatever a command meets
            answer = _failed(e)
        if not self._running:
            self._answer(answer, as_json or self._json)

    def _answer(self, answer, as_json):
        try:
            if answer:
                self._reply(answer, as_json)
        except MemoryError as e:
            # It may be half said.
            self.app.out.write("\n")
            self._reply(_failed(e), as_json)
        _unload(_SELDOM)
        self._say(_PROMPT)

    # Answers are written piece by piece: put together, one would need its own size in one piece,
    # which there may not be during an uplink.

    def _reply(self, answer, as_json):
        if not as_json:
            self._reply_text(answer)
            return
        out = self.app.out
        # MicroPython's dicts keep no order, and `ok` comes first.
        out.write('{"ok":false' if "error" in answer else '{"ok":true')
        for name, value in answer.items():
            out.write(',"%s":' % name)
            if isinstance(value, Config):
                from lowtide.settings import shown

                mark = "{"
                for each in names():
                    out.write('%s"%s":%s' % (mark, each, json.dumps(shown(value, each))))
                    mark = ","
                out.write("}")
            else:
                json.dump(value, out)
        out.write("}\n")

    def _reply_text(self, answer):
        write = self.app.out.write
        for name in sorted(answer):
            value = answer[name]
            if isinstance(value, Config):
                from lowtide.settings import differs, shown

                for each in names():
                    mark = "*" if differs(value, each) else " "
                    write("%s %s = %s\n" % (mark, each, shown(value, each)))
            elif isinstance(value, (list, dict)):
                # Lines of log, names of slots.
                for line in value:
                    write(line + "\n")
            else:
                write("%s: %s\n" % (name, "-" if value is None else value))

    def _command(self, name, rest):
        # -> the answer as a dict; None: it comes later. ValueError: bad input, nothing changed.
        if rest and name in _ALONE.split():
            raise ValueError("nothing goes behind " + name)
        if name in LEAVE.split():
            self.leave = name
            return {name: True}
        if name in JOBS.split() or (name == "order" and rest == "--cancel"):
            _unload("commands uplink")
            self._running = self.job(self.app, name, rest)
            return None
        if name == "json":
            if rest not in ["on", "off"]:
                raise ValueError("want json on or json off")
            self._json = rest == "on"
            return {"json": self._json}
        if name in COMMANDS.split():
            from lowtide import commands

            return getattr(commands, "do_" + name)(self.app, rest)
        raise ValueError("unknown command; see 'help'")


def _failed(e):
    if isinstance(e, UnicodeError):
        return {"error": "not UTF-8; nothing done"}
    if isinstance(e, MemoryError):
        return {"error": "out of memory; nothing done: try again after the uplink"}
    return {"error": str(e) or type(e).__name__}


def _unload(names):
    """Drop modules of ours: what is loaded for once gives its heap to the network again."""
    for name in names.split():
        if sys.modules.pop("lowtide." + name, None):
            delattr(sys.modules["lowtide"], name)
