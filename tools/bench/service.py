"""Calls per second of the simulator, beside a bare app, and with a long history on file."""

import json
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlencode

import httpx

from tools.bench.history import write_history
from tools.bench.load import post, rate
from tools.bench.summary import Row

_ROUNDS = 5
_CALLS = 800
_ROOT = Path(__file__).resolve().parents[2]
_KINDS = ("Replenish, new order", "Replenish, in progress", "token refresh")
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class _Sim:
    """A simulator process with one device that calls it."""

    def __init__(self, ready):
        self.port = int(ready["drs"].rpartition(":")[2])
        self.context = ssl.create_default_context(cafile=ready["ca_pem"])
        self._control = httpx.Client(base_url=ready["control"], trust_env=False)
        self._drs = httpx.Client(base_url=ready["drs"], verify=self.context, trust_env=False)
        self._devices = 0

    def close(self):
        """Let the connections go, so that the process ends at once."""
        self._control.close()
        self._drs.close()

    def requests(self, kind):
        """Return what to send for one kind of call, from a new device."""
        self._devices += 1
        slots = [f"slot{number}" for number in range(_CALLS)]
        device = {"model": "bench", "serial": f"bench-{self._devices}", "slots": slots}
        account = self._control.post("/devices", json=device).raise_for_status().json()
        names = ("client_id", "client_secret", "refresh_token")
        form = {"grant_type": "refresh_token", **{name: account[name] for name in names}}
        if kind == _KINDS[2]:
            return [post("/auth/o2/token", _FORM, urlencode(form))] * _CALLS
        token = self._drs.post("/auth/o2/token", data=form).raise_for_status().json()
        prefix = "com.amazon.dash.replenishment.DrsReplenish"
        headers = {
            "Authorization": f"Bearer {token['access_token']}",
            "x-amzn-type-version": f"{prefix}Input@1.0",
            "x-amzn-accept-type": f"{prefix}Result@1.0",
        }
        if kind == _KINDS[1]:
            return [post("/replenish/slot0", headers)] * _CALLS
        return [post(f"/replenish/{slot}", headers) for slot in slots]


def measure() -> list[Row]:
    """Measure and print; return the rows of the table."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        write_history(folder / "long.db")
        fresh = running.enter_context(_simulator(folder, "fresh"))
        long = running.enter_context(_simulator(folder, "long"))
        bare_port = running.enter_context(_bare(folder / "fresh.db.tls"))
        bare_context = fresh.context
        print(
            f"{'calls per second, keep-alive TLS':<34}{'service':>9}{'bare':>9}{'ratio':>8}",
            end="",
        )
        print(f"{'100,000 orders':>17}{'ratio':>8}")
        rows = []
        for kind in _KINDS:
            rounds = [_round(kind, fresh, long, bare_port, bare_context) for _ in range(_ROUNDS)]
            _print(kind, rounds)
            ours, theirs, _ = (
                round(statistics.median(rates)) for rates in zip(*rounds, strict=True)
            )
            rows.append(
                Row(
                    f"simulator, {kind}",
                    "calls a second",
                    ours,
                    theirs,
                    "bare Starlette",
                    more=True,
                )
            )
    return rows


def _round(kind, fresh, long, bare_port, bare_context):
    """Return the rates of fresh, bare and long, taken one right after the other."""
    wanted = fresh.requests(kind)
    wanted_long = long.requests(kind)
    return (
        rate(fresh.port, fresh.context, wanted),
        rate(bare_port, bare_context, wanted),
        rate(long.port, long.context, wanted_long),
    )


def _print(kind, rounds):
    fresh, bare, long = (statistics.median(column) for column in zip(*rounds, strict=True))
    beside_bare = statistics.median(row[0] / row[1] for row in rounds)
    beside_fresh = statistics.median(row[2] / row[0] for row in rounds)
    print(f"{kind:<34}{fresh:>9.0f}{bare:>9.0f}{beside_bare:>8.2f}", end="")
    print(f"{long:>17.0f}{beside_fresh:>8.2f}", flush=True)


@contextmanager
def _simulator(folder, name):
    ready = folder / f"{name}.json"
    command = ["tools.drs_sim", "--state", folder / f"{name}.db", "--ready", ready]
    with _process(command, ready.exists):
        sim = _Sim(json.loads(ready.read_text()))
        yield sim
        sim.close()


@contextmanager
def _bare(pem):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with _process(["tools.bench.bare", str(port), pem], lambda: _listens(port)):
        yield port


@contextmanager
def _process(command, is_ready):
    process = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=_ROOT, stdout=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 20
        while not is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} does not start")
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
