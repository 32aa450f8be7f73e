"""The virtual board's sleep, resets, clocks, flash and pins, on the real interpreter."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import littlefs
import pytest
import trustme
from test_virtual_board import console, start  # noqa: F401 (a fixture)

from tools.virtual_board.driver import (
    VirtualBoard,
    eventually,
    is_alive,
    read_image,
    write_image,
)

IDLE_MAIN = "import time\nwhile True: time.sleep_ms(10)\n"

# Sleeps an hour each time and keeps a diary: cause, wake reason, RTC memory, whole hours passed.
SLEEPER = """\
import machine, time
rtc = machine.RTC()
past = rtc.memory()
with open("diary", "a") as diary:
    print(machine.reset_cause(), machine.wake_reason(), past, time.time() // 3600, file=diary)
rtc.memory(past + b"x")
try:
    machine.deepsleep(3600_000)
finally:
    open("ran on", "w").close()
"""


def diary(board):
    try:
        return read_image(board.flash).get("diary", b"").decode().splitlines()
    except littlefs.LittleFSError:
        return []  # looked while it was being written


class FakeSimulator:
    """`GET /clock` as the simulator answers it."""

    def __init__(self, now_s, speed, port=0):
        self._changed = threading.Condition()
        self._clock = {"now_s": now_s, "speed": speed, "paused": False, "version": 1}
        self._since = time.monotonic()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                after = self.path.partition("after=")[2]
                body = json.dumps(fake.clock(int(after) if after else None)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def clock(self, after):
        with self._changed:
            self._changed.wait_for(lambda: self._clock["version"] != after, 10)
            return {**self._clock, "now_s": self.now_s()}

    def now_s(self):
        passed = (time.monotonic() - self._since) * self._clock["speed"]
        return self._clock["now_s"] + passed * (not self._clock["paused"])

    def change(self, advance_s=0, **clock):
        with self._changed:
            now_s = self.now_s() + advance_s
            self._clock.update(now_s=now_s, version=self._clock["version"] + 1, **clock)
            self._since = time.monotonic()
            self._changed.notify_all()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


# Sleep and resets


def test_deep_sleep_wakes_by_the_calendar_with_rtc_memory(start):  # noqa: F811
    board = start("--speed", "36000", main=SLEEPER)
    board.wait_for("boot", 4)
    board.power_off()
    assert [line.rsplit(" ", 1)[0] for line in diary(board)][:3] == [
        "1 0 b''",
        "4 4 b'x'",
        "4 4 b'xx'",
    ]
    hours = [int(line.rsplit(" ", 1)[1]) for line in diary(board)][:3]
    assert hours[0] < hours[1] < hours[2]
    assert "ran on" not in read_image(board.flash)
    sleep = board.events("sleep")[0]
    assert sleep["until"] - sleep["time"] == pytest.approx(3600, abs=300)
    assert sleep["programs"] > 0


def test_power_on_forgets_what_reset_and_watchdog_keep(start):  # noqa: F811
    remember = (
        "import machine\n"
        "rtc = machine.RTC()\n"
        "causes = rtc.memory() + bytes([machine.reset_cause()])\n"
        "rtc.memory(causes)\n"
        "print('causes', list(causes), file=open('causes', 'w'))\n"
        "if len(causes) == 1: machine.reset()\n"
        "if len(causes) == 2: machine.soft_reset()\n"
        "if len(causes) == 3:\n"
        "    dog = machine.WDT(timeout=50)\n"
        "    while True: pass\n"
        "machine.deepsleep()\n"
    )
    board = start(main=remember)
    assert board.wait_for("sleep")["until"] is None
    assert [event["cause"] for event in board.events("boot")] == [1, 2, 5, 3]
    assert len(board.events("wdt")) == 1
    assert not board.interpreters()
    board.power_off()
    again = start()
    again.wait_for("boot", 3)
    assert [event["cause"] for event in again.events("boot")][:3] == [1, 2, 5]


def test_a_fed_watchdog_does_not_bite(start):  # noqa: F811
    board = start(
        main="import machine, time\ndog = machine.WDT(timeout=300)\n"
        "for _ in range(20):\n    time.sleep_ms(30)\n    dog.feed()\nmachine.deepsleep()\n"
    )
    board.wait_for("sleep")
    assert not board.events("wdt")


def test_rtc_memory_has_its_limit(start):  # noqa: F811
    board = start()
    assert (
        board.execute(
            "import machine\nrtc = machine.RTC()\n"
            "rtc.memory(bytes(2048))\nprint(len(rtc.memory()))\n"
            "try:\n    rtc.memory(bytes(2049))\nexcept ValueError: print('too long')"
        )
        == "2048\ntoo long"
    )


def test_kill_takes_the_interpreter_along(start):  # noqa: F811
    board = start(main=IDLE_MAIN)
    (interpreter,) = board.interpreters()
    board.power_off(signal.SIGKILL)
    eventually(lambda: not is_alive(interpreter))
    board = start()
    (interpreter,) = board.interpreters()
    assert board.power_off(signal.SIGTERM) == 0
    assert not is_alive(interpreter)
    assert not board.link.is_symlink()


# Clocks


def test_the_boards_clock_starts_in_2000_and_can_be_set(start):  # noqa: F811
    board = start("--time", "2031-05-06T07:08:09Z")
    source = "import machine, time\nprint(time.time(), time.gmtime()[:3], type(time.time()))"
    seconds, rest = board.execute(source).split(" ", 1)
    assert 0 <= int(seconds) < 100
    assert rest == "(2000, 1, 1) <class 'int'>"
    setting = "rtc = machine.RTC(); rtc.datetime((2026, 11, 23, 0, 12, 0, 0, 0))\n"
    answer = board.execute(
        f"{source}\n{setting}print(rtc.datetime()[:6], time.gmtime()[:5], time.mktime("
        "(2026, 11, 23, 12, 0, 0, 0, 0)) - time.time() < 5)"
    ).splitlines()[1]
    assert answer == "(2026, 11, 23, 0, 12, 0) (2026, 11, 23, 12, 0) True"
    board.mpremote("reset")
    assert board.execute("import time; print(time.gmtime()[:4])") == "(2026, 11, 23, 12)"


def test_a_jump_of_the_simulator_is_time_that_passed(start):  # noqa: F811
    simulator = FakeSimulator(now_s=1_900_000_000, speed=1)
    board = start("--clock-from", simulator.url, main=SLEEPER)
    first = board.wait_for("sleep")
    assert first["until"] == pytest.approx(1_900_003_600, abs=60)
    simulator.change(advance_s=3601)
    board.wait_for("sleep", 2)
    simulator.change(paused=True)
    simulator.stop()
    time.sleep(0.3)
    assert board.process.poll() is None
    simulator = FakeSimulator(now_s=1_900_091_000, speed=1, port=simulator.port)
    board.wait_for("sleep", 3)
    board.power_off()
    assert [line.rsplit(" ", 1)[1] for line in diary(board)] == ["0", "1", "25"]
    simulator.stop()


def test_a_jump_is_seen_by_a_board_that_is_awake(start):  # noqa: F811
    simulator = FakeSimulator(now_s=1_900_000_000, speed=1)
    board = start("--clock-from", simulator.url)
    before = int(board.execute("import time; print(time.time())"))
    simulator.change(advance_s=86_400)
    after = int(board.execute("import time; print(time.time())"))
    assert 86_400 <= after - before < 86_460
    simulator.stop()


def test_ticks_and_asyncio_stay_real_at_high_speed(start):  # noqa: F811
    board = start("--speed", "86400")
    calendar_s, ticks_ms, timeout_ms = map(
        int,
        board.execute(
            "import asyncio, time\n"
            "t, c = time.ticks_ms(), time.time()\n"
            "time.sleep_ms(300)\n"
            "c = time.time() - c\n"
            "d = time.ticks_diff(time.ticks_ms(), t)\n"
            "t = time.ticks_ms()\n"
            "async def main():\n"
            "    try: await asyncio.wait_for_ms(asyncio.Event().wait(), 300)\n"
            "    except asyncio.TimeoutError: pass\n"
            "asyncio.run(main())\n"
            "print(c, d, time.ticks_diff(time.ticks_ms(), t))"
        ).split(),
    )
    assert calendar_s >= 0.29 * 86_400
    assert 300 <= ticks_ms < 5_000
    assert 300 <= timeout_ms < 5_000


@pytest.fixture
def tls_server(tmp_path):
    """Serves one byte over TLS with a certificate valid from 2015; gives port and CA (DER)."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    not_before = datetime(2015, 1, 1, tzinfo=UTC)
    not_after = datetime(2090, 1, 1, tzinfo=UTC)
    certificate = authority.issue_cert("localhost", not_before=not_before, not_after=not_after)
    certificate.configure_cert(context)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(connection, server_side=True) as tls:
                    tls.sendall(b"!")
            except OSError:
                continue

    threading.Thread(target=serve, daemon=True).start()
    der = ssl.PEM_cert_to_DER_cert(authority.cert_pem.bytes().decode())
    yield listener.getsockname()[1], der
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_certificate_dates_follow_the_boards_clock(tls_server, start):  # noqa: F811
    port, der = tls_server
    board = start("--speed", "600")
    answer = board.execute(
        "import machine, socket, ssl\n"
        "context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\n"
        "context.verify_mode = ssl.CERT_REQUIRED\n"
        f"context.load_verify_locations(cadata={der!r})\n"
        "def greet():\n"
        "    s = socket.socket()\n"
        f"    s.connect(socket.getaddrinfo('127.0.0.1', {port})[0][-1])\n"
        "    try: return context.wrap_socket(s, server_hostname='localhost').read(1)\n"
        "    except ValueError as exc: return str(exc).strip()\n"
        "    finally: s.close()\n"
        "print(greet())\n"
        "machine.RTC().datetime((2027, 1, 1, 0, 0, 0, 0, 0))\n"
        "print(greet())\n"
        "machine.RTC().datetime((2095, 1, 1, 0, 0, 0, 0, 0))\n"
        "print(greet())\n"
    ).splitlines()
    assert "future" in answer[0]
    assert answer[1] == "b'!'"
    assert "expired" in answer[2]


# Flash


def test_the_image_is_a_boards_and_survives_the_power(start):  # noqa: F811
    board = start()
    board.execute("with open('note', 'w') as f: f.write('kept')")
    board.power_off()
    assert board.flash.stat().st_size == 2 * 1024 * 1024
    assert read_image(board.flash) == {"note": b"kept"}
    answer = start().execute(
        "import esp32, vfs\n"
        "part = esp32.Partition.find(esp32.Partition.TYPE_DATA, label='vfs')[0]\n"
        "print(part.info(), part.ioctl(4, 0), part.ioctl(5, 0))\n"
        "vfs.umount('/')\n"
        "vfs.mount(vfs.VfsLfs2(part, readsize=128), '/')\n"
        "print(open('note').read())"
    )
    assert answer == "(1, 129, 2097152, 2097152, 'vfs', False) 512 4096\nkept"


def test_a_volume_that_does_not_mount_leaves_the_prompt(start, tmp_path):  # noqa: F811
    (tmp_path / "flash.img").write_bytes(b"\0" * 2 * 1024 * 1024)
    board = start()
    with console(board) as port:
        port.write(b"\x04")
        port.read_until(b"MPY: soft reboot\r\n")
        assert b"appears to be corrupted" in port.read_until(b">>> ")


def test_a_power_cut_halves_the_operation_and_stops_the_board(tmp_path):
    program = (
        "import machine\n"
        "if machine.reset_cause() == 1: machine.reset()\n"  # counting goes on after a reset
        "from flashbdev import bdev\n"
        "bdev.ioctl(6, 500)\n"
        "bdev.writeblocks(500, bytes(64), 0)\n"
        "bdev.writeblocks(500, bytes(64), 128)\n"
        "bdev.ioctl(6, 500)\n"
    )
    block = 500 * 4096
    halves = {
        1: [(0, 2048, 0xFF), (2048, 4096, 0xAA)],
        2: [(0, 32, 0x00), (32, 4096, 0xFF)],
        3: [(0, 64, 0x00), (64, 128, 0xFF), (128, 160, 0x00), (160, 4096, 0xFF)],
        4: [(0, 2048, 0xFF), (2048, 4096, 0xFF)],
    }
    for count, expected in halves.items():
        write_image(tmp_path / "flash.img", {"main.py": program})
        with (tmp_path / "flash.img").open("r+b") as image:
            image.seek(block)
            image.write(b"\xaa" * 4096)
        board = VirtualBoard(tmp_path, "--cut-after", str(count))
        assert board.process.wait(20) == 75
        assert board.events("cut")[0]["op"] == count
        torn = board.flash.read_bytes()[block : block + 4096]
        for begin, end, value in expected:
            assert torn[begin:end] == bytes([value]) * (end - begin), (count, begin)


# Pins and radio


def test_the_level_is_read_anew_at_each_measurement(start):  # noqa: F811
    board = start()
    measure = (
        "import machine\n"
        "adc = machine.ADC(machine.Pin(34), atten=machine.ADC.ATTN_11DB)\n"
        "print(adc.read_uv(), adc.read_u16(), machine.ADC(machine.Pin(35)).read_uv())"
    )
    for text, expected in (("0.0", 150_000), ("0.5\n", 1_300_000), ("1.0", 2_450_000)):
        board.level.write_text(text)
        uv, raw, other = map(int, board.execute(measure).split())
        assert abs(uv - expected) <= 2_000
        assert abs(raw * 3_300_000 / 65_535 - expected) <= 4_100
        assert other < 10_000
    for text in ("", "full", "nan"):
        board.level.write_text(text)
        assert board.execute(measure).startswith("0 0 ")
    board.level.unlink()
    assert board.execute(measure).startswith("0 0 ")


def test_wifi_connects_like_the_port(start):  # noqa: F811
    board = start()
    answer = board.execute(
        "import network, time\n"
        "wlan = network.WLAN(network.STA_IF)\n"
        "def attempt():\n"
        "    try: wlan.connect('net', 'key')\n"
        "    except OSError as exc: print(exc)\n"
        "attempt()\n"
        "print(wlan.active(), wlan.active(True), wlan.isconnected(), wlan.ifconfig()[0])\n"
        "attempt(); attempt()\n"
        "print(wlan.status() == network.STAT_CONNECTING)\n"
        "time.sleep_ms(50)\n"
        "print(wlan.isconnected(), wlan.status() == network.STAT_GOT_IP, wlan.ifconfig()[0])\n"
        "print(wlan.config('ssid'), network.WLAN(network.WLAN.IF_STA) is wlan)\n"
        "wlan.disconnect(); print(wlan.isconnected()); attempt(); wlan.active(False)\n"
        "print(wlan.status() == network.STAT_IDLE)"
    ).splitlines()
    assert answer == [
        "Wifi Not Started",
        "False True False 0.0.0.0",
        "Wifi Internal Error",
        "True",
        "True True 127.0.0.1",
        "net True",
        "False",
        "True",
    ]


def test_identity_is_stable(start):  # noqa: F811
    ask = "import machine; print(machine.unique_id().hex(), machine.freq())"
    board = start()
    first = board.execute(ask)
    board.power_off()
    assert start().execute(ask) == first
    assert len(first.split()[0]) == 12


# Command line


@pytest.mark.parametrize(
    "change",
    [
        {"--heap": "lots"},
        {"--speed": "fast"},
        {"--time": "yesterday"},
        {"--cut-after": "0"},
        {"--flash": "wrong-size"},
        {"--link": "a-file"},
        {"--clock-from": "http://127.0.0.1:9"},
        {"--clock-from": "nonsense"},
        {"--flash": None},
        {"--unknown": "1"},
    ],
    ids=str,
)
def test_bad_arguments_are_one_line_and_status_2(change, tmp_path):
    (tmp_path / "wrong-size").write_bytes(b"x")
    (tmp_path / "a-file").write_text("precious")
    arguments = {f"--{name}": name for name in ("flash", "link", "level", "ready")} | change
    words = [word for item in arguments.items() if item[1] is not None for word in item]
    done = subprocess.run(
        [sys.executable, "-m", "tools.virtual_board", *words],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert (tmp_path / "a-file").read_text() == "precious"
