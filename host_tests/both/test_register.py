"""The device's part in registering: link and verifier, and which code is whose."""

import binascii
import hashlib
import json

from kit import SLOT, config, raises, run

from lowtide import Fault, register

BACK = "http://localhost:8765/"
READY = {"device__model": "Dispenser1", "device__serial": "A0001"}
SAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"


class App:
    """What `register` needs of `app.App`; its own link and service."""

    def __init__(self, slots=(SLOT,), **changes):
        settings = dict(READY)
        settings.update(changes)
        self.config = config(**settings)
        self.begun = {}
        self.changed = []
        self.forms = []
        self.slots = {slot: True for slot in slots}
        self.fails = []

    def config_changed(self, name):
        """As `app.App`."""
        self.changed.append(name)

    async def up(self, _suspect):
        """As `link.Link`."""

    async def grant(self, form, _why):
        """As `drs.Drs`."""
        self.healed = list(self.changed)
        self.forms.append(form)
        if self.fails:
            raise self.fails.pop()
        return True

    async def subscription(self):
        """As `drs.Drs`."""
        return 0, dict(self.slots)

    def type(self, rest):
        """Type `register` with this."""
        return run(register.run("register", rest, self, self, self))


def fields_of(link):
    """Return the fields of a link's query, decoded."""
    fields = {}
    for field in link.split("?")[1].split("&"):
        name, value = field.split("=")
        parts = value.split("%")
        text = parts[0]
        for part in parts[1:]:
            text += chr(int(part[:2], 16)) + part[2:]
        fields[name] = text
    return fields


def test_the_link_has_all_that_the_page_wants_and_the_challenge_of_the_verifier():
    app = App()
    answer = app.type(BACK)
    link = answer["link"]
    assert "then register" in answer["next"]
    assert link.startswith("https://www.amazon.com/ap/oa?")
    fields = fields_of(link)
    assert fields["client_id"] == app.config["lwa.client_id"]
    assert (fields["scope"], fields["response_type"]) == ("dash:replenish", "code")
    assert fields["redirect_uri"] == BACK
    device = json.loads(fields["scope_data"])["dash:replenish"]
    assert device == {"device_model": "Dispenser1", "serial": "A0001"}
    verifier = app.begun["verifier"]
    assert 43 <= len(verifier) <= 128 and all(char in SAFE for char in verifier)
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = binascii.b2a_base64(digest).decode().strip().rstrip("=")
    assert fields["code_challenge"] == challenge.replace("+", "-").replace("/", "_")
    assert fields["code_challenge_method"] == "S256"
    assert verifier not in link


def test_every_registration_has_a_verifier_of_its_own_and_none_is_stored():
    app = App()
    seen = set()
    for _ in range(20):
        app.type(BACK)
        seen.add(app.begun["verifier"])
    assert len(seen) == 20
    assert app.config.store.writes == 0


def test_the_stage_goes_with_the_link():
    for stage, want in (
        ("live", {}),
        ("trial", {"should_include_non_live": True}),
        ("test", {"should_include_non_live": True, "is_test_device": True}),
    ):
        device = json.loads(fields_of(App(device__stage=stage).type(BACK)["link"])["scope_data"])
        want.update({"device_model": "Dispenser1", "serial": "A0001"})
        assert device["dash:replenish"] == want


def test_what_is_missing_is_named_and_nothing_is_begun():
    for name in ("wifi.ssid", "lwa.client_id", "device.model", "device.serial"):
        app = App(**{name.replace(".", "__"): ""})
        assert name in str(raises(ValueError, app.type, BACK))
        assert app.begun == {}
    for uri in ("", "localhost", "ftp://a", "http://a b"):
        assert "want register URI" in str(raises(ValueError, App().type, uri))


def test_the_code_goes_to_the_service_with_verifier_and_address():
    app = App(slot__id="")
    app.type(BACK)
    verifier = app.begun["verifier"]
    answer = app.type(BACK + "?code=abc%2Fd&scope=dash:replenish#frag")
    assert answer == {"slots": {SLOT: True}, "slot": SLOT}
    (form,) = app.forms
    assert "&code=abc%2Fd&" in form and "&code_verifier=" + verifier in form
    assert "redirect_uri=http%3A%2F%2Flocalhost%3A8765%2F" in form
    assert app.config["slot.id"] == SLOT
    assert app.changed == ["lwa.refresh_token", "slot.id"]
    assert app.begun == {}


def test_of_several_slots_the_one_that_is_set_counts_and_none_is_guessed():
    app = App(("a", "b"), slot__id="b")
    app.type(BACK)
    assert app.type(BACK + "?code=x")["slot"] == "b"
    app = App(("a", "b"), slot__id="c")
    app.type(BACK)
    answer = app.type(BACK + "?code=x")
    assert answer["slot"] == "" and answer["next"] == "config slot.id NAME"
    assert app.config["slot.id"] == ""


def test_an_address_of_no_registration_is_refused():
    app = App()
    assert "no registration begun" in str(raises(ValueError, app.type, BACK + "?code=x"))
    app.type(BACK)
    raises(ValueError, app.type, "http://localhost:1/?code=x")
    assert app.forms == []
    refusal = "?error=access_denied&error_description=Not+now"
    error = str(raises(ValueError, app.type, BACK + refusal))
    assert error == "access_denied: Not now"


def test_what_the_old_token_blocked_is_free_before_the_new_one_is_in_flash():
    # The other way round, a power cut between the two leaves a device that waits for ever.
    app = App()
    app.type(BACK)
    app.type(BACK + "?code=x")
    assert app.healed == ["lwa.refresh_token"]
    # And in the end nobody goes on with what the old one opened.
    assert app.changed[1:] == ["slot.id"]


def test_a_network_that_fails_leaves_the_registration_to_be_tried_again():
    app = App()
    app.type(BACK)
    app.fails = [Fault("no answer")]
    raises(Fault, app.type, BACK + "?code=x")
    assert app.begun
    assert app.type(BACK + "?code=x")["slot"] == SLOT
