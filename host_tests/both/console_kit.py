"""A person, or a script, at the serial line."""

import io
import json

from kit import Device

from lowtide.console import Console
from lowtide.log import Log

COMMANDS = ("help", "status", "config", "measure", "order", "why", "log", "time", "reboot")


class Line(io.IOBase):
    """A text stream that keeps what was written: JSON comes byte by byte on MicroPython."""

    def __init__(self):
        self.said = bytearray()

    def write(self, data):
        self.said.extend(data.encode() if isinstance(data, str) else data)
        return len(data)

    def clear(self):
        self.said = bytearray()

    def text(self, since=0):
        return self.said[since:].decode()


class Terminal:
    """A person, or a script, at the serial line of a `Device`."""

    def __init__(self, device=None, json_mode=True):
        self.device = device or Device()
        self.out = Line()
        device = self.device
        self.log = Log(device.clock, self.out.write)
        device.agent.log = self.log
        self.changed = []
        self.begun = {}
        # What the console needs of `app.App`.
        self.agent, self.config, self.gauge = device.agent, device.config, device.gauge
        self.time_s, self.set_time = device.clock, device.clock.set
        self.config_changed = self.changed.append
        self.console = Console(self, None)
        self.stopped = 0
        if json_mode:
            self.send(b"json on\r\n")
            self.out.clear()

    def send(self, data):
        """Type bytes; return all that came back."""
        before = len(self.out.said)
        for at in range(len(data)):
            try:
                self.console.feed(data[at : at + 1])
            except KeyboardInterrupt:
                self.stopped += 1
        return self.out.text(before)

    def ask(self, line):
        """Send one command in JSON mode; return its one answer."""
        if isinstance(line, str):
            line = line.encode()
        lines = self.send(line + b"\n").split("\n")
        assert lines.pop() == ""
        answers = [text for text in lines if text.startswith("{")]
        assert len(answers) == 1, lines
        answer = json.loads(answers[0])
        assert isinstance(answer["ok"], bool)
        assert answer["ok"] or set(answer) == {"ok", "error"}
        if not answer["ok"]:
            assert "\n" not in answer["error"] and len(answer["error"]) < 160
        return answer
