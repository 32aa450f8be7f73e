"""The virtual board's clocks: the world's calendar, the board's own, ticks, certificate dates."""

import json
import socket
import ssl
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trustme
from virtual_board_kit import SLEEPER, diary


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

        class Server(ThreadingHTTPServer):
            allow_reuse_address = True

            def handle_error(self, *_):
                # A board that was switched off in the middle of its long poll.
                pass

        self._server = Server(("127.0.0.1", port), Handler)
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


def test_the_boards_clock_starts_in_2000_and_can_be_set(start):
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


def test_a_jump_of_the_simulator_is_time_that_passed(start):
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


def test_a_jump_is_seen_by_a_board_that_is_awake(start):
    simulator = FakeSimulator(now_s=1_900_000_000, speed=1)
    board = start("--clock-from", simulator.url)
    before = int(board.execute("import time; print(time.time())"))
    simulator.change(advance_s=86_400)
    after = int(board.execute("import time; print(time.time())"))
    assert 86_400 <= after - before < 86_460
    simulator.stop()


@pytest.mark.parametrize("ppm", [50_000, -20_000])
def test_the_sleep_clock_drifts(start, ppm):
    simulator = FakeSimulator(now_s=1_900_000_000, speed=1)
    simulator.change(paused=True)
    board = start("--clock-from", simulator.url, f"--sleep-drift={ppm}", main=SLEEPER)
    sleep = board.wait_for("sleep")
    assert sleep["until"] - sleep["time"] == pytest.approx(3600 * (1 + ppm / 1e6), abs=0.01)
    simulator.change(advance_s=sleep["until"] - sleep["time"] + 0.01)
    board.wait_for("sleep", 2)
    simulator.change(advance_s=2 * 3600 * (1 + ppm / 1e6))  # woke late: what passed is counted
    board.wait_for("sleep", 3)
    board.power_off()
    assert [line.rsplit(" ", 1)[1] for line in diary(board)] == ["0", "1", "3"]
    simulator.stop()


def test_ticks_and_asyncio_stay_real_at_high_speed(start):
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


def test_certificate_dates_follow_the_boards_clock(tls_server, start):
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
