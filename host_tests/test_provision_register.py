"""Registration by the provisioning tool: link, browser or pasted address, slots, pages."""

import contextlib
import io
import os
import re
import threading
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from provision_kit import FakeBoard

from tools.device import DeviceError, Stopped
from tools.provision import register
from tools.provision.board import Board
from tools.provision.register import Registrar
from tools.provision.settings import InputError


class Desk:
    """A person with a browser, and a keyboard."""

    def __init__(self):
        self.told, self.everything = [], []
        self._told = threading.Condition()
        self.reads, self._writes = os.pipe()
        self.stopped = threading.Event()
        self.lines = os.fdopen(self.reads, "rb", buffering=0)
        self.registrar = Registrar(0, self.say, self.lines, self.stopped.is_set)

    def say(self, text):
        with self._told:
            self.told.append(text)
            self.everything.append(text)
            self._told.notify_all()

    def types(self, *lines):
        os.write(self._writes, "".join(line + "\n" for line in lines).encode())

    def hangs_up(self):
        os.close(self._writes)
        self._writes = None

    def until_told(self, part):
        """Wait until the tool says it; return all that it said."""
        with self._told:
            assert self._told.wait_for(lambda: part in self.said(), 10), self.said()
        return self.said()

    def said(self):
        return "\n".join(self.told)

    def link(self):
        return re.search(r"https://\S+", self.said())[0]

    def address(self, code="ANdNAVhyhqirUelHGEHA", **fields):
        """Return where the browser is sent back to once the customer has allowed it."""
        self.until_told("scan the code")
        query = parse_qs(urlsplit(self.link()).query)
        fields = fields or {"code": code, "scope": "dash:replenish"}
        shown = "&".join(f"{name}={value}" for name, value in fields.items())
        return f"{query['redirect_uri'][0]}?{shown}&state={query['state'][0]}"

    def browser(self, address):
        return httpx.get(address.replace("localhost", "127.0.0.1"), timeout=20, trust_env=False)

    def close(self):
        self.registrar.close()
        self.lines.close()
        if self._writes is not None:
            os.close(self._writes)


@pytest.fixture
def desk():
    desk = Desk()
    yield desk
    desk.close()


@pytest.fixture
def fake():
    board = FakeBoard(device__serial="LT-7")
    yield board
    board.close()


@contextlib.contextmanager
def registering(desk, fake, slot=""):
    """Register in the background; yields the outcome, a list, filled when the block is left."""
    board = Board(fake.port)
    board.connect()
    desk.told.clear()
    outcome = []

    def work():
        try:
            outcome.append(desk.registrar.register(board, slot))
        except DeviceError as e:
            outcome.append(e)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield outcome
    finally:
        thread.join(20)
        board.close()
    assert not thread.is_alive()


def test_the_browser_brings_the_code_and_the_page_says_so(desk, fake):
    with registering(desk, fake) as outcome:
        answer = desk.browser(desk.address())
    assert outcome == ["PaperTowel"] and fake.settings["slot.id"] == "PaperTowel"
    uri = desk.registrar.uri
    sent = f"register {uri}?code=ANdNAVhyhqirUelHGEHA&scope=dash:replenish"
    assert [line for line in fake.lines if line.startswith("register ")] == [
        f"register {uri}",
        sent,
    ]
    assert answer.status_code == 200 and "Your device is registered" in answer.text
    assert "LT-7" in answer.text and "orders PaperTowel by itself" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "1  PaperTowel  <- this one" in desk.said()


def test_the_code_is_in_nothing_that_the_tool_says(desk, fake, capfd):
    with registering(desk, fake):
        desk.browser(desk.address())
    with registering(desk, fake) as outcome:
        desk.types(desk.address("ANdNdenied").replace("code=", "error=ANdNdenied&code="))
    said = "".join(desk.everything) + "".join(capfd.readouterr()) + str(outcome)
    assert "ANdNAVhyhqirUelHGEHA" not in said and "Atzr" not in said


def test_a_phones_address_may_be_pasted(desk, fake):
    with registering(desk, fake) as outcome:
        desk.types("what?", desk.address())
    assert outcome == ["PaperTowel"]
    assert desk.said().count("That is not the address of this registration") == 1


def test_a_refusal_is_said_in_the_browser_and_here(desk, fake):
    with registering(desk, fake) as outcome:
        address = desk.address(error="access_denied", error_description="Access+not+permitted.")
        answer = desk.browser(address)
    assert "access_denied" in str(outcome[0]) and "lwa.refresh_token" not in fake.settings
    assert "not registered" in answer.text and "access_denied" in answer.text
    assert "Nothing was charged" in answer.text


def test_strangers_are_turned_away_and_do_no_harm(desk, fake):
    with registering(desk, fake) as outcome:
        good = desk.address()
        strange = re.sub("state=.*", "state=guessed", good)
        for address in (strange, good.split("&state")[0], good.replace("/?", "/favicon.ico?")):
            answer = desk.browser(address)
            assert answer.status_code == 404 and "Nothing to see here" in answer.text
        assert httpx.post(good.replace("localhost", "127.0.0.1")).status_code == 501
        assert len([line for line in fake.lines if line.startswith("register ")]) == 1
        assert desk.browser(good).status_code == 200
    assert outcome == ["PaperTowel"]


def test_a_board_says_what_it_likes_and_the_page_shows_text(desk, fake):
    def fail(rest):
        if "?" in rest:
            raise ValueError("<script>alert(1)</script>")
        return fake._register(rest)

    fake.on["register"] = fail
    with registering(desk, fake):
        answer = desk.browser(desk.address())
    assert "<script" not in answer.text and "&lt;script&gt;" in answer.text


def test_the_device_waits_for_its_own_uplink_first(desk, fake, monkeypatch):
    monkeypatch.setattr("tools.device._UNDER_WAY_S", 0.05)
    busy = [1, 1]

    def register(rest):
        if "?" in rest and busy:
            busy.pop()
            raise ValueError("an uplink is under way; try again in a minute")
        return fake._register(rest)

    fake.on["register"] = register
    with registering(desk, fake) as outcome:
        assert desk.browser(desk.address()).status_code == 200
    assert outcome == ["PaperTowel"]


def test_several_slots_are_offered_by_name(desk, fake):
    fake.slots = {"Kibble": True, "Treats": False}
    with registering(desk, fake) as outcome:
        answer = desk.browser(desk.address())
        said = desk.until_told("Which one does it order? 1 to 2")
        desk.types("3", "", "2")
    assert outcome == ["Treats"] and fake.settings["slot.id"] == "Treats"
    assert "1  Kibble\n" in said and "2  Treats (reordering is off)" in said
    assert "is chosen where the registration was started" in answer.text


def test_a_slot_may_be_named_and_nobody_be_there_to_choose(desk, fake):
    fake.slots = {"Kibble": True, "Treats": False}
    with registering(desk, fake) as outcome:
        desk.browser(desk.address())
        desk.types("Kibble")
    assert outcome == ["Kibble"]
    del fake.settings["slot.id"]
    with registering(desk, fake) as outcome:
        desk.browser(desk.address())
        desk.hangs_up()
    assert "say which slot in the file: Kibble, Treats" in str(outcome[0])


def test_the_slot_of_the_file_counts_and_must_be_there(desk, fake):
    fake.slots = {"Kibble": True, "Treats": False}
    fake.settings["slot.id"] = "Treats"
    with registering(desk, fake, "Treats") as outcome:
        assert "Reordering of Treats is off" in desk.browser(desk.address()).text
    assert outcome == ["Treats"]
    fake.settings["slot.id"] = "Cups"
    with registering(desk, fake, "Cups") as outcome:
        desk.browser(desk.address())
    assert "knows no Cups; it has Kibble, Treats" in str(outcome[0])


def test_boards_are_registered_one_after_the_other(desk, fake):
    other = FakeBoard(device__serial="LT-8")
    with registering(desk, fake):
        first = desk.address("first")
        desk.browser(first)
    with registering(desk, other):
        desk.until_told("LT-8: open this link")
        # What is left of the board before is not taken for this one's.
        assert desk.browser(first).status_code == 404
        desk.browser(desk.address("second"))
    tokens = [board.settings["lwa.refresh_token"] for board in (fake, other)]
    assert tokens == ["Atzr|of first", "Atzr|of second"]
    other.close()


def test_it_gives_up_when_stopped_and_when_nobody_comes(desk, fake, monkeypatch):
    with registering(desk, fake) as outcome:
        desk.until_told("scan the code")
        desk.stopped.set()
    assert isinstance(outcome[0], Stopped)
    desk.stopped.clear()
    monkeypatch.setattr(register, "_PATIENCE_S", 0)
    with registering(desk, fake) as outcome:
        pass
    assert "nobody allowed it" in str(outcome[0])


def test_a_board_that_waits_hears_a_word_now_and_then(desk, fake, monkeypatch):
    monkeypatch.setattr(register, "_WORD_S", 0)
    said = threading.Event()
    fake.on["time"] = lambda _: said.set() or {}
    with registering(desk, fake):
        assert said.wait(10)
        desk.browser(desk.address())


def test_a_port_in_use_is_said_before_any_board_is_touched(desk):
    with pytest.raises(InputError, match=r"in use; choose another .* with REDIRECT_PORT=N"):
        Registrar(int(desk.registrar.uri.split(":")[2].strip("/")))


def test_the_qr_code_is_the_link_and_fits_a_terminal():
    link = "https://www.amazon.com/ap/oa?" + "x" * 400
    plain = register.code(link, False).splitlines()
    assert max(map(len, plain)) <= 80 and set("".join(plain)) <= set("█▀▄ ")
    shown = register.code(link, True).splitlines()
    assert [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in shown] == plain


def test_where_the_terminal_has_no_blocks_the_link_is_enough(desk, monkeypatch):
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), "ascii"))
    desk.registrar._ask("LT-7", "https://amazon.example/")
    assert "https://amazon.example/" in desk.said() and "█" not in desk.said()
