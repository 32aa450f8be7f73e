"""The fault script: which requests go wrong, and how.

| action | acts | what the client sees |
|---|---|---|
| `status` | no | the scripted `status`, `body`, `headers` (a null header is left out) |
| `delay` | yes, at once | the answer, `seconds` later |
| `close-before` | no | the connection closes without a byte |
| `close-after` | yes | the connection closes without a byte |
| `close-during` | yes | the head and half of the body, then the connection closes |
| `garbage` | yes | bytes that are not HTTP, then the connection closes |
| `slow` | yes | the answer, `seconds` before each byte |
| `oversize-head` | yes | the answer, with a header of `bytes` |
| `oversize-body` | yes | the answer, its body filled up with spaces to `bytes` |
| `chunked` | yes | the answer in chunks of `bytes`, without a length |
| `certificate` | no | a certificate that is wrong as `kind` says, at the next handshake |

Seconds are real ones. A fault's `path` is the beginning of a request's; the first that matches
is used up. Both spellings of the token path are one. A `certificate` has no path: it is used up
by a new connection, whatever that is for.
"""

import re

from tools.drs_sim.bad_certs import KINDS
from tools.drs_sim.inputs import BadInput, Fields

_UNACTED = ("status", "close-before")
_TIMED = ("delay", "slow")
# The defaults in bytes: more than a small client holds, and chunks that split every number.
_SIZED = {"oversize-head": 65_536, "oversize-body": 1_048_576, "chunked": 7}
_CERTIFICATE = "certificate"
_ACTIONS = (
    *(*_UNACTED, *_TIMED, "close-after", "close-during", "garbage"),
    *(*_SIZED, _CERTIFICATE),
)
_BYTES_LIMIT = 16 * 1_048_576
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\x20-\x7e]*")
_FRAMING = ("content-length", "transfer-encoding", "connection")


class Script:
    """The faults that are left, kept in the state file like everything else."""

    def __init__(self, store):
        self._store = store
        self._certificates = None
        self.left = store.get_meta("faults", [])

    def watch(self, certificates) -> None:
        """Tell `certificates.arm` from now on whether a handshake is to go wrong."""
        self._certificates = certificates
        self._save()

    def replace(self, value) -> None:
        """Take a new script. Raises BadInput, and then keeps the old one."""
        self.left = parse(value)
        self._save()

    def take(self, path: str) -> dict | None:
        """Use up the first fault for a path; None when there is none."""
        if not self.left:
            return None
        path = _one_spelling(path)
        for index, fault in enumerate(self.left):
            if "path" in fault and path.startswith(_one_spelling(fault["path"])):
                return self._use_up(index)
        return None

    def take_certificate(self) -> str | None:
        """Use up the first fault of a handshake; return what is wrong with its certificate."""
        for index, fault in enumerate(self.left):
            if fault["action"] == _CERTIFICATE:
                return self._use_up(index)["kind"]
        return None

    def _use_up(self, index):
        fault = self.left[index]
        rest = [{**fault, "times": fault["times"] - 1}] if fault["times"] > 1 else []
        self.left = self.left[:index] + rest + self.left[index + 1 :]
        self._save()
        return fault

    def _save(self):
        self._store.set_meta("faults", self.left)
        if self._certificates is not None:
            wanted = any(fault["action"] == _CERTIFICATE for fault in self.left)
            self._certificates.arm(wanted)


def acts(fault: dict | None) -> bool:
    """Say whether the service does its part in spite of the fault."""
    return fault is None or fault["action"] not in _UNACTED


def parse(value) -> list:
    """Return a checked script. Raises BadInput."""
    if not isinstance(value, list):
        raise BadInput("body: must be a list of faults")
    return [_parse(entry, number) for number, entry in enumerate(value)]


def _parse(entry, number):
    fields = Fields(entry, f"[{number}]")
    fault = {
        "action": fields.text("action", choices=_ACTIONS),
        "times": fields.number("times", 1, low=1, whole=True),
    }
    action = fault["action"]
    if action == _CERTIFICATE:
        fault["kind"] = fields.text("kind", choices=KINDS)
        fields.done()
        return fault
    fault["path"] = fields.text("path")
    if not fault["path"].startswith("/"):
        raise fields.error("path", "must begin with /")
    if action in _TIMED:
        fault["seconds"] = fields.number("seconds", high=86_400)
    if action in _SIZED:
        fault["bytes"] = fields.number(
            "bytes", _SIZED[action], low=1, high=_BYTES_LIMIT, whole=True
        )
    if action == "status":
        _parse_status(fields, fault)
    fields.done()
    return fault


def _parse_status(fields, fault):
    fault["status"] = fields.number("status", low=200, high=599, whole=True)
    fault["body"] = fields.any("body", None)
    fault["headers"] = _parse_headers(fields)
    if fault["status"] in (204, 304) and fault["body"] is not None:
        raise fields.error("body", f"a {fault['status']} has none")


def _parse_headers(fields):
    headers = fields.any("headers", {})
    if not isinstance(headers, dict):
        raise fields.error("headers", "must be a JSON object")
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or name.lower() in _FRAMING:
            raise fields.error(f"headers.{name}", "cannot be set")
        if value is not None and not (isinstance(value, str) and _VALUE.fullmatch(value)):
            raise fields.error(f"headers.{name}", "must be a line of ASCII text or null")
    return headers


def _one_spelling(path):
    return path.replace("/auth/O2/", "/auth/o2/", 1)
