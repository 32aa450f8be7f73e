"""MicroPython's prompt on a board, for tools: whatever ran there stopped, files written whole.

As a program: stop what runs, waiting for a board that sleeps, and leave the board to another tool.
"""

import argparse
import base64
import contextlib
import hashlib
import io
import json
import sys
import time

import serial
from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport

from tools.port import why

_WAIT_S = 60
_TRY_S = 2
_REOPEN_S = 0.2
_WATCHDOG_MS = 60000
_CHUNK = 384
_ASLEEP = """\
no answer yet. A board that sleeps hears nothing: press its reset button (EN), or take its power
away and give it back; a battery board listens for ten seconds after that."""
# The device's half; what was running makes room for it. Its names begin with an underscore, since
# others may be there.
_DEVICE = """\
import binascii, gc, hashlib, json, machine, os, sys
for _m in list(sys.modules):
    if (_m + ".").startswith(("app.", "asyncio.", "board.", "hal.", "lowtide.")):
        del sys.modules[_m]
        globals().pop(_m, None)
gc.collect()
_dog = machine.WDT(timeout=%d)
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
def _aside(path):
    global _tmp
    parts = path.split("/")
    for n in range(2, len(parts)):
        try:
            os.mkdir("/".join(parts[:n]))
        except OSError:
            pass
    _tmp = path + ".tmp"
def _copy(source):
    with open(source, "rb") as f, open(_tmp, "wb") as g:
        while True:
            data = f.read(512)
            if not data:
                break
            g.write(data)
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


class BoardError(Exception):
    """The board does not do what it is told; the text says what to do."""


class Target:
    """A board's prompt, its program stopped. It restarts by itself if the line goes dead.

    `is_to_work`: without it the program is only stopped: no watchdog, none of the functions here.
    """

    def __init__(self, port, say, is_to_work=True):
        self._port = port
        self._transport = None
        try:
            self._open()
        except (TransportError, serial.SerialException):
            raise BoardError(f"{port}: {why(port)}") from None
        self._stop_program(say)
        if is_to_work:
            self.run(_DEVICE % _WATCHDOG_MS)

    def _open(self):
        if self._transport is None:
            self._transport = SerialTransport(self._port)

    def _stop_program(self, say):
        end = time.monotonic() + _WAIT_S
        hint = _ASLEEP
        while not self._prompt():
            if time.monotonic() > end:
                raise BoardError(f"{self._port}: no answer in {_WAIT_S} s")
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
            raise BoardError(f"the board did not answer: {e}") from None

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
        # Beside its place: within a folder littlefs renames in one commit. From one folder to
        # another it takes two, and a power cut between them hides the old name's neighbour, until
        # something is written (littlefs 2.11, by its pull request 937): here the folder that runs.
        self.call("_aside", path)
        if same:
            self.call("_copy", same)
        else:
            self.run("_f = open(_tmp, 'wb')")
            for at in range(0, len(content), _CHUNK):
                chunk = base64.b64encode(content[at : at + _CHUNK]).decode()
                self.run(f"_dog.feed(); _f.write(binascii.a2b_base64('{chunk}'))")
            self.run("_f.close()")
        # A file of no bytes prints nothing else either.
        if self.run("print(_hash(_tmp))").split()[-1] != sha256(content):
            raise BoardError(f"{path} reads back other bytes: bad cable, or worn-out flash")
        self.run(f"os.rename(_tmp, {path!r})")

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
        self._end(source)
        self._transport.close()

    def restart_on_line(self):
        """Reset the board; return the port, still open, so that no word of the start is lost."""
        self._end("machine.reset()")
        return self._transport.serial

    def _end(self, source):
        with contextlib.suppress(TransportError, OSError):
            self._transport.exec_raw_no_follow(source)
            # Else closing the port may take back what is not sent yet.
            self._transport.serial.flush()


def sha256(content):
    """Return the SHA-256 of `content`, as the board prints it."""
    return hashlib.sha256(content).hexdigest()


def main(argv=None):
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="tools.prompt", description=__doc__)
    parser.add_argument("port", metavar="PORT")
    port = parser.parse_args(argv).port
    try:
        Target(port, lambda line: print(line, flush=True), is_to_work=False).leave("")
    except BoardError as e:
        print(e, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{port}: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
