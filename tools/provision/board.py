"""One board on its port: what is done to it, over its console."""

import json
import time

from tools.device import Device, DeviceError, Refused
from tools.provision.settings import SERIAL, is_secret

CONNECT_S = 15
# The board's self-test may take 45 s, and wait for an uplink of as long.
_SELFTEST_S = 60
_UNDER_WAY_S = 2
_LOCAL = ("flash", "gauge", "clock")
_NETWORK = ("wifi", "dns", "tls", "token")
SELFTEST_STEPS = len(_LOCAL + _NETWORK)
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
        self.version = self.device.command("status")["version"]
        self.read()

    def _is_stopped(self):
        # Between sending a serial number and knowing that it arrived nobody interrupts.
        return self._stopped() and not self._storing

    def read(self):
        """Read the settings back."""
        self._shown = self.device.command("config")["config"]
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
        names = sorted(
            (name for name in settings if name in differing or is_secret(name)),
            key=lambda name: name != SERIAL,
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
                self.device.command(line, "config", CONNECT_S)
        except DeviceError:
            self.serial = None
            self.read()
            raise

    def selftest(self):
        """Run the self-test. Return what it could not test and why, "" if that was nothing.

        Before the customer's network and account are set there is nothing to test of them.
        """
        missing = self.device.command("status")["missing"]
        end = time.monotonic() + _SELFTEST_S
        while True:
            try:
                self.device.command("selftest", timeout_s=_SELFTEST_S)
                return ""
            except Refused as e:
                if "under way" not in str(e) or time.monotonic() > end:
                    failed = _failed(self.device.said, str(e), _LOCAL if missing else ())
                    break
            time.sleep(_UNDER_WAY_S)
        if failed:
            raise DeviceError(f"selftest: {failed}")
        return f"network not tested: {missing} is not set"

    def close(self):
        """Let the port go."""
        if self.device:
            self.device.close()


def _as_shown(secret):
    return "set" if secret else "not set"


def _failed(said, error, only):
    """Return the lines of a self-test that failed; with `only`, those of these steps."""
    steps = [line for line in said if ": FAILED: " in line]
    if only:
        tried = [line for line in said if line.partition(":")[0] in only]
        if len(tried) < len(only):
            return error
        steps = [line for line in steps if line in tried]
    elif not steps:
        return error
    return "; ".join(steps)


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
