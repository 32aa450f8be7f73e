"""The console under whatever hypothesis comes up with: it holds its secrets and its settings."""

import json
import sys
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent / "both"))

from console_kit import Terminal
from kit import SECRETS, SETTINGS, Device

from lowtide import settings as module
from lowtide.config import names, point

NAMES = [name for name in names() if point(name)[0] == module.SECRET]
LINES = (
    "help", "help NAME", "status", "config", "measure", "calibrate empty", "order", "order --now",
    "order --test", "why", "log", "time", "json off", "json on", "config {", "nonsense",
)  # fmt: skip
# It begins as nothing does that the console says anyway.
SECRET = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=50).map(
    lambda text: "Zq7#pw0-" + text
)


def patient(terminal):
    """Have jobs that do nothing."""
    terminal.console.job = lambda app, name, rest: None
    return terminal


@given(st.lists(st.binary(max_size=60) | st.sampled_from([b"\n", b"\x03", b"config ", b"\x15"])))
@example([b"config wifi.password", b"\x08" * 60, b"\x15", b"json off\n"])
@settings(max_examples=300, deadline=None)
def test_any_bytes_leave_the_settings_as_they_were_or_valid(pieces):
    terminal = patient(Terminal())
    said = "".join(map(terminal.send, pieces))
    assert not any(secret in said for secret in SECRETS)
    terminal.send(b"\n\x03\njson on\n")
    terminal.out.clear()
    assert terminal.ask("status")["state"] == "none"
    stored = json.loads(terminal.device.config.store.payload)
    for name, value in stored.items():
        assert module.check(name, value) == value
    if terminal.device.config.store.writes == 0:
        assert stored == SETTINGS


@given(SECRET, st.booleans(), st.booleans())
@settings(max_examples=25, deadline=None)
def test_no_configured_secret_is_in_any_line_log_or_error(secret, json_mode, together):
    terminal = patient(Terminal(Device(permille=100), json_mode))
    values = {name: f"{secret}{number}" for number, name in enumerate(NAMES)}
    if together:
        terminal.send(b"config " + json.dumps(values).encode() + b"\n")
    else:
        for name, value in values.items():
            terminal.send(f"config {name} {value}\n".encode())
    assert [terminal.device.config[name] for name in NAMES] == list(values.values())
    terminal.send(f"config {NAMES[0]} {secret * 40}\n".encode())
    terminal.send(f"register http://localhost/?code={secret}\n".encode())
    for line in LINES + tuple(f"{word} {name}" for name in NAMES for word in ("help", "config")):
        terminal.send(line.encode() + b"\n")
    terminal.device.fail("no Wi-Fi")
    said = terminal.out.text() + "".join(terminal.log.lines)
    assert secret not in said
