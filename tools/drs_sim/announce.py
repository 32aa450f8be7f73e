"""Where everything is: the ready file for programs, some lines for people."""

import json
from pathlib import Path

from tools.drs_sim.accounts import UnknownThing
from tools.drs_sim.certs import CertFiles

_MODEL, _SERIAL, _SLOT = "lowtide-demo", "demo-1", "slot1"
# Kept in the clear, unlike the tokens of others: it is printed at each start.
_TOKEN = "demo_token"


class Places:
    """The addresses of the service, the control port and the time server."""

    def __init__(self, service: str, desk: str, ntp: str):
        self.service = f"https://{service}"
        self.token = f"{self.service}/auth/o2/token"
        self.control = f"http://{desk}"
        self.ntp = ntp


def found(places: Places, files: CertFiles) -> dict:
    """Return what the ready file says."""
    return {
        "drs": places.service,
        "token": places.token,
        "control": places.control,
        "ntp": places.ntp,
        "ca_pem": str(files.ca_pem),
        "ca_der": str(files.ca_der),
    }


def print_places(places: Places, files: CertFiles) -> None:
    """Tell people."""
    print(
        f"drs_sim: service {places.service}, authorisation {places.service}/ap/oa\n"
        f"drs_sim: page and control {places.control}, time {places.ntp}\n"
        f"drs_sim: CA {files.ca_pem} (DER for a board: {files.ca_der})",
        flush=True,
    )


def print_demo_device(sim, places: Places, files: CertFiles, state: Path) -> None:
    """Print what brings a board here, in the order of typing; `state`: the file, as it was given.

    The demo device is registered the first time only: anew would revoke the board that has it.
    """
    client, token = _demo_device(sim)
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
        "lwa.client_id": client["client_id"],
        "device.model": client["model"],
        "device.serial": _SERIAL,
    }
    brought = {
        "lwa.client_secret": client["secret"],
        "lwa.refresh_token": token,
        "slot.id": _SLOT,
    }
    # No other board than the virtual one reaches loopback.
    virtual = host.startswith("127.")
    board = "PORT=build/board" if virtual else "PORT=/dev/ttyUSB0 BOARD=ESP32_GENERIC"
    print("drs_sim: to bring a board here, firmware and CA first:")
    print(f"make deploy {board} CERT={state.with_name(files.ca_der.name)}")
    print("drs_sim: then on its console; the answer to the second line is a link to open:")
    print(_config_line(found))
    print("register http://localhost:8765/")
    if token is None:
        print(f"drs_sim: {_SERIAL} has registered itself by now; for a device that is registered")
        print(f"drs_sim: from the start: stop this, rm {state}, start again", flush=True)
        return
    print("drs_sim: or, instead of both, one line for a device that is registered already:")
    print(_config_line(found | brought), flush=True)


def _demo_device(sim):
    """Return the row of the demo device's client, and its token; None if it has another by now."""
    with sim.step() as now_ms:
        try:
            device = sim.accounts.device(_SERIAL)
        except UnknownThing:
            device = None
        if device is None or device["refresh_hash"] is None:
            account = sim.accounts.register(_MODEL, _SERIAL, [_SLOT], False, now_ms)
            sim.store.set_meta(_TOKEN, account["refresh_token"])
            device = sim.accounts.device(_SERIAL)
        token = sim.store.get_meta(_TOKEN)
        if token is not None and sim.accounts.device_of_refresh_token(token) is None:
            token = None
        return sim.accounts.client(device["client_id"]), token


def _config_line(values) -> str:
    return "config " + json.dumps(values, separators=(",", ":"))
