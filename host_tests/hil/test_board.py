"""A board on the bench, from what it is to what it does by itself. It may be a new one.

In this order: the later ones need the agent that the second one deploys.
"""

import json
import os
import time
from datetime import UTC, datetime

import pytest

from lowtide import VERSION
from tools import deploy, image

# What a gauge says that is wired, but not calibrated.
UNCALIBRATED = (None, "not calibrated", "out of range", "container lifted")
CAUSE = "print(json.dumps((machine.reset_cause(), machine.%s)))"
SCAN = """
import network
_wlan = network.WLAN(network.STA_IF)
_wlan.active(True)
print(json.dumps([(ap[0].decode(), ap[3]) for ap in _wlan.scan()]))
_wlan.active(False)
"""
# MicroPython's own TLS, as the agent sets it up: the roots in /certs, and names and dates checked.
TLS = """
import network, socket, ssl, time
def _try(name):
    sock = socket.socket()
    try:
        sock.connect(socket.getaddrinfo({host!r}, {port})[0][-1])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.verify_mode = ssl.CERT_REQUIRED
        for root in os.listdir("/certs"):
            with open("/certs/" + root, "rb") as f:
                context.load_verify_locations(cadata=f.read())
        start = time.ticks_ms()
        context.wrap_socket(sock, server_hostname=name)
        return time.ticks_diff(time.ticks_ms(), start)
    except (OSError, ValueError) as e:
        return str(e)
    finally:
        sock.close()
_wlan = network.WLAN(network.STA_IF)
_wlan.active(True)
_wlan.connect({ssid!r}, {password!r} or None)
for _ in range(200):
    if _wlan.isconnected():
        break
    time.sleep_ms(100)
    _dog.feed()
print(json.dumps((_wlan.isconnected(), _try({host!r}), _try("not.the.host.example"))))
_wlan.active(False)
"""


def answer(target, source):
    """Run `source` on the board; return the JSON in its last line."""
    return json.loads(target.run(source).splitlines()[-1])


def test_it_is_the_chip_and_the_micropython_that_the_agent_needs(bench, board):
    target = bench.prompt()
    deploy.check_fits(target, board)
    described, version = target.about()
    unique = answer(target, "print(json.dumps(machine.unique_id().hex()))")
    bench.say(f"{described}, MicroPython {version[0]}.{version[1]}, id {unique}")
    assert len(unique) == 12 and int(unique, 16)


def test_its_flash_gives_back_what_was_written(bench):
    target = bench.prompt()
    free = target.free()
    target.run("_data = bytes(range(256)) * 4")
    target.run(
        "_f = open('/hil.tmp', 'wb')\n"
        "for n in range(64):\n _f.write(_data)\n _dog.feed()\n"
        "_f.close()"
    )
    same = target.run(
        "_f = open('/hil.tmp', 'rb')\n"
        "print(all([_f.read(1024) == _data for _ in range(64)]), _f.read() == b'')\n"
        "_f.close()\nos.remove('/hil.tmp')"
    )
    assert same.split() == ["True", "True"]
    assert target.free() == free
    bench.say(f"{free // 1024} KB free")


def test_the_agent_is_deployed_and_a_second_time_nothing_moves(bench, board, certificates):
    files = image.compiled(board.name, certificates)
    target = bench.prompt()
    sent = deploy.deploy(target, files, lambda _: None, image.records(board))
    bench.say(f"{sent} bytes sent")
    assert deploy.deploy(target, files, lambda _: None) == 0


def test_it_starts_and_its_console_answers(bench, timed):
    bench.prompt()
    bench.let_go()
    began = timed()
    console = bench.console()
    status = console.command("status")
    bench.say(f"console answers {timed() - began} ms after the reset")
    assert status["version"] == VERSION
    assert status["safe_mode"] is False
    assert {"level", "state", "blocked", "slot", "event_id", "time"} <= set(status)
    assert timed() - began < 10000
    if status["power"] == "battery" and status["missing"] is None:
        pytest.exit("a configured battery board sleeps: 'config power.mode mains' first", 1)


def test_every_command_that_changes_nothing_answers(bench):
    console = bench.console()
    for command in ("status", "config", "measure", "why", "log", "time", "help"):
        assert console.command(command)["ok"], command


def test_its_gauge_is_wired(bench):
    console = bench.console()
    first, second = console.command("measure"), console.command("measure")
    bench.say(f"raw {first['raw']} and {second['raw']}, level {second['level']}")
    for reading in (first, second):
        fault = (reading["fault"] or "").removeprefix("gauge fault: ") or None
        assert fault in UNCALIBRATED


def test_it_hears_wi_fi(bench):
    found = answer(bench.prompt(), SCAN)
    bench.say(", ".join(f"{name or '(hidden)'} {rssi} dBm" for name, rssi in found) or "nothing")
    assert found


def test_tls_trusts_the_host_and_no_other_name(bench):
    if not os.environ.get("LOWTIDE_TLS"):
        pytest.skip(
            "no TLS=host:port; with it WIFI=name, CERT=, and WIFI_PASSWORD in the environment"
        )
    host, _, port = os.environ["LOWTIDE_TLS"].partition(":")
    target = bench.prompt()
    wanted = {"host": host, "port": int(port or 443), "ssid": os.environ.get("LOWTIDE_WIFI", "")}
    wanted["password"] = os.environ.get("WIFI_PASSWORD", "")
    # Certificates have dates, and a board that was just reset is in the year 2000.
    now = datetime.now(UTC)
    date = (now.year, now.month, now.day, 0, now.hour, now.minute, now.second, 0)
    target.run(f"machine.RTC().datetime({date})")
    connected, handshake, other = answer(target, TLS.format(**wanted))
    assert connected, "no Wi-Fi: check WIFI= and WIFI_PASSWORD"
    assert isinstance(handshake, int), handshake
    assert isinstance(other, str)
    bench.say(f"handshake {handshake} ms; another name: {other.strip()}")


def test_it_sleeps_deeply_and_wakes_by_itself(bench, timed):
    target = bench.prompt()
    began = timed()
    target.leave("machine.deepsleep(3000)")
    bench.gone()
    target = bench.prompt()
    cause, expected = answer(target, CAUSE % "DEEPSLEEP_RESET")
    bench.say(f"back after {timed() - began} ms")
    assert cause == expected
    assert timed() - began >= 2700


def test_its_watchdog_ends_a_program_that_hangs(bench):
    target = bench.prompt()
    target.leave("machine.WDT(timeout=2000)\nwhile True: pass")
    bench.gone()
    # What asks for the prompt would interrupt the program: the watchdog is to be first.
    time.sleep(4)
    target = bench.prompt()
    cause, expected = answer(target, CAUSE % "WDT_RESET")
    assert cause == expected
