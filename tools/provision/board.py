"""One board on its port: what is done to it, over its console."""

import json

from tools.device import JOB_S, Device, DeviceError, Refused
from tools.provision.settings import SERIAL, is_secret

# What the service knows a device by: whoever changes it registers anew.
IDENTITY = (SERIAL, "device.model", "lwa.client_id")
CONNECT_S = 15
SELFTEST_STEPS = 7
_UNCONFIGURED = ": FAILED: not set: "
# What the console takes in one line, in bytes.
_MAX_LINE = 2250


class Board:
    """The board on `port`. Every call may raise `DeviceError`.

    Args:
        port: where it is.
        stopped: `() -> bool`: it is to be left as it is, soon.
        heard: `(line)`, called with each line of log.
    """

    def __init__(self, port, stopped=bool, heard=None):
        self.port = port
        self.serial = self.version = ""
        self._stopped, self._heard = stopped, heard
        self._storing = False
        self._shown = {}
        self.device = None

    def connect(self):
        """Open the port and read what the board is."""
        self.device = Device(self.port, CONNECT_S, True, self._is_stopped, self._heard)
        self.version = self.job("status", timeout_s=CONNECT_S)["version"]
        self.read()

    def _is_stopped(self):
        # Between sending a serial number and knowing that it arrived nobody interrupts.
        return self._stopped() and not self._storing

    def read(self):
        """Read the settings back."""
        self._shown = self.job("config", timeout_s=CONNECT_S)["config"]
        self.serial = self._shown[SERIAL]

    def is_set(self, name):
        """Say whether the board has a value for it."""
        return self._shown.get(name) not in ("", "not set", None)

    def differing(self, settings):
        """Return those of `settings` that the board shows otherwise, as `{name: as it shows}`."""
        return {
            name: self._shown.get(name)
            for name, value in settings.items()
            if self._shown.get(name) != (_as_shown(value) if is_secret(name) else value)
        }

    def store(self, settings):
        """Set what differs, and every secret, and read it back.

        Raises:
            DeviceError: it is not all set; `serial` is what the board has now, None if that
                cannot be told.
        """
        differing = self.differing(settings)
        # All of it is in the first line: cut off after that, the board is known as this device.
        names = sorted(
            (name for name in settings if name in differing or is_secret(name)),
            key=lambda name: name not in IDENTITY,
        )
        self._storing = True
        try:
            self._send({name: settings[name] for name in names})
            self.read()
        finally:
            self._storing = False
        for name, shown in self.differing(settings).items():
            raise DeviceError(f"read back {name} = {shown}, which is not what was set")

    def _send(self, settings):
        try:
            for line in _lines(settings):
                self.job(line, "config", CONNECT_S)
        except DeviceError:
            self.serial = None
            self.read()
            raise

    def job(self, line, shown=None, timeout_s=JOB_S):
        """Return the answer to a command, given again while the board is busy with an uplink."""
        return self.device.job(line, shown, timeout_s)

    def selftest(self):
        """Run the self-test. Return what it could not test and why, "" if that was nothing.

        Before the customer's network and account are set there is nothing to test of them.
        """
        try:
            self.job("selftest")
            return ""
        except Refused as e:
            steps = [line for line in self.device.said if ": FAILED: " in line]
            failed = [line for line in steps if _UNCONFIGURED not in line]
            if failed or not steps:
                raise DeviceError("; ".join(failed) or str(e)) from e
            return "not tested: " + "; ".join(steps).replace(" FAILED:", "")

    def close(self):
        """Let the port go."""
        if self.device:
            self.device.leave()


def _as_shown(secret):
    return "set" if secret else "not set"


def _lines(settings):
    """Yield the console lines that set them all, as few as the console takes."""
    part = {}
    for name, value in settings.items():
        if part and len(_line(part | {name: value}).encode()) > _MAX_LINE:
            yield _line(part)
            part = {}
        part[name] = value
    if part:
        yield _line(part)


def _line(settings):
    # Not \u escapes: the interpreter on the board knows no surrogate pairs.
    return "config " + json.dumps(settings, ensure_ascii=False, separators=(",", ":"))
