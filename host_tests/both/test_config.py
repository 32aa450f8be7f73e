"""Settings: one clear line for what is wrong, and nothing changed by it."""

import json

from kit import POINTS, SECRETS, SETTINGS, FakeStore, config, raises

from lowtide.config import INT, Config
from lowtide.settings import SECRET, change, differs, shown

DESIGN_DEFAULTS = {
    "order.repeat_window_s": 43200,
    "order.poll_interval_s": 14400,
    "order.resolution_after_s": 3600,
    "order.resolution_window_s": 259200,
    "order.cancel_hold_s": 432000,
    "order.horizon_s": 864000,
    "order.min_interval_s": 86400,
    "level.reorder_pct": 20,
    "level.confirm_count": 3,
    "level.refill_pct": 15,
    "level.refill_count": 6,
    "measure.interval_s": 900,
    "power.mode": "mains",
}
DESIGN_NAMES = (
    ("wifi.ssid", "wifi.password", "lwa.client_id", "lwa.client_secret", "lwa.refresh_token")
    + ("drs.host", "drs.port", "lwa.host", "lwa.port", "ntp.host", "ntp.port", "device.model")
    + ("device.serial", "slot.id", "slot.capacity", "slot.unit", "power.mode")
)
MODES = ("mains", "battery")
NET = "192.168.1.9 255.255.255.0 192.168.1.1 9.9.9.9"
# What each of the points takes that want more than a length.
TAKEN = {
    "power.mode": MODES,
    "device.stage": ("live", "trial", "test"),
    "wifi.static": ("", NET),
    "lwa.page": ("https://a", "https://" + "a" * 120),
    "gauge.table": ("", "0:0 1:1000", "-8388000:1000 -8380000:0", "1:0 2:400  3:1000 "),
}


def again(settings):
    """Return the configuration that the next start reads from what is in flash."""
    return Config(settings.store)


def put(settings, name, value):
    """Set one, as a person does."""
    change(settings, {name: value}, len)


def bad_choices(name):
    """As `bad_values`, of a setting that is one of a few words, or has a pattern."""
    if name == "power.mode":
        return ("", "x", "MAINS", "mains ", 1, None, ["mains"]), "mains or battery"
    if name == "device.stage":
        return ("", "x", "LIVE", "live|trial", "test ", 1, None), "live or trial or test"
    if name == "lwa.page":
        bad = ("", "x", "http://www.amazon.com/ap/oa", "https://a b", "https://" + "a" * 121, 5)
        return bad, "9 to 128 printable characters, https://"
    if name == "gauge.table":
        bad = ("x", "1:0", "1 2", "1:0 1:1000", "1:0 2:1001", "1:0 2:-1", "a:0 b:1", "--1:0 2:9")
        bad += ("1:0 2:1000:5", "1:0;2:9", "1: 2:9", "1:0 " * 51, "1:500 2:500", "::", 5, None)
        return bad + ("1:0 %d:1000" % (1 << 31),), "RAW:PERMILLE"
    if name in ("device.model", "device.serial"):
        bad = ("a b", "a/b", "a.b", "\u00e9", "a{", "x" * 65, "a\n", 5, None)
        return bad, "0 to 64 printable characters of A-Z a-z 0-9 + _ -"
    return None


def bad_values(name):
    """Return values that this point must refuse, and the limit that its message must name."""
    if bad_choices(name):
        return bad_choices(name)
    if name == "wifi.static":
        bad = ["x", "192.168.1.9", NET + " 1.1.1.1", NET.replace("9", "900"), NET + " ", 5, None]
        return bad + [NET.replace(" ", "  "), NET.replace(".", ",")], "own address, mask"
    point = POINTS[name]
    if point[0] == INT:
        low, high = point[2], point[3]
        bad = ["", "x", "1.5", "-1", " 1", "1e3", str(high + 1), high + 1, "9" * 30, 1.5, None]
        if low:
            bad.append(low - 1)
        return bad, "%d to %d" % (low, high)
    bad = ["x" * (point[3] + 1), 5, None, ["x"], {}]
    if point[2]:
        bad.append("")
    return bad, "%d to %d" % (point[2], point[3])


def test_the_defaults_are_those_of_the_design():
    settings = Config(FakeStore())
    for name, value in DESIGN_DEFAULTS.items():
        assert settings[name] == value, name
    for name in DESIGN_NAMES:
        assert name in POINTS, name


def test_every_default_and_every_limit_is_taken():
    settings = config()
    for name, point in POINTS.items():
        for value in TAKEN.get(name, point[2:4]):
            if point[0] != INT and name not in TAKEN:
                value = "x" * value
            put(settings, name, value)
            assert settings[name] == value or (value == "" and settings[name] == point[1])
            assert again(settings)[name] == settings[name]


def test_what_is_out_of_range_gives_one_line_with_name_and_limit_and_changes_nothing():
    for name in POINTS:
        settings = config()
        before, value_before = settings.store.payload, settings[name]
        bad, limit = bad_values(name)
        for value in bad:
            message = str(raises(ValueError, put, settings, name, value))
            assert message.startswith(name + ": "), (name, value, message)
            assert limit in message, (name, value, message)
            assert "\n" not in message
            assert len(message) < 120
        assert settings[name] == value_before
        assert settings.store.payload == before
        assert settings.store.writes == 0


def test_text_that_would_break_a_header_or_a_line_is_refused():
    for name in ("drs.host", "lwa.host", "lwa.refresh_token", "slot.id", "device.serial"):
        for value in ("a\r\nb", "a\nb", "a\x00b", "a\x1bb"):
            raises(ValueError, put, config(), name, value)


def test_a_secret_too_short_to_be_one_is_refused():
    # A Wi-Fi password has 8 characters at least (IEEE 802.11, WPA2); none is an open network.
    for name in ("wifi.password", "lwa.client_secret", "lwa.refresh_token"):
        error = str(raises(ValueError, put, config(), name, "1234567"))
        assert "at least 8 or none" in error and "1234567" not in error
        for value in ("", "12345678"):
            put(config(), name, value)


def test_numbers_as_text_become_numbers():
    settings = config()
    put(settings, "level.reorder_pct", "30")
    assert settings["level.reorder_pct"] == 30
    assert again(settings)["level.reorder_pct"] == 30


def test_an_unknown_setting_is_refused_and_its_name_is_harmless_on_a_screen():
    settings = config()
    message = str(raises(ValueError, put, settings, "wifi.\x1b[2J" + "x" * 500, "1"))
    assert message.startswith("unknown setting")
    assert "\x1b" not in message
    assert len(message) < 120
    assert settings.store.writes == 0


def test_a_setting_of_a_newer_firmware_is_kept_for_it():
    store = FakeStore(json.dumps({"radio.power": [1, 2], "slot.id": "a"}).encode())
    settings = Config(store)
    assert settings.fault is None
    put(settings, "slot.id", "b")
    assert json.loads(store.payload) == {"radio.power": [1, 2], "slot.id": "b"}


def test_several_settings_are_taken_in_one_write_or_none_of_them():
    settings = config()
    change(settings, {"slot.id": "a", "drs.port": "8443", "level.reorder_pct": 30}, len)
    assert settings.store.writes == 1
    assert [again(settings)[n] for n in ("slot.id", "drs.port")] == ["a", 8443]
    before = settings.store.payload
    for bad in ({"drs.port": 0}, {"no.such": 1}, {"power.mode": []}, {1: 2}):
        values = {"slot.id": "b", "slot.unit": "c"}
        values.update(bad)
        raises(ValueError, change, settings, values, len)
    settings.store.broken = True
    raises(OSError, change, settings, {"slot.id": "b", "slot.unit": "c"}, len)
    assert settings.store.payload == before
    assert settings["slot.id"] == "a"


def test_a_file_of_a_newer_frame_is_not_written_over():
    store = FakeStore(b"")
    store.schema = 2
    settings = Config(store)
    assert "newer firmware" in settings.fault
    assert "factory-reset" in str(raises(ValueError, put, settings, "slot.id", "a"))
    assert store.writes == 0


def test_a_change_of_the_stage_forgets_the_token_and_nothing_else():
    settings = config()
    assert not change(settings, {"device.stage": "live"}, len)
    assert settings["lwa.refresh_token"] == SECRETS[2]
    assert change(settings, {"device.stage": "test"}, len)
    assert settings["lwa.refresh_token"] == ""
    assert settings["lwa.client_secret"] == SECRETS[1]
    assert SECRETS[2] not in settings.store.payload.decode()
    # With a token of its own, the stage is that token's.
    assert not change(settings, {"device.stage": "trial", "lwa.refresh_token": "Atzr|other"}, len)
    assert again(settings)["lwa.refresh_token"] == "Atzr|other"


def test_what_differs_from_the_default_is_told():
    fresh = Config(FakeStore())
    assert not any(differs(fresh, name) for name in POINTS)
    settings = config(slot__capacity=100, slot__unit="sheets")
    want = set(SETTINGS) | {"slot.unit"}
    assert {name for name in POINTS if differs(settings, name)} == want


def test_a_corrupt_or_newer_file_is_a_fault_and_the_defaults_stand():
    store = FakeStore(b"")
    settings = Config(store)
    assert settings.fault
    assert settings.present
    assert settings["level.reorder_pct"] == 20
    assert settings.missing() == "wifi.ssid"
    assert store.writes == 0


def test_content_that_is_not_settings_is_a_fault_with_one_line():
    for payload in (b"", b"nonsense", b"[]", b"7", b"null", b'"x"', b'{"slot.id": 5}', b"{"):
        store = FakeStore(payload)
        settings = Config(store)
        assert settings.fault, payload
        assert "\n" not in settings.fault
        assert store.writes == 0


def test_a_power_mode_that_cannot_be_read_keeps_nothing_awake():
    settings = config(power__mode="solar")
    assert "power.mode" in settings.fault
    # Not configured: ten minutes for a person, then asleep until a reset.
    assert settings.missing() == "power.mode"
    put(settings, "power.mode", "battery")
    assert settings.missing() is settings.fault is None


def test_a_stored_value_out_of_range_costs_only_itself():
    for bad in SETTINGS:
        stored = dict(SETTINGS)
        stored["level.reorder_pct"] = 99
        stored[bad] = "y" * 3000
        store = FakeStore(json.dumps(stored).encode())
        settings = Config(store)
        assert settings.fault
        put(settings, "level.reorder_pct", 20)
        kept = json.loads(store.payload)
        for name, value in SETTINGS.items():
            assert name == bad or kept.get(name) == value, (bad, name)


def test_a_fault_stays_until_the_very_value_is_set_again():
    stored = dict(SETTINGS)
    stored["level.reorder_pct"] = 99
    store = FakeStore(json.dumps(stored).encode())
    settings = Config(store)
    assert "level.reorder_pct" in settings.fault
    put(settings, "slot.unit", "count")
    assert settings.fault
    put(settings, "level.reorder_pct", 20)
    assert settings.fault is None
    assert again(settings).fault is None


def test_a_write_that_fails_changes_nothing():
    settings = config()
    settings.store.broken = True
    raises(OSError, put, settings, "slot.id", "other")
    assert settings["slot.id"] == SETTINGS["slot.id"]


def test_secrets_are_never_shown():
    settings = config()
    for name, point in POINTS.items():
        text = str(shown(settings, name))
        for secret in SECRETS:
            assert secret not in text
        if point[0] == SECRET:
            assert text == "set"
    assert shown(Config(FakeStore()), "wifi.password") == "not set"


def test_secrets_are_in_no_message():
    for name, point in POINTS.items():
        if point[0] == SECRET:
            for value in ("s3cr3t" * 400, "s3cr3t\x00\x01", ["s3cr3t"]):
                try:
                    put(config(), name, value)
                except ValueError as e:
                    assert "s3cr3t" not in str(e)
            store = FakeStore(json.dumps({name: ["s3cr3t"]}).encode())
            assert "s3cr3t" not in Config(store).fault


def test_configured_means_every_required_setting():
    assert config().missing() is None
    for name in ("wifi.ssid", "lwa.client_id", "lwa.refresh_token", "slot.id"):
        assert config(**{name.replace(".", "__"): ""}).missing() == name
    assert config(lwa__client_secret="", wifi__password="").missing() is None
