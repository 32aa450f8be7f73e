"""What the README's security section claims and no other test shows: read from the sources."""

import ast
import re
import subprocess

from host_tests.test_imports import FIRMWARE, MODULES, everything
from lowtide.config import names, point
from lowtide.settings import SECRET

ROOT = FIRMWARE.parent
# A server's calls, and the radios and modes that the device has no use for.
_SERVES = {"listen", "accept", "start_server", "AP_IF", "IF_AP", "bluetooth", "BLE", "webrepl"}
_CRYPTOGRAPHY = {"cryptolib", "ucryptolib", "hmac"}
# Login with Amazon's tokens and client ids as they really are, and keys in PEM.
_CREDENTIAL = re.compile(
    rb"Atz[ar]\|[A-Za-z0-9_-]{100,}"
    rb"|amzn1\.application-oa2-client\.[0-9a-f]{32}"
    rb"|-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{32}"
)


def spoken(tree):
    """Return every name that a module uses, imports or looks up in another one."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.alias):
            found.update(node.name.split("."))
    return found


def test_no_socket_ever_listens():
    used = {name: spoken(tree) & _SERVES for name, tree in MODULES.items()}
    assert {name: found for name, found in used.items() if found} == {}
    assert "connect" in spoken(MODULES["hal"])


def test_no_cryptography_of_our_own():
    assert "ssl" in everything("lowtide.https")
    for name in MODULES:
        assert not everything(name) & _CRYPTOGRAPHY, name


def test_no_source_or_fixture_holds_a_credential():
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout.split(b"\0")
    files = [ROOT / path.decode() for path in tracked if path]
    assert len(files) > 100
    holding = [
        str(path) for path in files if path.is_file() and _CREDENTIAL.search(path.read_bytes())
    ]
    assert holding == []
    assert _CREDENTIAL.search(b"Atzr|" + b"x" * 100)


def test_a_new_device_has_no_credential():
    secrets = [name for name in names() if point(name)[0] == SECRET]
    assert "lwa.refresh_token" in secrets and "wifi.password" in secrets
    assert {point(name)[1] for name in [*secrets, "lwa.client_id"]} == {""}
