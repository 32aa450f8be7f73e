"""The books on disk: one SQLite file, written through, that survives a kill at any moment."""

import json
import os
import sqlite3

_FIRST = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE clock (
    id INTEGER PRIMARY KEY CHECK (id = 1), now_ms INTEGER NOT NULL, speed REAL NOT NULL,
    paused INTEGER NOT NULL, version INTEGER NOT NULL
);
CREATE TABLE clients (
    client_id TEXT PRIMARY KEY, model TEXT NOT NULL UNIQUE, secret TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE devices (
    serial TEXT PRIMARY KEY, model TEXT NOT NULL, client_id TEXT NOT NULL, test INTEGER NOT NULL,
    refresh_hash BLOB UNIQUE, registered_ms INTEGER NOT NULL, revoked_ms INTEGER, status TEXT
);
CREATE TABLE slots (
    serial TEXT NOT NULL, slot TEXT NOT NULL, subscribed INTEGER NOT NULL, next_problem TEXT,
    status TEXT, PRIMARY KEY (serial, slot)
);
CREATE TABLE access_tokens (
    hash BLOB PRIMARY KEY, serial TEXT NOT NULL, expires_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX access_tokens_serial ON access_tokens (serial, expires_ms);
CREATE TABLE orders (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, serial TEXT NOT NULL, slot TEXT NOT NULL,
    detail_code TEXT NOT NULL, test INTEGER NOT NULL, phase TEXT NOT NULL, problem TEXT,
    placed_ms INTEGER NOT NULL, confirmed_ms INTEGER, resolve_by_ms INTEGER,
    cancel_by_ms INTEGER, shipped_ms INTEGER, delivered_ms INTEGER, cancelled_ms INTEGER,
    expected_ms INTEGER, due_ms INTEGER, outcome TEXT
);
CREATE UNIQUE INDEX orders_open ON orders (serial, slot) WHERE outcome IS NULL;
CREATE INDEX orders_due ON orders (due_ms) WHERE due_ms IS NOT NULL;
CREATE TABLE notifications (
    seq INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, type TEXT NOT NULL, serial TEXT NOT NULL,
    order_id TEXT, slot TEXT, payload TEXT NOT NULL
);
CREATE TABLE emails (
    seq INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, kind TEXT NOT NULL, serial TEXT NOT NULL,
    order_id TEXT, subject TEXT NOT NULL, text TEXT NOT NULL
);
CREATE TABLE requests (
    seq INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
    status INTEGER, serial TEXT, detail_code TEXT, fault TEXT
);
"""
_SECOND = """
ALTER TABLE clients ADD COLUMN slots TEXT NOT NULL DEFAULT '[]';
ALTER TABLE devices ADD COLUMN public INTEGER NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN old_refresh_hash BLOB;
ALTER TABLE devices ADD COLUMN epoch TEXT;
DROP TABLE access_tokens;
CREATE INDEX devices_old_refresh ON devices (old_refresh_hash)
    WHERE old_refresh_hash IS NOT NULL;
CREATE TABLE codes (
    hash BLOB PRIMARY KEY, client_id TEXT NOT NULL, serial TEXT NOT NULL,
    redirect_uri TEXT NOT NULL, challenge TEXT, method TEXT, expires_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX codes_serial ON codes (serial);
CREATE TABLE subscribers (
    id TEXT PRIMARY KEY, endpoint TEXT NOT NULL UNIQUE, token TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL, created_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE deliveries (
    seq INTEGER PRIMARY KEY, message_id TEXT NOT NULL, subscriber TEXT NOT NULL,
    endpoint TEXT NOT NULL, type TEXT NOT NULL, message TEXT NOT NULL, version TEXT NOT NULL,
    time_ms INTEGER NOT NULL, due_ms INTEGER, attempts INTEGER NOT NULL DEFAULT 0, status TEXT
);
CREATE INDEX deliveries_due ON deliveries (due_ms) WHERE due_ms IS NOT NULL;
"""
# What was told of one event is one row: the maker's notification, the customer's e-mail, or both.
# An order's notification has no payload on file: `payloads` makes it from the columns after that.
_THIRD = """
CREATE TABLE told (
    seq INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, serial TEXT NOT NULL, order_id TEXT,
    kind TEXT, subject TEXT, text TEXT,
    slot TEXT, type TEXT, payload TEXT, id TEXT, client_id TEXT, model TEXT,
    client_id_key TEXT, version TEXT, expected_ms INTEGER
);
INSERT INTO told (time_ms, serial, order_id, kind, subject, text, slot, type, payload)
    SELECT time_ms, serial, order_id, kind, subject, text, slot, type, payload FROM (
        SELECT *, NULL AS kind, NULL AS subject, NULL AS text FROM notifications
        UNION ALL
        SELECT seq, time_ms, NULL, serial, order_id, NULL, NULL, kind, subject, text FROM emails
    ) ORDER BY time_ms, seq;
DROP TABLE notifications;
DROP TABLE emails;
CREATE VIEW notifications AS SELECT * FROM told WHERE type NOT NULL;
CREATE VIEW emails AS SELECT * FROM told WHERE kind NOT NULL;
"""
# What each version added. A state file of an older one is brought up to date.
STEPS = (_FIRST, _SECOND, _THIRD)


class StoreError(Exception):
    """The state file cannot be used; the message is one line for a person."""


class Store:
    """One connection, explicit transactions, rows by name."""

    def __init__(self, path: str):
        self.path = path
        if os.path.exists(path) and not os.path.isfile(path):
            raise StoreError(f"state file {path}: not a file")
        try:
            self._db = sqlite3.connect(
                path, timeout=0.5, isolation_level=None, cached_statements=256
            )
            self._db.row_factory = sqlite3.Row
            # Exclusive: a second simulator on the same file is refused, not interleaved.
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            # The system keeps what a killed process wrote; only a power cut of the host would not.
            self._db.execute("PRAGMA synchronous = OFF")
            self._db.execute("PRAGMA wal_autocheckpoint = 8000")
            self._create()
        except sqlite3.Error as error:
            why = str(error).replace("database is locked", "in use by another simulator")
            raise StoreError(f"state file {path}: {why}") from error

    def _create(self):
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        used = self._db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
        if version > len(STEPS) or (used and not version):
            raise StoreError(f"state file {self.path}: made by something else")
        for number, step in enumerate(STEPS[version:], version + 1):
            self._db.executescript(f"BEGIN; {step} PRAGMA user_version = {number}; COMMIT;")

    def transaction(self) -> "_Transaction":
        """Everything inside reaches the disk, or nothing does."""
        return _Transaction(self._db)

    def run(self, sql: str, *values) -> int:
        """Execute one statement; return the row id of an insert."""
        return self._db.execute(sql, values).lastrowid

    def run_many(self, sql: str, rows) -> None:
        """Execute one statement for every row of values."""
        self._db.executemany(sql, rows)

    def one(self, sql: str, *values) -> sqlite3.Row | None:
        """Return the first row of a query, or None."""
        return self._db.execute(sql, values).fetchone()

    def all(self, sql: str, *values) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        return self._db.execute(sql, values).fetchall()

    def get_meta(self, key: str, default=None):
        """Return a value kept under a name."""
        row = self.one("SELECT value FROM meta WHERE key = ?", key)
        return default if row is None else json.loads(row["value"])

    def set_meta(self, key: str, value) -> None:
        """Keep a JSON value under a name."""
        self.run("INSERT OR REPLACE INTO meta VALUES (?, ?)", key, json.dumps(value))

    def close(self) -> None:
        """Fold the log into the file and let it go."""
        self._db.close()


class _Transaction:
    """A context; written out, since one stands round every call."""

    def __init__(self, db):
        self._db = db

    def __enter__(self):
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind, error, trace):
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")
