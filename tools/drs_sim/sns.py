"""The maker's SNS topic: who subscribes, and what waits to be delivered (section 3.3).

Everything is in the state file. A subscriber gets what is published after it confirmed.
"""

import asyncio
import random
import secrets
import uuid
from collections.abc import Callable
from urllib.parse import urlsplit

from tools.drs_sim.accounts import UnknownThing
from tools.drs_sim.inputs import BadInput
from tools.drs_sim.sns_message import TOPIC_ARN, Press, confirmation_text, subscription_arn

RETRIES = 3
RETRY_MS = 20_000
_HELD_MS = 30_000  # a message held back, where the order is not kept
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
PENDING, CONFIRMED, UNSUBSCRIBED = "pending", "confirmed", "unsubscribed"


class Topic:
    """Subscriptions and the queue of deliveries; the caller holds the transaction."""

    def __init__(self, store, options):
        self._store = store
        self._options = options
        self.queued = asyncio.Event()  # something new waits
        self.press = Press(options)

    def subscribe(self, endpoint: str, now_ms: int):
        """Ask an endpoint for its confirmation; return its row. Raises BadInput."""
        _require_loopback(endpoint)
        row = self._store.one("SELECT * FROM subscribers WHERE endpoint = ?", endpoint)
        if row is None:
            subscriber_id = str(uuid.uuid4())
            self._store.run(
                "INSERT INTO subscribers VALUES (?, ?, ?, ?, ?)",
                *(subscriber_id, endpoint, secrets.token_hex(100), PENDING, now_ms),
            )
            row = self.find(subscriber_id)
        if row["status"] != CONFIRMED:
            self._ask(row, "SubscriptionConfirmation", now_ms)
        return row

    def confirm(self, token: str):
        """The endpoint visited its SubscribeURL; return its row, or None."""
        self._store.run("UPDATE subscribers SET status = ? WHERE token = ?", CONFIRMED, token)
        return self._store.one("SELECT * FROM subscribers WHERE token = ?", token)

    def unsubscribe(self, subscriber_id: str, now_ms: int) -> None:
        """Deliver nothing more, except word of that. Raises UnknownThing."""
        row = self.find(subscriber_id)
        self._store.run("UPDATE deliveries SET due_ms = NULL WHERE subscriber = ?", row["id"])
        if row["status"] == CONFIRMED:
            self._store.run(
                "UPDATE subscribers SET status = ? WHERE id = ?", UNSUBSCRIBED, row["id"]
            )
            self._ask(row, "UnsubscribeConfirmation", now_ms)
        else:
            self._store.run("DELETE FROM subscribers WHERE id = ?", row["id"])

    def find(self, subscriber_id: str):
        """Return a subscriber's row. Raises UnknownThing."""
        row = self._store.one("SELECT * FROM subscribers WHERE id = ?", subscriber_id)
        if row is None:
            raise UnknownThing(f"no such subscriber: {subscriber_id}")
        return row

    def subscribers(self) -> list:
        """Return every subscriber's row, the oldest first."""
        return self._store.all("SELECT * FROM subscribers ORDER BY created_ms, id")

    def publish(self, write: Callable[[], str], at_ms: int) -> None:
        """Queue a notification for everyone who confirmed; nobody there, it is not written."""
        rows = self._store.all("SELECT * FROM subscribers WHERE status = ?", CONFIRMED)
        text = write() if rows else ""
        for row in rows:
            message_id = str(uuid.uuid4())
            twice = random.randrange(100) < self._options["sns_duplicate_percent"]
            for _ in range(1 + twice):
                self._queue(row, "Notification", text, message_id, at_ms, at_ms + self._held_ms())

    def waiting(self, now_ms: int) -> list[str]:
        """Return the ids of subscribers that something is due for."""
        rows = self._store.all(
            "SELECT DISTINCT subscriber FROM deliveries WHERE due_ms <= ?", now_ms
        )
        return [row["subscriber"] for row in rows]

    def next_delivery(self, subscriber_id: str, now_ms: int):
        """Return the delivery whose turn it is, or None."""
        query = "SELECT * FROM deliveries WHERE subscriber = ? AND due_ms <= ?"
        due = self._store.one(f"{query} ORDER BY due_ms, seq LIMIT 1", subscriber_id, now_ms)
        if due is not None and self._options["sns_order"] == "reversed":
            # Whatever else is held back goes first, the newest ahead.
            held_ms = now_ms + _HELD_MS
            query += " AND attempts = 0 ORDER BY seq DESC LIMIT 1"
            return self._store.one(query, subscriber_id, held_ms) or due
        return due

    def settle(self, delivery, status: str, accepted: bool, now_ms: int) -> None:
        """Note how a delivery went: it is over, or due again a little later."""
        attempts = delivery["attempts"] + 1
        again_ms = None if accepted or attempts > RETRIES else now_ms + RETRY_MS
        self._store.run(
            "UPDATE deliveries SET attempts = ?, status = ?,"
            " due_ms = CASE WHEN due_ms IS NULL THEN NULL ELSE ? END WHERE seq = ?",
            *(attempts, status, again_ms, delivery["seq"]),
        )

    def message(self, delivery) -> dict:
        """Return the signed message of a delivery; each attempt gives the same."""
        return self.press.message(delivery, self.find(delivery["subscriber"]))

    def view(self, row) -> dict:
        """Return a subscriber as the control API shows it."""
        counts = self._store.one(
            "SELECT count(*) AS messages, count(due_ms) AS waiting, sum(attempts) AS attempts"
            " FROM deliveries WHERE subscriber = ?",
            row["id"],
        )
        return {
            "id": row["id"],
            "endpoint": row["endpoint"],
            "status": row["status"],
            "subscription_arn": subscription_arn(row["id"]),
            "topic_arn": TOPIC_ARN,
            "messages": counts["messages"],
            "waiting": counts["waiting"],
            "attempts": counts["attempts"] or 0,
        }

    def _ask(self, row, kind, now_ms):
        text = confirmation_text(kind, row["id"])
        self._queue(row, kind, text, str(uuid.uuid4()), now_ms, now_ms)

    def _queue(self, row, kind, text, message_id, at_ms, due_ms):
        self._store.run(
            "INSERT INTO deliveries"
            " (message_id, subscriber, endpoint, type, message, version, time_ms, due_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            *(message_id, row["id"], row["endpoint"], kind, text),
            *(self._options["payload_version"], at_ms, due_ms),
        )
        self.queued.set()

    def _held_ms(self):
        order = self._options["sns_order"]
        return {"published": 0, "reversed": _HELD_MS, "shuffled": random.randrange(_HELD_MS)}[
            order
        ]


def _require_loopback(endpoint):
    try:
        parts = urlsplit(endpoint)
        good = parts.scheme == "http" and parts.hostname in _LOOPBACK and parts.port != 0
    except ValueError:
        good = False
    if not good or not endpoint.isascii() or not endpoint.isprintable() or " " in endpoint:
        raise BadInput("endpoint: must be http:// on 127.0.0.1, [::1] or localhost")
