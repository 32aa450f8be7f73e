"""The Wi-Fi station of the ESP32 port, as its driver keeps it, and the air that it is in.

Modelled on the port, v1.24 and later: the driver tries again by itself until it is told to stop,
`status()` goes on naming the last failure while it does, and nothing but `scan()` names a BSSID.
"""

import ipaddress
import json
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tools.virtual_board.events import Events

_ASSOC_LEAVE = 8  # the reason after a disconnect of our own
_BEACON_TIMEOUT, _NO_AP_FOUND, _WRONG_PASSWORD = 200, 201, 202
_IDLE, _CONNECTING, _GOT_IP = 1000, 1001, 1010
_WPA2 = 3
_ATTEMPT_S = 0.02
_KEYS = {
    *("ap", "ssid", "key", "bssid", "channel", "rssi"),
    *("dhcp", "lease", "dns", "drop_after"),
}
_LEASE = ("127.0.0.1", "255.0.0.0", "127.0.0.1", "127.0.0.1")
_NO_ADDRESS = ("0.0.0.0",) * 4
_CONFIG = {"reconnects": "-1", "channel": "1", "txpower": "20.0", "pm": "1"}
_EAI_FAIL, _EHOSTUNREACH = -202, 118  # as the port raises them


class Air:
    """What a file says of access point, DHCP and DNS; see README.md. No file is perfect air."""

    def __init__(self, path: Path | None):
        self._path = path
        self._last: dict = {}

    def look(self) -> dict:
        """Returns what the file says now; what it said last while it is being written.

        Raises:
            ValueError: it says what nobody understands.
        """
        try:
            found = json.loads(self._path.read_text()) if self._path else {}
        except FileNotFoundError:
            found = {}
        except json.JSONDecodeError:
            return self._last
        if not isinstance(found, dict) or not found.keys() <= _KEYS:
            raise ValueError(f"{self._path} is no object of {', '.join(sorted(_KEYS))}")
        self._last = found
        return found


class Radio:
    """One station. What it does by itself happens when somebody looks."""

    def __init__(self, air: Air, events: Events):
        self._air = air
        self._events = events
        self._lock = threading.Lock()  # the relay looks too
        self.session = 0  # connections end with it
        self._commands: dict[str, Callable[..., str]] = {
            "active": self._activate,
            "connect": self._connect,
            "disconnect": self._disconnect,
            "status": lambda: str(self._status()),
            "rssi": self._rssi,
            "scan": self._scan,
            "address": self._address,
            "dhcp4": lambda: str(int(self._static is None)),
            "config": self._configure,
        }
        self.reset()

    def reset(self) -> None:
        """The chip starts anew: the radio is off and has forgotten everything."""
        with self._lock:
            self.session += 1
            self.is_active = False
            self._ssid = self._key = self._bssid = ""
            self._tries_since: float | None = None  # monotonic; None: it does not try to connect
            self._is_up = False
            self._reason = self._failures = self._carried = 0
            self._static: tuple[str, ...] | None = None
            self._lease = _NO_ADDRESS
            self._config = dict(_CONFIG)

    def answer(self, payload: bytes) -> bytes:
        """Obeys `network.WLAN`: words in, "=" and text out, or "!" OSError, "?" ValueError."""
        command, *words = payload.decode().split("\0")
        with self._lock:
            self._settle()
            try:
                return f"={self._commands[command](*words)}".encode()
            except OSError as exc:
                return f"!{exc}".encode()
            except ValueError as exc:
                return f"?{exc}".encode()

    def is_through(self) -> bool:
        """Whether there is a way to the network now."""
        with self._lock:
            self._settle()
            return self._is_up and self._is_routed()

    def carry(self, size: int) -> int:
        """Returns how many of `size` bytes get through the air now, and counts them."""
        with self._lock:
            self._settle()
            if not self._is_up or not self._is_routed():
                return 0
            size = min(size, self._left())
            self._carried += size
            return size

    def look_up(self, host: str) -> tuple[int, int]:
        """Returns (milliseconds that the look-up blocks, -1 for ever; error or 0)."""
        is_literal = re.fullmatch(r"[\d.]+", host)
        with self._lock:
            self._settle()
            if is_literal:
                return 0, 0 if self._is_up else _EHOSTUNREACH
            dns = self._air.look().get("dns", 0)
            if not self._is_up or not self._is_routed() or dns == "fail":
                return 0, _EAI_FAIL
            if dns == "hang":
                self._events.emit("hang")
                return -1, 0
            return round(dns * 1000), 0

    # What the driver does by itself

    def _settle(self) -> None:
        """Brings the station up to now."""
        if self._is_up:
            reason = _BEACON_TIMEOUT if not self._is_in_reach() else 0
        elif self._tries_since is not None and time.monotonic() - self._tries_since >= _ATTEMPT_S:
            reason = self._refusal()
        else:
            return
        if not reason:
            self._associated()
            return
        self._is_up = False
        self._reason = reason
        self._failures += 1
        reconnects = int(self._config["reconnects"])
        tries_on = reconnects < 0 or self._failures <= reconnects
        self._tries_since = time.monotonic() if tries_on else None

    def _is_in_reach(self) -> bool:
        return self._air.look().get("ap", True) and self._left() > 0

    def _left(self) -> int:
        """Bytes until the access point goes."""
        limit = self._air.look().get("drop_after")
        return 1 << 62 if limit is None else max(limit - self._carried, 0)

    def _refusal(self) -> int:
        air = self._air.look()
        is_it = self._ssid == air.get("ssid", self._ssid)
        if self._bssid:
            is_it = is_it and self._bssid == self._bssid_in_air()
        if not is_it or not self._is_in_reach():
            return _NO_AP_FOUND
        return 0 if self._key == air.get("key", self._key) else _WRONG_PASSWORD

    def _associated(self) -> None:
        """There is a link: up with an address, or waiting for DHCP."""
        air = self._air.look()
        if self._is_up or (self._static is None and not air.get("dhcp", True)):
            return
        self._is_up = True
        self._reason = 0
        if self._static is None:
            self._take_lease()

    def _take_lease(self) -> None:
        self._lease = tuple(self._air.look().get("lease", _LEASE))
        self._events.emit("dhcp")

    def _is_routed(self) -> bool:
        """A static address of another network leads nowhere."""
        lease = self._air.look().get("lease")
        return not lease or (self._static or self._lease)[2] == lease[2]

    def _bssid_in_air(self) -> str:
        return self._air.look().get("bssid", "020000000001").replace(":", "").lower()

    # What the firmware asks

    def _activate(self, flag: str = "") -> str:
        if flag == "1" and not self.is_active:
            self._failures = self._carried = 0
        elif flag == "0":
            self._leave()
            self.session += 1
        self.is_active = flag == "1" if flag else self.is_active
        return str(int(self.is_active))

    def _connect(self, ssid: str = "", key: str = "", bssid: str = "") -> str:
        if ssid:
            self._ssid, self._key, self._bssid = ssid, key, bssid
        if not self.is_active:
            raise OSError("Wifi Not Started")
        if self._tries_since is not None and not self._is_up:
            raise OSError("Wifi Internal Error")
        if not self._ssid:
            raise OSError("Wifi SSID Invalid")
        self._events.emit("connect", fast=bool(self._bssid))
        self._failures = 0
        self._is_up = False
        self._tries_since = time.monotonic()
        return ""

    def _disconnect(self) -> str:
        if not self.is_active:
            raise OSError("Wifi Not Started")
        self._leave()
        return ""

    def _leave(self) -> None:
        if self._tries_since is not None:
            self._reason = _ASSOC_LEAVE
        self._is_up = False
        self._tries_since = None

    def _status(self) -> int:
        if self._is_up:
            return _GOT_IP
        if self._reason in (_NO_AP_FOUND, _WRONG_PASSWORD):
            return self._reason
        if self._reason == _ASSOC_LEAVE:
            return _IDLE  # although it may be connecting again
        if self._tries_since is not None:
            return _CONNECTING
        return self._reason or _IDLE

    def _rssi(self) -> str:
        if not self._is_up:
            raise OSError("Wifi Not Connected")
        return str(self._air.look().get("rssi", -55))

    def _scan(self) -> str:
        if not self.is_active:
            raise OSError("STA must be active")
        if self._tries_since is not None and not self._is_up:
            return ""  # the driver refuses, and the port shows an empty list
        self._events.emit("scan")
        if not self._is_in_reach():
            return ""
        air = self._air.look()
        ssid = air.get("ssid", self._ssid or "lowtide")
        found = (ssid, self._bssid_in_air(), air.get("channel", 1), air.get("rssi", -55), _WPA2)
        return "\0".join(map(str, found))

    def _address(self, *words: str) -> str:
        """Gets (address, mask, gateway, DNS), or sets them, or goes back to DHCP."""
        if not words:
            return "\0".join(self._static or (self._lease if self._is_up else _NO_ADDRESS))
        if words == ("dhcp",):
            if self._is_up and self._static:
                self._take_lease()
            self._static = None
            return ""
        try:
            ip, mask, gateway, dns = words
            mask = str(ipaddress.IPv4Network(f"0.0.0.0/{mask}").netmask)
            self._static = tuple(str(ipaddress.IPv4Address(w)) for w in (ip, mask, gateway, dns))
        except ValueError:
            raise ValueError("invalid arguments") from None
        return ""

    def _configure(self, name: str, value: str = "") -> str:
        if name in ("hidden", "security", "key") or (name == "ssid" and value):
            raise OSError("AP required")
        if name == "ssid":
            return self._ssid
        if name not in self._config:
            raise ValueError("unknown config param")
        if value:
            self._config[name] = value
        elif name == "channel" and self._is_up:
            return str(self._air.look().get("channel", 1))
        return self._config[name]
