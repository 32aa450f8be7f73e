"""Wi-Fi and SNTP: which access point, for how long, and whose time is believed."""

import errno
import os
import socket
import struct

from kit import SETTINGS, T0, FakeClock, config, raises, run

from lowtide import Fault
from lowtide import link as module
from lowtide.link import Link

HOME, OTHER = b"\x02\0\0\0\0\x01", b"\x02\0\0\0\0\x02"
NET = "192.168.1.9 255.255.255.0 192.168.1.1 9.9.9.9"
NTP_S = 2208988800


class FakeRadio:
    """The air: `there` are the access points that answer, the strongest first."""

    def __init__(self, *there):
        self.there = there
        self.calls = []
        self._bssid = None

    def start(self, address):
        """As `hal.Radio`, as are the others."""
        self.calls.append(("start", address))
        # The port's object: `isconnected` and `status` are its.
        self.wlan = self

    def strongest(self, ssid):
        self.calls.append(("scan", ssid))
        return self.there[0] if self.there else b""

    def connect(self, ssid, password, bssid):
        self.calls.append(("connect", ssid, password, bssid))
        self._bssid = bssid

    def isconnected(self):
        return self._bssid in self.there

    def status(self):
        return 201

    def stop(self):
        self.calls.append(("stop",))


class Naps:
    """Stands in for asyncio, so that no test waits: counts what would have been slept."""

    def __init__(self):
        self.slept_s = 0

    async def sleep(self, seconds):
        """Do not."""
        self.slept_s += seconds


class Case:
    """A link, its radio and its clock; and its agent, as far as it looks at one."""

    def __init__(self, *there, now_s=T0, earliest_s=T0 - 1, **changes):
        self.radio, self.clock, self.naps = FakeRadio(*there), FakeClock(now_s), Naps()
        self.earliest_now_s = earliest_s
        self.time_s, self.config = self.clock, config(**changes)
        self.link = Link(self, self.radio, self.clock.set)

    def earliest_s(self):
        """As `agent.Agent`."""
        return self.earliest_now_s

    def clock_plausible(self):
        """As `agent.Agent`."""
        return self.plausible

    def up(self, plausible=True, suspect=False):
        """Bring it up without waiting."""
        self.plausible = plausible
        kept, module.asyncio = module.asyncio, self.naps
        try:
            self.moved_s = run(self.link.up(suspect))
        finally:
            module.asyncio = kept
        return self


def connects(case):
    """Return the access points that were tried."""
    return [call[3] for call in case.radio.calls if call[0] == "connect"]


def scans(case):
    """Return how often the air was searched."""
    return sum(call[0] == "scan" for call in case.radio.calls)


def test_the_first_time_it_takes_the_strongest_access_point_and_remembers_it():
    case = Case(OTHER, HOME).up()
    assert connects(case) == [OTHER]
    assert case.radio.calls[2] == ("connect", "home", SETTINGS["wifi.password"], OTHER)
    assert case.link.bssid == OTHER


def test_the_next_time_it_needs_no_scan():
    case = Case(HOME)
    case.link.bssid = HOME
    case.up()
    assert connects(case) == [HOME]
    assert scans(case) == 0
    assert case.naps.slept_s == 0


def test_where_the_remembered_access_point_is_gone_it_looks_again():
    case = Case(OTHER)
    case.link.bssid = HOME
    case.up()
    assert connects(case) == [HOME, OTHER]
    assert case.link.bssid == OTHER
    assert 4 < case.naps.slept_s < 6


def test_a_hidden_network_is_joined_by_name():
    case = Case(b"")
    case.up()
    assert connects(case) == [b""]
    assert case.link.bssid == b""


def test_without_wifi_it_gives_up_says_why_and_forgets_the_access_point():
    case = Case()
    case.link.bssid = HOME
    message = str(raises(Fault, case.up))
    assert "no Wi-Fi (201)" in message
    assert "wifi.password" in message
    assert SETTINGS["wifi.password"] not in message
    assert case.link.bssid == b""
    assert case.naps.slept_s <= 21


def test_a_static_address_is_set_before_the_first_connect():
    assert Case(HOME, wifi__static=NET).up().radio.calls[0] == ("start", NET.split())
    assert Case(HOME).up().radio.calls[0] == ("start", [])


def test_a_stored_static_address_that_is_none_is_a_fault():
    case = Case(HOME, wifi__static="192.168.1.9")
    assert case.config.fault is None

    def start(address):
        raise ValueError("requested length 4 but object has length 1")

    case.radio.start = start
    assert "Wi-Fi: requested length 4" in str(raises(Fault, case.up))


def test_down_switches_the_radio_off():
    case = Case(HOME).up()
    case.link.down()
    assert case.radio.calls[-1] == ("stop",)


# -- time --------------------------------------------------------------------------------------


class Server:
    """An SNTP server on loopback that answers with `unix_s`, whenever the link naps."""

    def __init__(self, case, unix_s, forge=None):
        self._unix_s, self._forge = unix_s, forge
        self.asked = 0
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        port = bound(self._sock)
        self._sock.setblocking(False)
        case.naps.sleep = self.nap
        case.config.update({"ntp.host": "127.0.0.1"})
        case.config.update({"ntp.port": port})

    async def nap(self, seconds):
        """Answer what has come."""
        try:
            data, address = self._sock.recvfrom(48)
        except OSError:
            return
        self.asked += 1
        answer = bytearray(48)
        answer[0], answer[1] = 0x24, 2
        answer[24:32] = data[40:48]
        answer[40:44] = struct.pack("!I", (self._unix_s + NTP_S) & 0xFFFFFFFF)
        if self._forge:
            self._forge(answer)
        self._sock.sendto(bytes(answer), address)


def bound(sock):
    """Bind to a free port of loopback; MicroPython cannot ask which one it got."""
    while True:
        port = 20000 + struct.unpack("H", os.urandom(2))[0] % 40000
        try:
            sock.bind(socket.getaddrinfo("127.0.0.1", port, 0, socket.SOCK_DGRAM)[0][-1])
            return port
        except OSError as e:
            assert e.errno == errno.EADDRINUSE


def test_a_plausible_clock_is_not_asked_for():
    case = Case(HOME)
    server = Server(case, T0 + 5)
    case.up()
    assert server.asked == 0
    assert case.clock() == T0


def test_a_clock_that_was_never_set_is_set_by_sntp():
    case = Case(HOME, now_s=946684800)
    Server(case, T0 + 5)
    case.up(plausible=False)
    assert case.clock() == T0 + 5


def test_a_suspect_clock_is_set_and_by_how_much_is_told():
    case = Case(HOME)
    Server(case, T0 + 5 * 365 * 86400)
    case.up(suspect=True)
    assert case.clock() == T0 + 5 * 365 * 86400
    assert case.moved_s == 5 * 365 * 86400


def test_an_uplink_without_sntp_has_nothing_to_set_back():
    case = Case(HOME)
    Server(case, T0 + 5)
    case.up()
    assert case.moved_s == 0
    case = Case(HOME, now_s=946684800)
    Server(case, T0 + 5)
    case.up(plausible=False)
    assert case.moved_s == 0


def test_no_time_is_believed_from_before_the_last_good_one():
    case = Case(HOME, now_s=946684800, earliest_s=T0)
    Server(case, T0 - 1)
    message = str(raises(Fault, case.up, False))
    assert "no time" in message
    assert case.clock() == 946684800


def test_sntp_goes_on_after_2036():
    case = Case(HOME, now_s=946684800)
    Server(case, 2085978496 + 86400)
    case.up(plausible=False)
    assert case.clock() == 2085978496 + 86400


def test_a_clock_that_is_only_a_suspect_stands_where_sntp_is_silent():
    case = Case(HOME, ntp__host="127.0.0.1", ntp__port=9)
    case.up(suspect=True)
    assert case.clock() == T0


def unsure(answer):
    answer[1] = 0  # stratum 0: not synchronised (RFC 4330, section 4)


def other_question(answer):
    answer[31] ^= 1


def no_server(answer):
    answer[0] = 0x23  # mode 3: a question


def test_an_answer_that_is_none_is_not_believed():
    for forge in (unsure, other_question, no_server):
        case = Case(HOME, now_s=946684800)
        server = Server(case, T0, forge)
        assert "no answer" in str(raises(Fault, case.up, False))
        assert server.asked == 1
        assert case.clock() == 946684800
