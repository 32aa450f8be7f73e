"""What a measure wake and an uplink wake load, told by the device itself before it sleeps.

The firmware runs on the virtual board as it does on silicon; the simulator's calendar stands and
is moved on from wake to wake.
"""

import json
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lowtide import store
from lowtide.config import Config
from lowtide.orders import Orders
from tools import image
from tools.bench.relay import Relay, Traffic
from tools.demo.bench import SLOT, Bench
from tools.virtual_board import driver

_DEVICE = Path(__file__).parent / "device"
_START = "2026-03-02T08:00:00Z"
_HANG_S = 60
_INTERVAL_S = 901
_INTRO = """\
What a wake loads, as the device itself says before it sleeps: the firmware as it ships, on the
virtual board. Modules: from flash, with the bytes of their .mpy. Heap: bytes in use at the end,
after a collection."""


@dataclass(frozen=True)
class Wake:
    """One wake: `ours` are the modules from flash with their `.mpy` bytes, `others` the rest.

    `heap`: bytes in use before the sleep, after a collection, the board's own shims included.
    """

    ours: dict[str, int]
    others: list[str]
    heap: int
    traffic: Traffic

    @property
    def mpy_bytes(self) -> int:
        """Bytes of `.mpy` that it loaded."""
        return sum(self.ours.values())


class Board:
    """A configured battery board, its service and the relay between them."""

    def __init__(self, folder: Path, bench: Bench, relay: Relay, main: str):
        self._bench, self._relay = bench, relay
        device = {"model": "M", "serial": "S1", "slots": [SLOT], "test": False}
        settings = bench.settings(bench.control("POST", "/devices", device))
        settings |= {"drs.port": relay.port, "lwa.port": relay.port, "power.mode": "battery"}
        stage = folder / "stage"
        image.stage("host", stage, [Path(bench.service["ca_der"])])
        self._sizes = {
            _module(path): len(content)
            for path, content in image.contents(stage).items()
            if path.endswith(".mpy")
        }
        config = Config(store.Store(str(stage / "config.rec")))
        for name, value in settings.items():
            config.set(name, value)
        store.Store(str(stage / "order.rec")).save(Orders(None).pack())
        noting = (_DEVICE / "noting.py").read_text()
        (stage / "main.py").write_text(noting + main)
        if main == gauge_only():
            (stage / "boot.py").unlink()
        driver.write_image(bench.flash, image.contents(stage))
        bench.level = 0.6
        bench.power_on()

    def talk_and_sleep(self):
        """Let the first uplink give the board time and token, then send it to sleep."""
        console = self._bench.console()
        end = time.monotonic() + _HANG_S
        while not any("uplink: done" in line for line in console.command("log")["log"]):
            if time.monotonic() > end:
                raise TimeoutError("no first uplink")
            time.sleep(0.05)
        console.command("sleep")
        console.close()
        self.slept()

    def run_low(self):
        """Empty the bin; return the wakes until it is confirmed low and ordered, in order."""
        self._bench.level = 0.08
        return [self.next_wake() for _ in range(3)]

    def next_wake(self, after_s=_INTERVAL_S) -> Wake:
        """Let the calendar go on by so much; return the wake that comes of it."""
        self._bench.advance(after_s)
        return self.slept()

    def slept(self) -> Wake:
        """Return the wake that ends with the next sleep."""
        self._bench.asleep()
        lines = driver.read_image(self._bench.flash)["wakes"].splitlines()
        note = json.loads(lines[-1])
        ours = {name: self._sizes[name] for name in note["modules"] if name in self._sizes}
        others = sorted(set(note["modules"]) - set(ours))
        return Wake(ours, others, note["heap"], self._relay.take())

    def orders(self):
        """Return how many orders the service's books hold."""
        return len(self._bench.books()["orders"])


def _module(path):
    return path.removesuffix(".mpy").removesuffix("/__init__").replace("/", ".")


def firmware():
    """Return the `main.py` that ships."""
    return (image.FIRMWARE / "main.py").read_text()


def gauge_only():
    """Return a `main.py` that reads the gauge and sleeps."""
    return (_DEVICE / "gauge_only.py").read_text()


@contextmanager
def board(main):
    """Start a board that runs `main`, with its service; stop them afterwards."""
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(name, _START)
        try:
            bench.start_simulator()
            with Relay(int(bench.service["drs"].rpartition(":")[2])) as relay:
                yield Board(Path(name), bench, relay, main)
        finally:
            bench.close()


def main() -> int:
    """Measure, print, and return 0."""
    with board(gauge_only()) as bare:
        least = bare.slept()
    with board(firmware()) as whole:
        whole.talk_and_sleep()
        measure, _, uplink = whole.run_low()
    print(_INTRO)
    print(f"{least.heap:,} bytes of the heap are the board's own: there without any firmware.\n")
    print(f"{'':<40}{'modules':>8}{'.mpy bytes':>12}{'heap':>9}{'handshakes':>12}{'bytes':>8}")
    _print("a script that only reads the gauge", least)
    _print("measure wake", measure)
    _print("uplink wake: Replenish and SlotStatus", uplink)
    print()
    print(f"only the uplink wake: {', '.join(sorted(set(uplink.ours) - set(measure.ours)))};")
    print(f"frozen: {', '.join(sorted(set(uplink.others) - set(measure.others)))}")
    return 0


def _print(text, wake):
    traffic = wake.traffic
    print(f"{text:<40}{len(wake.ours):>8}{wake.mpy_bytes:>12,}{wake.heap:>9,}", end="")
    print(f"{traffic.handshakes:>12}{traffic.total:>8,}", flush=True)
