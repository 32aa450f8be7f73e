"""Where everything is: the ready file for programs, some lines for people."""

import json
import os
from pathlib import Path

from tools.drs_sim.accounts import UnknownThing
from tools.drs_sim.certs import CertFiles

_MODEL, _SERIAL, _SLOT = "lowtide-demo", "demo-1", "slot1"


class Places:
    """The addresses of the service, the control port and the time server."""

    def __init__(self, service: str, desk: str, ntp: str):
        self.service = f"https://{service}"
        self.token = f"{self.service}/auth/o2/token"
        self.control = f"http://{desk}"
        self.ntp = ntp


def write_ready(path: Path, places: Places, files: CertFiles) -> None:
    """Write the ready file, in one step."""
    found = {
        "drs": places.service,
        "token": places.token,
        "control": places.control,
        "ntp": places.ntp,
        "ca_pem": str(files.ca_pem),
        "ca_der": str(files.ca_der),
        "pid": os.getpid(),
    }
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(found) + "\n")
    temporary.replace(path)


def print_places(places: Places, files: CertFiles) -> None:
    """Tell people."""
    print(
        f"drs_sim: service {places.service}, authorisation {places.service}/ap/oa\n"
        f"drs_sim: page and control {places.control}, time {places.ntp}\n"
        f"drs_sim: CA {files.ca_pem} (DER for a board: {files.ca_der})",
        flush=True,
    )


def print_demo_device(sim, places: Places, files: CertFiles) -> None:
    """Register a device, once; print what a board's console wants to hear.

    Registering it anew at each start would revoke the board that was set up with the first.
    """
    with sim.step() as now_ms:
        try:
            registered = sim.accounts.device(_SERIAL)["refresh_hash"] is not None
        except UnknownThing:
            registered = False
        if registered:
            print(f"drs_sim: {_SERIAL} is registered; its board goes on with the settings it has")
            print("drs_sim: (for a new one: stop this, remove the state file, start again)")
            print(end="", flush=True)
            return
        account = sim.accounts.register(_MODEL, _SERIAL, [_SLOT], False, now_ms)
    host, _, port = places.service.removeprefix("https://").partition(":")
    ntp_host, _, ntp_port = places.ntp.partition(":")
    found = {
        "wifi.ssid": "bench",
        "drs.host": host,
        "drs.port": port,
        "lwa.host": host,
        "lwa.port": port,
        "lwa.page": f"{places.service}/ap/oa",
        "ntp.host": ntp_host,
        "ntp.port": ntp_port,
        "lwa.client_id": account["client_id"],
        "device.model": _MODEL,
        "device.serial": _SERIAL,
    }
    brought = {f"lwa.{name}": account[name] for name in ("client_secret", "refresh_token")}
    print("drs_sim: to point a board at it, first from here:")
    print(f"mpremote connect PORT fs mkdir :/certs + fs cp {files.ca_der} :/certs/drs_sim.der")
    print("drs_sim: then on the board's console, for a device that is registered:")
    print(_config_line({**found, **brought, "slot.id": _SLOT}))
    print("drs_sim: or for one that registers itself; the answer is a link to open:")
    print(_config_line(found))
    print("register http://localhost:8765/", flush=True)


def _config_line(values) -> str:
    return "config " + json.dumps(values, separators=(",", ":"))
