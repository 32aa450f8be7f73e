"""Devices, their slots, and the tokens that speak for them.

Refresh tokens and codes are kept as hashes only: they are long and random, so a plain SHA-256
serves. An access token is not kept at all: it says whose it is and until when, under a seal, and
is void once the device's epoch is another. So the many calls that only use tokens write nothing.
"""

import base64
import hashlib
import hmac
import json
import secrets
import string
from functools import lru_cache

CODE_LIFE_MS = 5 * 60_000
PROBLEMS = ("address", "payment", "stock")


class UnknownThing(Exception):
    """There is no such device, slot or order; the message says which."""


class Accounts:
    """Registration, tokens and subscriptions; the caller holds the transaction."""

    def __init__(self, store, books, options):
        self._store = store
        self._books = books
        self._options = options
        self._key = bytes.fromhex(store.get_meta("token_key", ""))
        self._opened = lru_cache(maxsize=1024)(self._open)
        if not self._key:
            self._key = secrets.token_bytes(32)
            store.set_meta("token_key", self._key.hex())

    def register(self, model: str, serial: str, slots: list[str], test: bool, now_ms: int) -> dict:
        """Register a device anew with every slot subscribed; tokens it had are void."""
        client = self.client_of_model(model, slots)
        self.link(client, serial, {slot: True for slot in slots}, test, now_ms)
        return {
            "client_id": client["client_id"],
            "client_secret": client["secret"],
            "refresh_token": self.issue_refresh_token(serial, public=False),
        }

    def link(self, client, serial: str, slots: dict, test: bool, now_ms: int) -> None:
        """The customer consents: a device anew, its slots on or off; it has no token yet."""
        self._store.run("DELETE FROM codes WHERE serial = ?", serial)
        self._store.run(
            "INSERT OR REPLACE INTO devices"
            " (serial, model, client_id, test, registered_ms, epoch) VALUES (?, ?, ?, ?, ?, ?)",
            *(serial, client["model"], client["client_id"], test, now_ms, secrets.token_hex(8)),
        )
        self._store.run("DELETE FROM slots WHERE serial = ?", serial)
        for slot, subscribed in slots.items():
            self._store.run(
                "INSERT INTO slots (serial, slot, subscribed) VALUES (?, ?, ?)",
                *(serial, slot, subscribed),
            )
        device = self.device(serial)
        self._books.notify_device("DeviceRegistered", device, now_ms)
        self._books.notify_subscription(device, self.slots(serial), now_ms)

    def device(self, serial: str):
        """Return a device's row. Raises UnknownThing."""
        row = self._store.one("SELECT * FROM devices WHERE serial = ?", serial)
        if row is None:
            raise UnknownThing(f"no such device: {serial}")
        return row

    def slots(self, serial: str) -> list:
        """Return the rows of a device's slots, in the order they were registered."""
        return self._store.all("SELECT * FROM slots WHERE serial = ? ORDER BY rowid", serial)

    def slot(self, serial: str, slot: str):
        """Return one slot's row, or None."""
        return self._store.one("SELECT * FROM slots WHERE serial = ? AND slot = ?", serial, slot)

    def subscribe(self, serial: str, slot: str, subscribed: bool, now_ms: int):
        """Turn a slot on or off as the customer does; an open order goes on regardless."""
        row = self._known_slot(serial, slot)
        if bool(row["subscribed"]) != subscribed:
            self._set_slot(serial, slot, "subscribed", subscribed)
            self._books.notify_subscription(self.device(serial), self.slots(serial), now_ms)
        return self.slot(serial, slot)

    def set_next_problem(self, serial: str, slot: str, problem: str | None):
        """Let the next new order of a slot need resolving, or not."""
        self._known_slot(serial, slot)
        self._set_slot(serial, slot, "next_problem", problem)
        return self.slot(serial, slot)

    def keep_slot_status(self, serial: str, slot: str, report: str) -> None:
        """Keep the last SlotStatus of a slot."""
        self._set_slot(serial, slot, "status", report)

    def keep_device_status(self, serial: str, report: str) -> None:
        """Keep the last DeviceStatus of a device."""
        self._store.run("UPDATE devices SET status = ? WHERE serial = ?", report, serial)

    def revoke(self, serial: str, now_ms: int) -> None:
        """The customer removes the app: every token of the device is void."""
        device = self.device(serial)
        if device["revoked_ms"] is not None:
            return
        self._store.run("DELETE FROM codes WHERE serial = ?", serial)
        self._store.run(
            "UPDATE devices SET refresh_hash = NULL, old_refresh_hash = NULL, epoch = NULL,"
            " revoked_ms = ? WHERE serial = ?",
            *(now_ms, serial),
        )
        self._books.notify_device("DeviceDeregistered", device, now_ms)

    def client(self, client_id: str):
        """Return a client's row, or None."""
        return self._store.one("SELECT * FROM clients WHERE client_id = ?", client_id)

    def client_of_model(self, model: str, slots: list[str]):
        """Return the client of a model with its slots, made if there is none yet."""
        client_id = f"amzn1.application-oa2-client.{secrets.token_hex(16)}"
        self._store.run(
            "INSERT INTO clients (client_id, model, secret, slots) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (model) DO UPDATE SET slots = excluded.slots",
            *(client_id, model, secrets.token_hex(32), json.dumps(slots)),
        )
        return self._store.one("SELECT * FROM clients WHERE model = ?", model)

    def device_of_refresh_token(self, token: str):
        """Return the device a refresh token belongs to, or None."""
        hashed = _hash(token)
        return self._store.one(
            "SELECT * FROM devices WHERE refresh_hash = ? OR old_refresh_hash = ?", hashed, hashed
        )

    def issue_refresh_token(self, serial: str, public: bool, kept: str | None = None) -> str:
        """Return a new refresh token; those before it are void, except one to be kept."""
        token = "Atzr|" + secrets.token_urlsafe(345)
        self._store.run(
            "UPDATE devices SET old_refresh_hash = ?, refresh_hash = ?, public = ?"
            " WHERE serial = ?",
            *(kept and _hash(kept), _hash(token), public, serial),
        )
        return token

    def issue_code(self, client_id, serial, redirect_uri, challenge, method, now_ms) -> str:
        """Return a new authorisation code; what had expired is swept away."""
        self._store.run("DELETE FROM codes WHERE expires_ms <= ?", now_ms)
        code = "".join(secrets.choice(string.ascii_letters) for _ in range(20))
        self._store.run(
            "INSERT INTO codes VALUES (?, ?, ?, ?, ?, ?, ?)",
            *(_hash(code), client_id, serial, redirect_uri, challenge, method),
            now_ms + CODE_LIFE_MS,
        )
        return code

    def code(self, code: str, now_ms: int):
        """Return the row of a code that is still good, or None."""
        return self._store.one(
            "SELECT * FROM codes WHERE hash = ? AND expires_ms > ?", _hash(code), now_ms
        )

    def use_code(self, code: str) -> None:
        """A code serves once."""
        self._store.run("DELETE FROM codes WHERE hash = ?", _hash(code))

    def device_of_access_token(self, token: str, now_ms: int):
        """Return the device that a valid access token speaks for, or None."""
        opened = self._opened(token)
        if opened is None or opened[2] <= now_ms:
            return None
        row = self._store.one("SELECT * FROM devices WHERE serial = ?", opened[0])
        return row if row is not None and row["epoch"] == opened[1] else None

    def _open(self, token):
        """Return serial, epoch and end of a token with our seal, or None."""
        head, _, sealed = token.partition("|")
        text, _, seal = sealed.partition(".")
        if head != "Atza" or not hmac.compare_digest(seal.encode(), self._seal(text).encode()):
            return None
        return json.loads(base64.urlsafe_b64decode(text))[:3]

    def issue_access_token(self, device, now_ms: int) -> str:
        """Return a new access token of the usual length."""
        expires_ms = now_ms + self._options["access_token_s"] * 1000
        fields = [device["serial"], device["epoch"], expires_ms]
        fields.append(secrets.token_urlsafe(180)[: 230 - len(device["serial"])])
        text = base64.urlsafe_b64encode(json.dumps(fields).encode()).decode()
        return f"Atza|{text}.{self._seal(text)}"

    def _seal(self, text):
        return hmac.digest(self._key, text.encode(), "sha256").hex()

    def _known_slot(self, serial, slot):
        self.device(serial)
        row = self.slot(serial, slot)
        if row is None:
            raise UnknownThing(f"no such slot of {serial}: {slot}")
        return row

    def _set_slot(self, serial, slot, column, value):
        self._store.run(
            f"UPDATE slots SET {column} = ? WHERE serial = ? AND slot = ?", value, serial, slot
        )


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
