"""A simulator process and a device that calls it, for the tests of the simulator."""

import json
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[1]
START = "2027-01-04T08:00:00Z"
HOUR_S = 3600


class Sim:
    """One simulator process, its control port and its service."""

    def __init__(self, folder, *options):
        self.folder = folder
        self.options = options
        self.serials = 0
        self.start()

    def start(self):
        ready = self.folder / "ready.json"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tools.drs_sim", "--state", self.folder / "state.db"]
            + ["--ready", ready, *self.options],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while not self._is_ready(ready):
            assert self.process.poll() is None, "the simulator ended"
            assert time.monotonic() < deadline, "the simulator is not ready"
            time.sleep(0.02)
        self.ready = json.loads(ready.read_text())
        context = ssl.create_default_context(cafile=self.ready["ca_pem"])
        self.drs = httpx.Client(base_url=self.ready["drs"], verify=context, trust_env=False)
        self.control = httpx.Client(base_url=self.ready["control"], trust_env=False)

    def _is_ready(self, ready):
        return ready.exists() and json.loads(ready.read_text())["pid"] == self.process.pid

    def stop(self, number=signal.SIGTERM):
        self.drs.close()
        self.control.close()
        self.process.send_signal(number)
        return self.process.wait(20)

    def state(self):
        return self.control.get("/state").raise_for_status().json()

    def post(self, path, **body):
        return self.control.post(path, json=body).raise_for_status().json()

    def advance(self, hours):
        return self.post("/clock/advance", seconds=hours * HOUR_S)

    def set_options(self, **values):
        return self.control.put("/options", json=values).raise_for_status().json()

    def faults(self, *script):
        self.control.put("/faults", json=list(script)).raise_for_status()

    def device(self, **options):
        self.serials += 1
        return Device(self, f"unit-{self.serials}", **options)


class Device:
    """A client of the service, as a maker's device is one."""

    def __init__(self, sim, serial, slots=("kibble",), test=False):
        self.sim = sim
        self.serial = serial
        self.slot = slots[0]
        self.account = sim.post(
            "/devices", model="feeder", serial=serial, slots=list(slots), test=test
        )
        self.refresh()

    def refresh(self, path="/auth/o2/token", **changes):
        names = ("client_id", "client_secret", "refresh_token")
        form = {"grant_type": "refresh_token", **{name: self.account[name] for name in names}}
        form = {name: value for name, value in (form | changes).items() if value is not None}
        answer = self.sim.drs.post(path, data=form)
        if answer.status_code == 200:
            self.token = answer.json()["access_token"]
        return answer

    def call(self, method, path, name, version="1.0", result="1.0", headers=None, **options):
        prefix = f"com.amazon.dash.replenishment.{name}"
        every = {
            "Authorization": f"Bearer {self.token}",
            "x-amzn-type-version": f"{prefix}Input@{version}",
            "x-amzn-accept-type": f"{prefix}Result@{result}",
        }
        return self.sim.drs.request(method, path, headers=every | (headers or {}), **options)

    def replenish(self, slot=None, **options):
        return self.call("POST", f"/replenish/{slot or self.slot}", "DrsReplenish", **options)

    def order(self):
        answer = self.replenish().raise_for_status().json()
        assert answer["detailCode"] == "STANDARD_ORDER_PLACED"
        return answer["eventInstanceId"]

    def order_info(self, order_id):
        answer = self.call("GET", f"/getOrderInfo/{order_id}", "DrsOrderInfo")
        return answer.raise_for_status().json()["orderInfoData"]["orderItems"][0]

    def next_problem(self, problem):
        path = f"/devices/{self.serial}/slots/{self.slot}/next-order"
        return self.sim.post(path, problem=problem)

    def subscribe(self, on, slot=None):
        path = f"/devices/{self.serial}/slots/{slot or self.slot}/subscription"
        return self.sim.post(path, subscribed=on)

    def customer(self, verb, order_id):
        return self.sim.control.post(f"/orders/{quote(order_id, safe='')}/{verb}")

    def book(self, name, key):
        return [row[key] for row in self.sim.state()[name] if row["serial"] == self.serial]

    def orders(self):
        return [row for row in self.sim.state()["orders"] if row["serial"] == self.serial]

    def notified(self):
        return [
            kind.removesuffix("Notification")
            for kind in self.book("notifications", "type")
            if kind.startswith(("Order", "Item"))
        ]


def assert_one_line(answer, status, named):
    assert answer.status_code == status
    line = answer.json()["error"]
    assert named in line and "\n" not in line


def assert_ends_at_once(folder, options, named):
    """Bad arguments end the simulator with status 2 and one line that names what is wrong."""
    given = ["--state", folder / "state.db", "--ready", folder / "ready.json"]
    ended = subprocess.run(
        [sys.executable, "-m", "tools.drs_sim", *given, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1 and named in ended.stderr


@pytest.fixture(scope="module")
def sim(tmp_path_factory):
    """Give the simulator that the tests of a file share."""
    running = Sim(tmp_path_factory.mktemp("drs_sim"), "--time", START)
    yield running
    assert running.stop() == 0


@pytest.fixture
def device(sim):
    """Give a device of the simulator's, registered and subscribed."""
    return sim.device()
