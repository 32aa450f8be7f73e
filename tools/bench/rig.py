"""One uplink at a time: the real MicroPython, a relay that counts, the simulator.

The uplink is SubscriptionInfo, Replenish, SlotStatus and DeviceStatus.
"""

import json
import ssl
import tempfile
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import urlencode

import httpx
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from lowtide import store
from lowtide.orders import Orders
from lowtide.settings import check
from tools.bench.interpreter import AMPLE, ProgramError, Programs
from tools.bench.relay import Relay
from tools.demo.bench import SLOT, Bench

START = "2026-03-02T08:00:00Z"
NOW_S = int(datetime.fromisoformat(START).timestamp())
STATES = ("valid", "expired", "rejected")
_PREFIX = "com.amazon.dash.replenishment.Drs"
_HOST = "localhost"
_SLOT_STATUS = {"remainingQuantityInUnit": 10, "originalQuantityInUnit": 100}
_DEVICE_STATUS = {"mostRecentlyActiveDate": START}
_KEYS = ("client_id", "client_secret", "refresh_token")
# What each program is told beyond what all are: the order lies in its heap.
_TOLD = {
    "bench_nothing": (),
    "bench_floor": ("floor",),
    "bench_client": ("settings", "slot_status"),
    "bench_uplink": ("gauge_uv",),
    "bench_requests": ("form", "slot_status", "device_status"),
}


class Rig:
    """A simulator behind a relay, and the programs that call it; one device a run."""

    def __init__(self, folder: Path, bench: Bench, relay: Relay):
        self._bench, self._relay = bench, relay
        self._programs = Programs(folder)
        self._certs = folder / "certs"
        self._certs.mkdir()
        self._certs.joinpath("root.der").write_bytes(Path(bench.service["ca_der"]).read_bytes())
        context = ssl.create_default_context(cafile=bench.service["ca_pem"])
        self._drs = httpx.Client(base_url=bench.service["drs"], verify=context, trust_env=False)
        self._devices = 0

    def close(self):
        """Let the service go."""
        self._drs.close()

    def run(self, program, state=STATES[0], heap=AMPLE, in_place=False):
        """Run one uplink of a new device; return what the program said and the `Traffic`.

        `state`: of its access token, one of `STATES`. The rest as `Programs.run`.
        """
        told, files = self._order(program, state)
        try:
            said = self._programs.run(program, told, files, heap, in_place)
        finally:
            traffic = self._relay.take()
        return said, traffic

    def orders_with_a_stranger(self, program):
        """Return how many orders a device places where it does not know the service's CA."""
        root = self._certs / "root.der"
        known, before = root.read_bytes(), self.orders()
        stranger = x509.load_pem_x509_certificate(trustme.CA().cert_pem.bytes())
        root.write_bytes(stranger.public_bytes(Encoding.DER))
        try:
            self.run(program)
        except ProgramError as e:
            if "Insecure" not in str(e):
                raise
        finally:
            root.write_bytes(known)
        return self.orders() - before

    def orders(self):
        """Return how many orders the service's books hold."""
        return len(self._bench.books()["orders"])

    def _order(self, program, state):
        self._devices += 1
        device = {"model": "M", "serial": f"S{self._devices:05}", "slots": [SLOT], "test": False}
        keys = self._bench.control("POST", "/devices", device)
        form = {"grant_type": "refresh_token", **{name: keys[name] for name in _KEYS}}
        good = self._drs.post("/auth/o2/token", data=form).raise_for_status().json()
        good, form = good["access_token"], urlencode(form)
        token = good[:5] + "x" * (len(good) - 5) if state == "rejected" else good
        settings = self._bench.settings(keys)
        settings |= {f"{host}.port": self._relay.port for host in ("drs", "lwa")}
        settings |= {f"{host}.host": _HOST for host in ("drs", "lwa")}
        own = {
            "floor": _floor(state, token, good, form),
            "settings": settings,
            "gauge_uv": 100,
            "form": form,
            "slot_status": _SLOT_STATUS,
            "device_status": _DEVICE_STATUS,
        }
        told = {
            "state": state,
            "host": _HOST,
            "port": self._relay.port,
            "certs": str(self._certs),
            "slot": SLOT,
            "now_s": NOW_S,
            "token": token,
            "token_until": NOW_S - 60 if state == "expired" else NOW_S + 3600,
        }
        told |= {name: own[name] for name in _TOLD[program]}
        return told, _flash(settings, self._certs.parent)


def _flash(settings, folder):
    """Return the files of a configured device that never ordered."""
    config, rec = folder / "config.rec", folder / "order.rec"
    rec.unlink(missing_ok=True)
    kept = {name: check(name, value) for name, value in settings.items()}
    store.Store(str(config)).save(json.dumps(kept).encode())
    store.Store(str(rec)).save(Orders(None).pack())
    return {path.name: path.read_bytes() for path in (config, rec)}


def _floor(state, token, good, form):
    """Return the messages of each connection: no header that the protocol does not ask for."""
    calls = [
        ("GET", "/subscriptionInfo", "SubscriptionInfo", None),
        ("POST", f"/replenish/{SLOT}", "Replenish", None),
        ("POST", f"/slotStatus/{SLOT}", "SlotStatus", _SLOT_STATUS),
        ("POST", "/deviceStatus", "DeviceStatus", _DEVICE_STATUS),
    ]
    refresh = _message("POST", "/auth/o2/token", form, "application/x-www-form-urlencoded")
    connections = [[_call(good, *call) for call in calls]]
    if state != "valid":
        connections.insert(0, [refresh])
    if state == "rejected":
        connections.insert(0, [_call(token, *calls[0])])
    return connections


def _call(token, method, target, name, report):
    body = "" if report is None else json.dumps(report, separators=(",", ":"))
    return _message(
        method,
        target,
        body,
        "application/json",
        f"Authorization: Bearer {token}",
        f"x-amzn-type-version: {_PREFIX}{name}Input@1.0",
        f"x-amzn-accept-type: {_PREFIX}{name}Result@1.0",
    )


def _message(method, target, body, kind, *headers):
    lines = [f"{method} {target} HTTP/1.1", f"Host: {_HOST}", *headers]
    if body:
        lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines) + "\r\n\r\n" + body


@contextmanager
def rig():
    """Start everything; stop it afterwards."""
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(name, START)
        try:
            bench.start_simulator()
            with Relay(int(bench.service["drs"].rpartition(":")[2])) as relay:
                made = Rig(Path(name), bench, relay)
                yield made
                made.close()
        finally:
            bench.close()
