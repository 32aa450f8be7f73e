"""Registration: the device's link to a person, the person's consent back to the device."""

import contextlib
import functools
import io
import secrets
import select
import sys
import time

import segno

from tools.device import DeviceError, Stopped
from tools.provision import page
from tools.provision.listener import Listener
from tools.provision.settings import InputError

# How long a person may take. A device that is not registered yet goes to sleep ten minutes after
# the last word on its console, so it hears one now and then.
_PATIENCE_S = 1800
_WORD_S = 60
_LOOK_S = 0.3
# What the device is told of the address; as it stands there, which is how it goes on.
_FIELDS = ("code", "scope", "error", "error_description")
_WHITE_ON_BLACK = "\x1b[97;40m"
_PLAIN = "\x1b[0m"
_say = functools.partial(print, flush=True)


class Registrar:
    """Registers devices, one after the other, listening on loopback for the browser.

    Args:
        port: of `http://localhost:port/`, which the security profile must allow; 0 is any.
        say: `(text)`, for the person.
        lines: where the person may paste the address, or choose: an unbuffered binary file, as
            `select` knows nothing of what a buffer holds; None: nowhere.
        stopped: `() -> bool`: give up.

    Raises:
        InputError: the port is in use.
    """

    def __init__(self, port, say=_say, lines=None, stopped=bool):
        self._say, self._lines, self._stopped = say, lines, stopped
        try:
            self._server = Listener(port)
        except OSError as e:
            raise InputError(
                f"localhost:{port}: {e.strerror}; choose another that the security profile allows"
                " with REDIRECT_PORT=N (--redirect-port N)"
            ) from e
        self.uri = f"http://localhost:{self._server.server_port}/"

    def register(self, board, slot=""):
        """Have the customer allow the device on `board` to order. Return the slot it orders for.

        `slot`: the one that is wanted; "" takes the only one, or asks.

        Raises:
            DeviceError: it is not registered, or has no slot yet; the text says why.
        """
        device, serial = board.device, board.serial
        state = secrets.token_urlsafe(12)
        link = f"{board.job('register ' + self.uri)['link']}&state={state}"
        self._ask(serial, link)
        outcome = _Outcome(board, self.uri, state, slot)
        self._server.take = outcome.take
        try:
            self._wait(device, outcome)
        finally:
            self._server.take = None
        if outcome.error:
            raise outcome.error
        return self._chosen(device, outcome)

    def _ask(self, serial, link):
        self._say(f"\n{serial}: open this link in a browser here, and allow the device to order:")
        self._say(f"\n{link}\n")
        drawn = code(link, sys.stdout.isatty())
        with contextlib.suppress(UnicodeEncodeError):
            drawn.encode(sys.stdout.encoding)
            self._say(drawn)
        self._say(
            "Or scan the code with a phone. There the last page will not load: copy its address"
            " and paste it here."
        )

    def _wait(self, device, outcome):
        end = time.monotonic() + _PATIENCE_S
        word = time.monotonic() + _WORD_S
        while not outcome.done:
            if self._stopped():
                raise Stopped("register: interrupted")
            now = time.monotonic()
            if now > end:
                raise DeviceError(
                    f"register: nobody allowed it within {_PATIENCE_S // 60} minutes"
                )
            if now > word:
                device.command("time")
                word = now + _WORD_S
            self._look(outcome)

    def _look(self, outcome):
        sources = [self._server] + ([self._lines] if self._lines else [])
        ready, _, _ = select.select(sources, [], [], _LOOK_S)
        if self._server in ready:
            self._server.handle_request()
        elif ready:
            line = self._line()
            if line and not outcome.take(line)[0]:
                self._say("That is not the address of this registration; paste all of it.")

    def _line(self):
        line = self._lines.readline()
        if not line:
            self._lines = None
        return line.decode(errors="replace").strip()

    def _chosen(self, device, outcome):
        slots, slot = outcome.slots, outcome.slot
        self._say(f"{outcome.serial}: registered; its slots:")
        names = list(slots)
        for number, name in enumerate(names, 1):
            off = "" if slots[name] else " (reordering is off)"
            self._say(f"  {number}  {name}{off}{'  <- this one' if name == slot else ''}")
        if slot and slot not in slots:
            raise DeviceError(f"slot.id: the service knows no {slot}; it has {', '.join(names)}")
        if not slot:
            slot = self._choose(names)
            device.command(f"config slot.id {slot}")
        return slot

    def _choose(self, names):
        while self._lines and names:
            self._say(f"Which one does it order? 1 to {len(names)}:")
            while self._lines and not select.select([self._lines], [], [], _LOOK_S)[0]:
                if self._stopped():
                    raise Stopped("register: interrupted")
            answer = self._line()
            if answer in names:
                return answer
            if answer.isdigit() and 0 < int(answer) <= len(names):
                return names[int(answer) - 1]
        raise DeviceError(f"slot.id: registered; say which slot in the file: {', '.join(names)}")

    def close(self):
        """Stop listening."""
        self._server.server_close()


class _Outcome:
    """What became of one registration; `done` once the device has answered."""

    def __init__(self, board, uri, state, slot):
        self.serial = board.serial
        self._board, self._uri, self._state, self._slot = board, uri, state, slot
        self.done = False
        self.error = None
        self.slots, self.slot = {}, ""

    def take(self, address):
        """Hand the address to the device, if it is this registration's. Return `(is it, page)`."""
        fields = dict(field.partition("=")[::2] for field in address.partition("?")[2].split("&"))
        if self.done or fields.get("state") != self._state:
            return False, page.unexpected()
        query = "&".join(f"{name}={fields[name]}" for name in _FIELDS if name in fields)
        self.done = True
        try:
            answer = self._board.job(f"register {self._uri}?{query}", "register")
        except DeviceError as e:
            self.error = e
            return True, page.failed(self.serial, str(e))
        self.slots, self.slot = answer["slots"], answer["slot"] or self._slot
        return True, page.registered(self.serial, self.slots, self.slot)


def code(link, is_terminal):
    """Return the link as a QR code in half blocks; a terminal shows it light on dark."""
    drawn = io.StringIO()
    segno.make(link, error="l", boost_error=False, micro=False).terminal(
        drawn, border=2, compact=True
    )
    if not is_terminal:
        return drawn.getvalue()
    lines = drawn.getvalue().splitlines()
    return "\n".join(f"{_WHITE_ON_BLACK}{line}{_PLAIN}" for line in lines)
