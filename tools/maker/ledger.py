"""The ledger: every notification once, by order and slot, in one SQLite file."""

import json
import sqlite3
from contextlib import contextmanager
from pathlib import Path

from tools.maker.payload import DEVICE_KINDS, ORDER_KINDS, Notification

COUNTERS = (
    "accepted",  # notifications new to the ledger
    "late",  # of those, older than one that had come before; it is put where it belongs
    "duplicate",  # a MessageId that had come before: SNS's retry, or a replay
    "repeated",  # a notificationId that had come before, in a new message
    "unknown",  # signed, but it says nothing that the ledger knows
    "wrong_topic",  # of another topic
    "forged",  # signature, certificate or address wrong
    "malformed",  # no SNS message at all
    "unverifiable",  # the certificate could not be fetched; SNS is asked to try again
    "confirmed",  # subscriptions confirmed
    "unsubscribed",  # subscriptions that ended
    "placed",  # orders that the device cloud told of
)
_VERSION = 1
_SCHEMA = """
CREATE TABLE topic (id INTEGER PRIMARY KEY CHECK (id = 1), arn TEXT NOT NULL);
CREATE TABLE counters (name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE messages (message_id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE events (
    seq INTEGER PRIMARY KEY, message_id TEXT NOT NULL, notification_id TEXT, kind TEXT NOT NULL,
    time_ms INTEGER NOT NULL, client_id TEXT, serial TEXT, slot TEXT, order_id TEXT,
    delivery TEXT, subscribed TEXT
);
CREATE UNIQUE INDEX events_notification ON events (notification_id);
CREATE INDEX events_order ON events (order_id, time_ms) WHERE order_id IS NOT NULL;
CREATE INDEX events_serial ON events (serial, time_ms);
CREATE INDEX events_time ON events (time_ms);
CREATE TABLE placed (
    order_id TEXT PRIMARY KEY, serial TEXT NOT NULL, slot TEXT NOT NULL, time_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX placed_time ON placed (time_ms);
"""


class LedgerError(Exception):
    """The file cannot be used; the message is one line for a person."""


class Ledger:
    """One connection; each change reaches the disk whole, or not at all."""

    def __init__(self, path: Path, must_exist: bool = False):
        if must_exist and not path.is_file():
            raise LedgerError(f"no ledger at {path}")
        try:
            self._db = sqlite3.connect(path, timeout=5, isolation_level=None)
            self._db.row_factory = sqlite3.Row
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0 and not must_exist:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.executescript(
                    f"BEGIN; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;"
                )
            elif version != _VERSION:
                raise LedgerError(f"{path}: made by something else")
        except sqlite3.Error as error:
            raise LedgerError(f"{path}: {error}") from error

    @property
    def topic(self) -> str | None:
        """The topic whose messages are taken, or None before the first confirmation."""
        row = self._one("SELECT arn FROM topic")
        return None if row is None else row["arn"]

    def pin_topic(self, arn: str) -> None:
        """Take this topic's messages from now on."""
        self._db.execute("INSERT OR REPLACE INTO topic VALUES (1, ?)", (arn,))

    def count(self, name: str) -> None:
        """Add one to a counter."""
        self._db.execute(
            "INSERT INTO counters VALUES (?, 1)"
            " ON CONFLICT (name) DO UPDATE SET number = number + 1",
            (name,),
        )

    def counters(self) -> dict[str, int]:
        """Return every counter."""
        known = {row["name"]: row["number"] for row in self.all("SELECT * FROM counters")}
        return {name: known.get(name, 0) for name in COUNTERS}

    def has(self, message_id: str) -> bool:
        """Say whether a message had come before."""
        return self._one("SELECT 1 FROM messages WHERE message_id = ?", message_id) is not None

    def first_time(self, message_id: str, outcome: str) -> bool:
        """Note a message and count its outcome; False, and a duplicate, if it had come before."""
        with self._transaction():
            return self._is_new(message_id, outcome)

    def accept(self, message_id: str, told: Notification) -> str:
        """Enter a notification; return the counter that says what became of it."""
        with self._transaction():
            if not self._is_new(message_id):
                return "duplicate"
            late = self._is_late(told)
            added = self._db.execute(
                "INSERT OR IGNORE INTO events (message_id, notification_id, kind, time_ms,"
                " client_id, serial, slot, order_id, delivery, subscribed)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (message_id, told.notification_id or None, told.kind, told.time_ms)
                + (told.client_id, told.serial, told.slot, told.order_id, told.delivery)
                + (json.dumps(told.subscribed),),
            ).rowcount
            if not added:
                self.count("repeated")
                return "repeated"
            self.count("accepted")
            if late:
                self.count("late")
            return "accepted"

    def place(self, order_id: str, serial: str, slot: str, time_ms: int) -> bool:
        """Enter what the device cloud told; False if it had told before (the first word holds)."""
        with self._transaction():
            added = self._db.execute(
                "INSERT OR IGNORE INTO placed VALUES (?, ?, ?, ?)",
                (order_id, serial, slot, time_ms),
            ).rowcount
            if added:
                self.count("placed")
            return bool(added)

    def all(self, sql: str, *values) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        return self._db.execute(sql, values).fetchall()

    def close(self) -> None:
        """Let the file go."""
        self._db.close()

    def _one(self, sql, *values):
        return self._db.execute(sql, values).fetchone()

    def _is_new(self, message_id, outcome=None):
        added = self._db.execute(
            "INSERT OR IGNORE INTO messages VALUES (?)", (message_id,)
        ).rowcount
        if not added:
            self.count("duplicate")
        elif outcome is not None:
            self.count(outcome)
        return bool(added)

    def _is_late(self, told):
        """Say whether something newer about the same order, or the same device, is known."""
        if told.order_id is not None:
            kinds, about, value = ORDER_KINDS, "order_id", told.order_id
        else:
            kinds, about, value = DEVICE_KINDS, "serial", told.serial
        marks = ", ".join("?" * len(kinds))
        query = f"SELECT 1 FROM events WHERE {about} = ? AND time_ms > ? AND kind IN ({marks})"
        return self._one(f"{query} LIMIT 1", value, told.time_ms, *kinds) is not None

    @contextmanager
    def _transaction(self):
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
