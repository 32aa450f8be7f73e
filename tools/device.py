"""A board's serial console in JSON mode, as a client: one command, one answer."""

import contextlib
import json
import time

import serial

from tools.port import why

_TRY_S = 1
_QUIET_S = 0.1
# A board's UART keeps 260 bytes and cannot tell the sender to wait: a long line goes in pieces, no
# faster than a board at a millisecond a byte reads them.
_PIECE = 32
_PIECE_S = 0.04
# From a reset to the first answer. An uplink that is due at once may keep the console for long.
_START_S = 60
_REOPEN_S = 0.2
_LAST_S = 2
# What a board does on the network may take 45 s, and wait for an uplink of as long.
JOB_S = 60
_UNDER_WAY_S = 2
# What a board says that has an uplink under way, or no memory beside it; nothing was done then.
_BUSY = ("under way", "after the uplink")
_AT_PROMPT = "MicroPython's own prompt answers"


class DeviceError(Exception):
    """The board refused a command, or did not answer."""


class Refused(DeviceError):
    """The board answered that it did not do it."""


class Stopped(DeviceError):
    """Whoever uses the console wants no more of it, or the agent has ended."""


class Device:
    """The console on `port` (a real board's or the virtual one's).

    `said`: the lines of log that came with the last answer.

    Args:
        port, timeout_s: where it is, and how long an answer may take.
        exclusive: nobody else may have the port open meanwhile.
        stopped: `() -> bool`, asked while waiting; once true `Stopped` is raised.
        heard: `(line)`, called with each line of log as it comes.
        line: the port, where it is open already.

    Raises:
        DeviceError: the port cannot be opened, or no Lowtide answers on it.
    """

    def __init__(self, port, timeout_s=30, exclusive=False, stopped=None, heard=None, line=None):
        self._port = port
        try:
            self._serial = line or serial.Serial(port, 115200, exclusive=exclusive)
            self._serial.timeout = 0.2
        except (OSError, ValueError) as e:
            raise DeviceError(f"{port}: {why(port, e)}") from e
        self._timeout_s = timeout_s
        self._stopped = stopped or bool
        self._heard = heard
        self._rest = b""
        self.said = []
        try:
            self._json_on()
        except BaseException:
            # It may come to read what was sent.
            self.leave()
            raise

    def _json_on(self):
        # A board that is just starting loses what comes too early: ask until it answers, then
        # let the answers to the further tries go by.
        end = time.monotonic() + self._timeout_s
        while True:
            self._send("\njson on\n")
            try:
                self._answer("json on", _TRY_S)
                break
            except DeviceError as e:
                if isinstance(e, Stopped) or not self._serial.is_open:
                    raise
                if time.monotonic() > end:
                    raise DeviceError(f"{self._port}: {self._silence()}") from e
        self._serial.timeout = _QUIET_S
        while self._read(4096):
            pass
        self._rest = b""

    def _silence(self):
        if any(line.startswith(">>>") for line in self.said):
            return f"{_AT_PROMPT}; reset the board, or deploy Lowtide to it"
        return f"no answer in {self._timeout_s} s; is it powered? reset it and try again"

    def close(self):
        """Let the port go."""
        self._serial.close()

    def leave(self):
        """Let the port go, the console as its next user, who may be a person, expects it."""
        with contextlib.suppress(DeviceError):
            self.command("json off", timeout_s=_LAST_S)
        self.close()

    def command(self, line, shown=None, timeout_s=None):
        """Send one command and return its answer; `shown` stands for it in errors (secrets).

        Raises:
            Refused: the answer was not ok.
            DeviceError: none came.
        """
        self.said = []
        self._send(line + "\n")
        answer = self._answer(shown or line, timeout_s)
        if not answer["ok"]:
            raise Refused(f"{shown or line}: {answer['error']}")
        return answer

    def job(self, line, shown=None, timeout_s=JOB_S):
        """Return the answer to a command, given again while the board is busy with an uplink."""
        end = time.monotonic() + JOB_S
        while True:
            try:
                return self.command(line, shown, timeout_s)
            except Refused as e:
                if not any(text in str(e) for text in _BUSY) or time.monotonic() > end:
                    raise
            time.sleep(_UNDER_WAY_S)

    def _send(self, text):
        data = text.encode()
        try:
            for start in range(0, len(data), _PIECE):
                if start:
                    time.sleep(_PIECE_S)
                self._serial.write(data[start : start + _PIECE])
        except OSError as e:
            raise self._gone() from e

    def _read(self, most):
        try:
            return self._serial.read(most)
        except (OSError, TypeError) as e:  # pyserial: TypeError after its port was closed
            raise self._gone() from e

    def _gone(self):
        self._serial.close()
        return DeviceError(f"{self._port}: the port is gone; was the board unplugged?")

    def _waiting(self):
        try:
            return self._serial.in_waiting
        except OSError as e:
            raise self._gone() from e

    def _answer(self, line, timeout_s=None):
        timeout_s = timeout_s or self._timeout_s
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            if self._stopped():
                raise Stopped(f"{line}: interrupted")
            self._rest += self._read(max(1, self._waiting()))
            while b"\n" in self._rest:
                text, _, self._rest = self._rest.partition(b"\n")
                if text.startswith(b"{"):
                    return self._parsed(text, line)
                self._hear(text.decode(errors="replace").strip())
        raise DeviceError(f"{line}: no answer in {timeout_s} s")

    def _parsed(self, text, line):
        try:
            answer = json.loads(text)
            return {**answer, "ok": answer["ok"] is True}
        except (ValueError, TypeError, KeyError) as e:
            raise DeviceError(f"{line}: an answer that cannot be read; a bad line?") from e

    def _hear(self, text):
        self.said.append(text)
        if self._heard:
            self._heard(text)


def started(port, line=None):
    """Return the console of a board that was just reset, as soon as its agent answers.

    `line`: the port, if it is open: then nothing that the board says is missed.

    Raises:
        DeviceError: the agent does not answer; the text has what the board said last.
    """
    said = []

    def heard(text):
        said.append(text)
        if ended := _ended(said):
            raise Stopped(f"{port}: {ended}")

    end = time.monotonic() + _START_S
    while True:
        left_s = max(_TRY_S, round(end - time.monotonic()))
        try:
            return Device(port, left_s, exclusive=True, heard=heard, line=line)
        except Stopped:
            raise
        except DeviceError as e:
            if time.monotonic() > end:
                last = " / ".join(filter(None, said[-3:]))
                raise DeviceError(f"{e}; it said last: {last}" if last else str(e)) from e
        # USB of the chip's own goes with each reset, and comes back.
        line = None
        time.sleep(_REOPEN_S)


def _ended(said):
    """Return what has ended the agent, "" if nothing has: a traceback, once it is whole."""
    place = ""
    for line in said:
        if line.startswith('File "'):
            place = line
        elif place:
            return f"{line} ({place})"
        elif line.startswith(">>>"):
            return _AT_PROMPT
    return ""
