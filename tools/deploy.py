"""`deploy`: bring the firmware to a board over its serial port: what changed only, all or nothing.

The code goes into a folder of its own, beside the one that runs. Each file is written aside, read
back, and renamed into place; `boot.py`, which points to the folder, is the last one. A cable
pulled before that leaves the old version, which the watchdog starts a minute later.
"""

import argparse
import base64
import contextlib
import hashlib
import io
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import serial
from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport
from serial.tools import list_ports

from tools import image
from tools.boards import facts
from tools.firmware_file import OLDEST

_WAIT_S = 60
_TRY_S = 2
_REOPEN_S = 0.2
_WATCHDOG_MS = 60000
_CHUNK = 768
_ASLEEP = """\
no answer yet. A board that sleeps hears nothing: press its reset button (EN), or take its power
away and give it back; a battery board listens for ten seconds after that."""
# In this order, after all others. Until boot.py is replaced the board starts the old version, with
# either main.py; a configuration without an order record would count as a lost one.
LAST = ("/order.rec", "/config.rec", "/main.py", "/boot.py")
_FOLDER = re.compile(r"/fw-[0-9a-f]{8}")
# What versions before folders left at the root.
_FLAT = re.compile(r"/(lowtide|app\.mpy|hal\.mpy|board\.mpy)")
# The device's half; names with an underscore, since the agent's may be there too.
_DEVICE = """\
import binascii, gc, hashlib, json, machine, os, sys
gc.collect()
_dog = machine.WDT(timeout=%d)
_tmp = "/deploy.tmp"
def _hash(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while True:
            data = f.read(512)
            if not data:
                return binascii.hexlify(h.digest()).decode()
            h.update(data)
def _walk(path, act):
    _dog.feed()
    try:
        entries = list(os.ilistdir(path))
    except OSError:
        act(path)
        return
    for entry in entries:
        _walk(path + "/" + entry[0], act)
def _list(*names):
    def act(path):
        try:
            print(json.dumps((path, _hash(path))))
        except OSError:
            pass
    for name in names:
        _walk(name, act)
def _copy(source):
    with open(source, "rb") as f, open(_tmp, "wb") as g:
        while True:
            data = f.read(512)
            if not data:
                break
            g.write(data)
def _place(path):
    parts = path.split("/")
    for n in range(2, len(parts)):
        try:
            os.mkdir("/".join(parts[:n]))
        except OSError:
            pass
    os.rename(_tmp, path)
def _remove(path):
    _walk(path, os.remove)
    def prune(folder):
        for entry in os.ilistdir(folder):
            prune(folder + "/" + entry[0])
        os.rmdir(folder)
    try:
        prune(path)
    except OSError:
        pass
"""


class DeployError(Exception):
    """The board was not brought to the new version; the text says what to do."""


class Target:
    """A board's prompt, its program stopped. It restarts by itself if the line goes dead."""

    def __init__(self, port, say):
        self._port = port
        self._transport = None
        try:
            self._open()
        except (TransportError, serial.SerialException):
            there = ", ".join(p.device for p in list_ports.comports()) or "none"
            raise DeployError(
                f"cannot open {port}: in use, or not there (USB of the chip's own is gone while "
                f"it sleeps); ports: {there}"
            ) from None
        self._stop_program(say)
        self.run(_DEVICE % _WATCHDOG_MS)

    def _open(self):
        if self._transport is None:
            self._transport = SerialTransport(self._port)

    def _stop_program(self, say):
        end = time.monotonic() + _WAIT_S
        hint = _ASLEEP
        while not self._prompt():
            if time.monotonic() > end:
                raise DeployError(f"no answer in {_WAIT_S} s")
            if hint:
                say(hint)
            hint = None

    def _prompt(self):
        # Whether the prompt came. No soft reset: a boot.py that is broken would not come back.
        try:
            self._open()
            # mpremote prints what it heard instead of a prompt.
            with contextlib.redirect_stdout(io.StringIO()):
                self._transport.enter_raw_repl(soft_reset=False, timeout_overall=_TRY_S)
            return True
        except (serial.SerialException, OSError):
            # The port went away, and comes back with the board.
            self._transport = None
            time.sleep(_REOPEN_S)
        except TransportError:
            pass
        return False

    def run(self, source):
        """Run `source` on the board; return what it printed."""
        try:
            return self._transport.exec(source).decode()
        except (TransportError, serial.SerialException, OSError) as e:
            raise DeployError(f"the board did not answer: {e}") from None

    def call(self, name, *args):
        """Call a function of the device's half; return what it printed."""
        return self.run(f"_dog.feed()\n{name}({', '.join(map(repr, args))})")

    def about(self):
        """Return `(machine's description, (major, minor) of MicroPython)`."""
        text = self.run("s = sys.implementation; print(json.dumps((s._machine, s.version[:2])))")
        described, version = json.loads(text)
        return described, tuple(version)

    def root(self):
        """Return the paths in the root."""
        return json.loads(self.run("print(json.dumps(['/' + e[0] for e in os.ilistdir('/')]))"))

    def hashes(self, *names):
        """Return `{path: SHA-256}` of all files below these paths that there are."""
        lines = self.call("_list", *names).splitlines()
        return dict(json.loads(line) for line in lines if line.startswith("["))

    def put(self, path, content, same=None):
        """Write a file whole or not at all; `same`: a path on the device with that content."""
        if same:
            self.call("_copy", same)
        else:
            self.run("_f = open(_tmp, 'wb')")
            for at in range(0, len(content), _CHUNK):
                chunk = base64.b64encode(content[at : at + _CHUNK]).decode()
                self.run(f"_dog.feed(); _f.write(binascii.a2b_base64('{chunk}'))")
            self.run("_f.close()")
        # A file of no bytes prints nothing else either.
        if self.run("print(_hash(_tmp))").split()[-1] != _sha(content):
            raise DeployError(f"{path} reads back other bytes: bad cable, or worn-out flash")
        self.call("_place", path)

    def remove(self, path):
        """Remove a file or a folder with all in it."""
        self.call("_remove", path)

    def free(self):
        """Return the bytes that are free."""
        return int(self.run("s = os.statvfs('/'); print(s[0] * s[3])"))

    def restart(self):
        """Reset the board, which then starts what boot.py points to; let the port go."""
        self.leave("machine.reset()")

    def leave(self, source):
        """Run `source`, which ends this prompt, and let the port go."""
        with contextlib.suppress(TransportError, OSError):
            self._transport.exec_raw_no_follow(source)
            # Else closing the port may take back what is not sent yet.
            self._transport.serial.flush()
        self._transport.close()


def _sha(content):
    return hashlib.sha256(content).hexdigest()


def deploy(target, files, say, records=()):
    """Bring `files` (see `image.layout`) to the board; return how many bytes went over the wire.

    `records`: the settings that a new board begins with (see `image.records`).
    """
    wanted = {"/" + name: content for name, content in files.items()}
    root = target.root()
    if not {"/config.rec", "/order.rec"} & set(root):
        wanted |= {"/" + name: content for name, content in dict(records).items()}
    ours = [path for path in root if _FOLDER.fullmatch(path) or _FLAT.fullmatch(path)]
    present = target.hashes(*ours, "/certs", "/boot.py", "/main.py")
    running = _pointed_to(target) if "/boot.py" in root else None
    new = next(path[:12] for path in wanted if _FOLDER.match(path))
    missing = {path: c for path, c in wanted.items() if present.get(path) != _sha(c)}
    for path in _stale(ours, running, new):
        target.remove(path)
        say(f"removed {path}, of an older version")
        present = {p: sha for p, sha in present.items() if not p.startswith(path)}
    if not missing:
        say(f"{new[1:]} is on the board already: nothing moved")
        return 0
    need, free = sum(map(len, missing.values())) + 4096 * (len(missing) + 4), target.free()
    if need > free:
        raise DeployError(f"the flash has {free} bytes left, {need} are needed: remove files")
    where = {sha: path for path, sha in present.items()}
    sent = 0
    for path in sorted(missing, key=lambda path: (LAST.index(path) if path in LAST else -1, path)):
        same = where.get(_sha(missing[path]))
        target.put(path, missing[path], same)
        sent += 0 if same else len(missing[path])
        say(f"{path}: {'copied on the board' if same else f'{len(missing[path])} bytes sent'}")
    say(f"{new[1:]} is on the board, {sent} bytes sent")
    return sent


def _pointed_to(target):
    source = target.run("print(open('/boot.py').read())")
    found = re.search(r'path \+= \["(/fw-[0-9a-f]{8})"', source)
    return found and found[1]


def _stale(ours, running, new):
    # The flat files run as long as boot.py points to no folder.
    return [
        path
        for path in ours
        if path not in (running, new) and (running or not _FLAT.fullmatch(path))
    ]


def check_fits(target, board):
    """Refuse a board of another chip, or a MicroPython that is too old."""
    described, version = target.about()
    if version < OLDEST:
        raise DeployError(
            "the board's MicroPython is %d.%d, the agent needs %d.%d: make flash"
            % (version + OLDEST)
        )
    found = re.match(
        r"esp32([a-z]\d)?", described.rpartition(" with ")[2].replace("-", "").lower()
    )
    if found and found[0] != board.json["mcu"]:
        raise DeployError(
            f"the board is a {described!r}, {board.name} is for {board.json['mcu']}: see BOARD="
        )


def main(argv=None):
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="tools.deploy", description=__doc__)
    parser.add_argument("--port", required=True)
    parser.add_argument("--board", required=True)
    parser.add_argument("--cert", action="append", default=[], type=Path, metavar="FILE")
    args = parser.parse_args(argv)
    say = lambda line: print(line, flush=True)  # noqa: E731
    try:
        board = facts.load(args.board)
        files, records = image.compiled(board.name, args.cert), image.records(board)
        target = Target(args.port, say)
        try:
            check_fits(target, board)
            deploy(target, files, say, records)
        finally:
            target.restart()
    except (DeployError, FileNotFoundError, ValueError, subprocess.CalledProcessError) as e:
        print(f"deploy: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
