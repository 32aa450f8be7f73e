"""The provisioning tool over consoles on ptys, for tests of it that need no firmware."""

import csv
import json
import os
import threading
import tty

import pytest

from lowtide.config import names, point
from lowtide.settings import check
from tools.provision import __main__ as provision
from tools.provision import board as console

SETTINGS = 'wifi.ssid = "Home"\nlwa.client_id = "c"\nlevel.reorder_pct = 25\nslot.id = "Paper"\n'
SECRETS = {
    "LOWTIDE_WIFI_PASSWORD": "hunter-22",
    "LOWTIDE_LWA_REFRESH_TOKEN": "Atzr|IwEBIJ-secret",
}
STEPS = ("flash", "gauge", "clock", "wifi", "dns", "tls", "token")


class FakeBoard:
    """Answers as the firmware's console in JSON mode does, by the firmware's own table.

    Attributes:
        settings: what is stored, as the board keeps it.
        lines: each line that came in.
        fails: `{step of the self-test: reason}`.
        on: `{first word of a line: what answers it}`: a function of the line that returns the
            answer, or None for silence.
    """

    def __init__(self, **stored):
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self.port = os.ttyname(slave)
        # One end stays open, else closing the port would look as an unplugged board does.
        self._slave = slave
        self.settings = {name.replace("__", "."): value for name, value in stored.items()}
        self.lines, self.fails, self.on = [], {}, {}
        self.slots = {"PaperTowel": True}
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def unplug(self):
        """Take the board away: its port is dead from here on."""
        master, self._master = self._master, None
        if master is not None:
            os.close(self._slave)
            os.close(master)

    close = unplug

    def _serve(self):
        rest = b""
        while self._master is not None:
            try:
                rest += os.read(self._master, 4096)
            except OSError:
                return
            while b"\n" in rest and self._master is not None:
                line, _, rest = rest.partition(b"\n")
                if line:
                    self._enter(line.decode())

    def _enter(self, line):
        self.lines.append(line)
        word, _, rest = line.partition(" ")
        try:
            answer = self.on[word](rest) if word in self.on else getattr(self, "_" + word)(rest)
        except ValueError as e:
            answer = {"ok": False, "error": str(e)}
        if answer is not None:
            self.say(json.dumps({"ok": True} | answer))

    def say(self, text):
        """Print a line."""
        if self._master is not None:
            os.write(self._master, text.encode() + b"\n")

    def _json(self, _):
        return {"json": True}

    def _time(self, _):
        return {"time": "2026-11-25T00:00:00Z"}

    def _status(self, _):
        needed = ("wifi.ssid", "lwa.client_id", "lwa.refresh_token", "slot.id")
        missing = next((name for name in needed if not self.settings.get(name)), None)
        return {"version": "0.1.0", "missing": missing}

    def _shown(self, name):
        kind, default, *_ = point(name)
        value = self.settings.get(name, default)
        return ("set" if value else "not set") if kind == "s" else value

    def _config(self, rest):
        if not rest:
            return {"config": {name: self._shown(name) for name in names()}}
        if rest.startswith("{"):
            changes = json.loads(rest)
        else:
            name, _, value = rest.partition(" ")
            changes = {name: value}
        self.settings |= {name: check(name, value) for name, value in changes.items()}
        return {"set": list(changes)}

    def _selftest(self, _):
        missing = self._status("")["missing"]
        fails = self.fails
        if missing:
            fails = {"token": f"not set: see 'help {missing}'"} | fails
        for step in STEPS:
            self.say(f"{step}: FAILED: {fails[step]}" if step in fails else f"{step}: ok")
        failed = next((step for step in STEPS if step in fails), None)
        return {"ok": False, "error": f"failed: {failed}"} if failed else {"selftest": "ok"}

    def _register(self, rest):
        uri, _, query = rest.partition("?")
        if not query:
            return {"link": f"https://amazon.example/ap/oa?redirect_uri={uri}"}
        fields = dict(field.split("=") for field in query.split("&"))
        if "error" in fields:
            raise ValueError(fields["error"])
        self.settings["lwa.refresh_token"] = "Atzr|of " + fields["code"]
        if len(self.slots) == 1 and not self.settings.get("slot.id"):
            self.settings["slot.id"] = next(iter(self.slots))
        return {"slots": self.slots, "slot": self.settings.get("slot.id", "")}


class Bench:
    """A folder with the tool's files, and boards."""

    def __init__(self, folder, capsys):
        self.folder, self._capsys = folder, capsys
        self.file, self.csv = folder / "settings.toml", folder / "batch.csv"
        self.path = folder / "batch-report.csv"
        self.file.write_text(SETTINGS)
        self.rows("A", "B", "C")
        self.boards = []

    def rows(self, *serials):
        self.csv.write_text("\n".join(("device.serial", *serials, "")))

    def board(self, **stored):
        self.boards.append(FakeBoard(**stored))
        return self.boards[-1]

    def run(self, *boards, options=()):
        """Run the tool over the boards; return the exit status and all that it printed."""
        for board in boards:
            board.lines.clear()
        arguments = [str(self.file), "--port", *(board.port for board in boards), *options]
        if self.csv.exists():
            arguments += ["--csv", str(self.csv)]
        status = provision.main(arguments)
        return status, self.said()

    def said(self):
        """Return all that was printed since the last time."""
        said = self._capsys.readouterr()
        return said.out + said.err

    def report(self):
        """Return `{serial or port: row}`."""
        with open(self.path, newline="") as file:
            return {row["serial"] or row["port"]: row for row in csv.DictReader(file)}

    def result(self, name):
        row = self.report()[name]
        return row["result"], row["reason"]


@pytest.fixture
def bench(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(console, "CONNECT_S", 2)
    monkeypatch.setattr("tools.device._UNDER_WAY_S", 0.05)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    bench = Bench(tmp_path, capsys)
    yield bench
    for board in bench.boards:
        board.close()


def stored(board):
    """Return the lines that set anything."""
    return [line for line in board.lines if line.startswith("config ")]
