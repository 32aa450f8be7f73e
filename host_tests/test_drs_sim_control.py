"""The simulator's control port: input that is refused, the long poll, the books."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from drs_sim_kit import HOUR_S, assert_one_line


@pytest.mark.parametrize(
    "path, body, named",
    [
        ("/devices", {"serial": "x", "slots": ["a"]}, "model"),
        ("/devices", {"model": "m", "serial": "bad serial", "slots": ["a"]}, "serial"),
        ("/devices", {"model": "m", "serial": "x", "slots": []}, "slots"),
        ("/devices", {"model": "m", "serial": "x", "slots": ["a", "a"]}, "slots"),
        ("/devices", {"model": "m", "serial": "x", "slots": ["a"], "test": 1}, "test"),
        ("/devices", {"model": "m", "serial": "x", "slots": ["a"], "tset": True}, "tset"),
        ("/clock", {"speed": "fast"}, "speed"),
        ("/clock", {"speed": -1}, "speed"),
        ("/clock", {"paused": "no"}, "paused"),
        ("/clock/advance", {}, "seconds"),
        ("/clock/advance", {"seconds": -1}, "seconds"),
        ("/clock/advance", {"seconds": True}, "seconds"),
        ("/clock/advance", {"seconds": 10**10}, "seconds"),
        ("/clock/advance", [], "body"),
    ],
)
def test_bad_input_is_one_line_that_names_the_field(sim, path, body, named):
    assert_one_line(sim.control.post(path, json=body), 400, named)


def test_bad_input_elsewhere(sim, device):
    slot = f"/devices/{device.serial}/slots"
    for content in (b"{", b"\xff", b'"\\ud800"', b"[" * 100_000):
        assert_one_line(sim.control.post("/devices", content=content), 400, "body")
    assert_one_line(sim.control.put("/faults", json={}), 400, "list")
    bad = {"problem": "weather"}
    assert_one_line(sim.control.post(f"{slot}/kibble/next-order", json=bad), 400, "problem")
    off = {"subscribed": False}
    assert_one_line(sim.control.post(f"{slot}/other/subscription", json=off), 404, "other")
    assert_one_line(sim.control.post("/devices/nobody/revoke"), 404, "nobody")
    assert_one_line(sim.control.get("/clock?after=x"), 400, "after")
    assert_one_line(sim.control.get("/nothing"), 404, "/nothing")
    assert_one_line(sim.control.get("/devices"), 405, "/devices")


def test_clock_pauses_and_a_long_poll_sees_every_change(sim):
    before = sim.post("/clock", paused=True)
    assert sim.control.get("/clock").json() == before
    with ThreadPoolExecutor(1) as pool:
        poll = pool.submit(
            httpx.get,
            f"{sim.ready['control']}/clock",
            params={"after": before["version"]},
            trust_env=False,
            timeout=20,
        )
        after = sim.advance(1)
        told = poll.result().json()
    assert told == after
    assert after["version"] > before["version"]
    assert after["now_s"] - before["now_s"] == HOUR_S
    resumed = sim.post("/clock", paused=False, speed=2.5)
    assert (resumed["speed"], resumed["paused"]) == (2.5, False)
    sim.post("/clock", speed=1)


def test_books_hold_no_secret(sim, device):
    device.replenish()
    text = sim.control.get("/state").text
    for secret in (device.token, device.account["client_secret"], device.account["refresh_token"]):
        assert secret not in text
