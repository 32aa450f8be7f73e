"""The virtual board's Wi-Fi: the port's station, and what `--air` does to it."""

import socketserver
import threading
import time

import pytest
from virtual_board_kit import console

from tools.virtual_board.driver import read_image

CONNECT = """\
import network, time
wlan = network.WLAN(network.STA_IF)
def until(status):
    while wlan.status() != status: time.sleep_ms(5)
wlan.active(True)
"""
UP = CONNECT + "wlan.connect('home', 'key')\nuntil(1010)\n"


def reset(board):
    """Have mpremote reset the board, which it does 100 ms after it has returned."""
    board.mpremote("reset")
    time.sleep(1)


@pytest.fixture
def board(start, tmp_path):
    return start(f"--air={tmp_path / 'air.json'}")


class EchoStream(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(4096):
            self.request.sendall(data)
            if data == b"bye!":
                return


class EchoDatagram(socketserver.BaseRequestHandler):
    def handle(self):
        self.request[1].sendto(self.request[0], self.client_address)


@pytest.fixture
def echo():
    """The port of a server that sends back what it gets, TCP and UDP alike."""
    tcp = socketserver.ThreadingTCPServer(("127.0.0.1", 0), EchoStream)
    tcp.daemon_threads = True
    udp = socketserver.UDPServer(tcp.server_address, EchoDatagram)
    for server in (tcp, udp):
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield tcp.server_address[1]
    for server in (tcp, udp):
        server.shutdown()
        server.server_close()


# The station


def test_a_bssid_connects_to_that_access_point_only(board):
    answer = board.execute(
        UP + "found = wlan.scan()\n"
        "print(found, wlan.status('rssi'), wlan.config('channel'), wlan.config('ssid'))\n"
        "wlan.disconnect()\n"
        "wlan.connect('home', 'key', bssid=found[0][1]); until(1010)\n"
        "wlan.disconnect()\n"
        "wlan.connect('home', 'key', bssid=b'\\x02\\0\\0\\0\\0\\x09'); until(201)\n"
        "print(wlan.isconnected())\n"
        "try: wlan.connect('home', 'key', bssid=b'12345')\n"
        "except ValueError: print('six bytes')\n"
        "try: wlan.config('bssid')\n"
        "except ValueError as exc: print(exc)"
    )
    assert answer.splitlines() == [
        "[(b'home', b'\\x02\\x00\\x00\\x00\\x00\\x01', 1, -55, 3, False)] -55 1 home",
        "False",
        "six bytes",
        "unknown config param",
    ]
    assert [event["fast"] for event in board.events("connect")] == [False, True, True]
    assert len(board.events("scan")) == 1
    assert len(board.events("dhcp")) == 2


def test_the_driver_tries_until_the_access_point_is_back(board):
    board.spoil_air(ap=False)
    answer = board.execute(
        CONNECT + "wlan.connect('home', 'key'); until(201)\n"
        "print(wlan.scan())\n"
        "try: wlan.connect('home', 'key')\n"
        "except OSError as exc: print(exc)\n"
        "try: wlan.status('rssi')\n"
        "except OSError as exc: print(exc)"
    )
    assert answer.splitlines() == ["[]", "Wifi Internal Error", "Wifi Not Connected"]
    board.spoil_air()
    # The station is not the interpreter's: it goes on over a soft reset, not over another.
    assert board.execute(CONNECT + "until(1010); print('up')") == "up"
    reset(board)
    assert board.execute(CONNECT + "print(wlan.status())") == "1000"


def test_reconnects_bound_the_trying(board):
    board.spoil_air(ap=False)
    assert (
        board.execute(
            CONNECT + "wlan.config(reconnects=0)\n"
            "wlan.connect('home', 'key'); until(201)\n"
            "wlan.connect('home', 'key')\n"  # no error: it had given up
            "print(wlan.config('reconnects'))"
        )
        == "0"
    )


def test_a_wrong_password_is_named_even_while_it_tries(board):
    board.spoil_air(key="right", ssid="home")
    answer = board.execute(
        CONNECT + "wlan.connect('home', 'wrong'); until(202)\n"
        "wlan.disconnect(); print(wlan.status())\n"
        "wlan.connect('home', 'right'); until(1010)\n"
        "wlan.disconnect(); wlan.connect('away', 'right'); until(201)\n"
        "wlan.active(False); print(wlan.active(), wlan.status())"
    )
    assert answer.splitlines() == ["1000", "False 1000"]


def test_without_dhcp_only_a_static_address_connects(board):
    board.spoil_air(dhcp=False)
    answer = board.execute(
        CONNECT + "wlan.connect('home', 'key'); time.sleep_ms(200)\n"
        "print(wlan.status(), wlan.ifconfig()[0], wlan.ipconfig('dhcp4'))\n"
        "wlan.disconnect()\n"
        "wlan.ifconfig(('10.0.0.7', 24, '10.0.0.1', '10.0.0.2'))\n"
        "print(wlan.ifconfig(), wlan.isconnected())\n"
        "wlan.connect('home', 'key'); until(1010)\n"
        "wlan.ipconfig(addr4='10.0.1.8/16', gw4='10.0.1.1')\n"
        "print(wlan.ifconfig(), wlan.ipconfig('addr4'), network.ipconfig('dns'))"
    )
    assert answer.splitlines() == [
        "1001 0.0.0.0 True",
        "('10.0.0.7', '255.255.255.0', '10.0.0.1', '10.0.0.2') False",
        "('10.0.1.8', '255.255.0.0', '10.0.1.1', '10.0.0.2') ('10.0.1.8', '255.255.0.0') 10.0.0.2",
    ]
    assert not board.events("dhcp")
    board.spoil_air(lease=["10.2.0.5", "255.255.0.0", "10.2.0.1", "10.2.0.1"])
    assert (
        board.execute(CONNECT + "wlan.ifconfig('dhcp'); print(wlan.ifconfig()[0])") == "10.2.0.5"
    )
    assert len(board.events("dhcp")) == 1


def test_sleep_tells_that_the_radio_was_left_on(start):
    board = start(
        main="import machine, network\n"
        "wlan = network.WLAN(network.STA_IF)\n"
        "wlan.active(machine.reset_cause() == 1)\n"
        "machine.deepsleep(1 if machine.reset_cause() == 1 else 0)\n"
    )
    board.wait_for("sleep", 2)
    assert [event["radio"] for event in board.events("sleep")] == [True, False]


# The network behind it

LOOK_UP = """\
import socket
def look_up(host='localhost', port=9):
    try: return socket.getaddrinfo(host, port)[0][-1]
    except OSError as exc: return exc.errno
"""


def test_look_ups_need_a_link_and_a_name_server(board):
    assert board.execute(LOOK_UP + "print(look_up(), look_up('127.0.0.1'))") == "-202 118"
    board.spoil_air(dns="fail")
    answer = board.execute(
        UP + LOOK_UP + "print(look_up(), type(look_up('127.0.0.1')))\n"
        "import asyncio\n"
        "try: asyncio.run(asyncio.open_connection('localhost', 9))\n"
        "except OSError as exc: print(exc.errno)"
    )
    assert answer.splitlines() == ["-202 <class 'bytearray'>", "-202"]
    board.spoil_air(dns=0.3)
    answer = board.execute(
        UP + LOOK_UP + "t = time.ticks_ms()\n"
        "print(type(look_up()), time.ticks_diff(time.ticks_ms(), t) >= 300)"
    )
    assert answer == "<class 'bytearray'> True"


def test_a_static_address_of_another_network_leads_nowhere(board):
    board.spoil_air(lease=["10.2.0.5", "255.255.0.0", "10.2.0.1", "10.2.0.1"])
    assert (
        board.execute(
            CONNECT + LOOK_UP + "wlan.ifconfig(('10.0.0.7', 24, '10.0.0.1', '10.0.0.1'))\n"
            "wlan.connect('home', 'key'); until(1010)\n"
            "print(look_up())\n"
            "wlan.ifconfig('dhcp')\n"
            "print(type(look_up()))"
        )
        == "-202\n<class 'bytearray'>"
    )


def test_only_the_watchdog_ends_a_look_up_that_hangs(start, tmp_path):
    (tmp_path / "air.json").write_text('{"dns": "hang"}')
    board = start(
        f"--air={tmp_path / 'air.json'}",
        main="import machine\n"
        "rtc = machine.RTC()\n"
        "if machine.reset_cause() == 3:\n"
        "    with open('memory', 'wb') as file: file.write(rtc.memory())\n"
        "    machine.deepsleep()\n"
        "rtc.memory(b'kept')\n" + UP + LOOK_UP + "machine.WDT(timeout=1000)\n"
        "print('looking')\n"
        "try: look_up()\n"
        "finally: open('returned', 'w').close()\n",
    )
    with console(board) as port:
        port.read_until(b"looking\r\n")
        # Before that, Ctrl-C would meet Python code, and end it.
        board.wait_for("hang")
        port.write(b"\x03")
    board.wait_for("sleep")
    board.power_off()
    assert [event["cause"] for event in board.events("boot")] == [1, 3]
    files = read_image(board.flash)
    assert files["memory"] == b"kept"
    assert "returned" not in files


TALK = """\
def talk(data):
    s = socket.socket()
    s.connect(socket.getaddrinfo('localhost', PORT)[0][-1])
    s.send(data)
    return s
def heard(s, size):
    data = b''
    while len(data) < size: data += s.recv(size - len(data))
    return data
def nothing_heard(s):
    time.sleep_ms(200)
    s.setblocking(False)
    try: s.recv(1)
    except OSError as exc: return exc.errno == 11
    finally: s.setblocking(True)
"""


def test_the_link_drops_after_so_many_bytes(board, echo):
    board.spoil_air(drop_after=10)
    answer = board.execute(
        f"PORT = {echo}\n" + UP + "import socket\n" + TALK + "s = talk(b'1234567')\n"
        "print(heard(s, 3), nothing_heard(s), wlan.isconnected(), wlan.status())\n"
        "wlan.active(False); wlan.active(True)\n"  # which begins the count anew
        "wlan.connect('home', 'key'); until(1010)\n"
        "print(heard(talk(b'12345'), 5))"
    )
    assert answer.splitlines() == ["b'123' True False 201", "b'12345'"]


def test_the_end_of_a_connection_does_not_get_through_without_a_link(board, echo):
    board.spoil_air(drop_after=8)
    answer = board.execute(
        f"PORT = {echo}\n" + UP + "import socket\n" + TALK + "s = talk(b'bye!')\n"
        "print(heard(s, 4), nothing_heard(s))"
    )
    assert answer == "b'bye!' True"


def test_a_connection_outlives_a_short_drop_but_not_the_radio(start, tmp_path, echo):
    board = start(
        f"--air={tmp_path / 'air.json'}",
        main=f"PORT = {echo}\n" + UP + "import socket\n" + TALK + "s = talk(b'abc')\n"
        "print(heard(s, 3))\n"
        "until(201)\n"
        "s.send(b'def')\n"
        "print(nothing_heard(s))\n"
        "print(heard(s, 3), wlan.isconnected())\n"
        "wlan.active(False)\n"
        "s.send(b'ghi')\n"
        "try: print(s.recv(1))\n"
        "except OSError as exc: print(exc.errno)\n",
    )
    with console(board) as port:
        port.write(b"\x04")
        port.read_until(b"b'abc'\r\n")
        board.spoil_air(ap=False)
        assert port.read_until(b"\r\n") == b"True\r\n"
        board.spoil_air()
        assert port.read_until(b"\r\n") == b"b'def' True\r\n"
        assert port.read_until(b"\r\n") == b"104\r\n"  # ECONNRESET


def test_datagrams_go_through_the_air_too(board, echo):
    program = UP + (
        "import socket\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        f"to = socket.getaddrinfo('localhost', {echo}, 0, socket.SOCK_DGRAM)[0][-1]\n"
        "s.sendto(b'time?', to); print(s.recv(48))\n"
    )
    assert board.execute(program) == "b'time?'"
    board.spoil_air(drop_after=9)  # the answer would be the tenth byte
    program = program.replace("print(s.recv(48))", "s.setblocking(False)") + (
        "time.sleep_ms(200)\ntry: s.recv(48)\nexcept OSError as exc: print(exc.errno)"
    )
    reset(board)
    assert board.execute(program) == "11"


@pytest.mark.parametrize("text", ["[]", '{"dsn": "fail"}'])
def test_an_air_that_nobody_understands_is_refused(start, tmp_path, capfd, text):
    (tmp_path / "air.json").write_text(text)
    assert start(f"--air={tmp_path / 'air.json'}").process.wait(30) == 2
    assert "is no object of ap, " in capfd.readouterr().err
