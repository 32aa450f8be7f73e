"""A board's serial console in JSON mode, as a client: one command, one answer."""

import json
import time

import serial

_TRY_S = 1
_QUIET_S = 0.1


class DeviceError(Exception):
    """The board refused a command, or did not answer."""


class Device:
    """The console on `port` (a real board's or the virtual one's).

    `said`: the lines of log that came with the last answer.
    """

    def __init__(self, port, timeout_s=30):
        self._serial = serial.Serial(port, 115200, timeout=0.2, exclusive=False)
        self._timeout_s = timeout_s
        self._rest = b""
        self.said = []
        self._json_on()

    def _json_on(self):
        # A board that is just starting loses what comes too early: ask until it answers, then
        # let the answers to the further tries go by.
        end = time.monotonic() + self._timeout_s
        while True:
            self._serial.write(b"\njson on\n")
            try:
                self._answer("json on", _TRY_S)
                break
            except DeviceError:
                if time.monotonic() > end:
                    raise
        self._serial.timeout = _QUIET_S
        while self._serial.read(4096):
            pass
        self._rest = b""

    def close(self):
        """Let the port go."""
        self._serial.close()

    def command(self, line, shown=None):
        """Send one command and return its answer; `shown` stands for it in errors (secrets).

        Raises:
            DeviceError: the answer was not ok, or none came.
        """
        self.said = []
        self._serial.write(line.encode() + b"\n")
        answer = self._answer(shown or line)
        if not answer["ok"]:
            raise DeviceError(f"{shown or line}: {answer['error']}")
        return answer

    def _answer(self, line, timeout_s=None):
        timeout_s = timeout_s or self._timeout_s
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            self._rest += self._serial.read(max(1, self._serial.in_waiting))
            while b"\n" in self._rest:
                text, _, self._rest = self._rest.partition(b"\n")
                if text.startswith(b"{"):
                    return json.loads(text)
                self.said.append(text.decode(errors="replace").strip())
        raise DeviceError(f"{line}: no answer in {timeout_s} s")
