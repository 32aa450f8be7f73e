"""What the world saw: notifications to the maker, e-mails to the customer, requests."""

import json
import secrets
import string

from tools.drs_sim.ids import random_uuid
from tools.drs_sim.letters import Letter
from tools.drs_sim.payloads import Facts, envelope, order_info, subscription_info

_TOLD = ("payload", *Facts._fields, *Letter._fields)
_TELL = f"INSERT INTO told ({', '.join(_TOLD)}) VALUES ({', '.join('?' * len(_TOLD))})"
_NO_LETTER = (None,) * len(Letter._fields)


class Books:
    """Writes the three ledgers; the caller holds the transaction."""

    def __init__(self, store, options, topic):
        self._store = store
        self._options = options
        self._topic = topic
        self._customer_id = store.get_meta("customer_id")
        if self._customer_id is None:
            letters = string.ascii_uppercase + string.digits
            name = "".join(secrets.choice(letters) for _ in range(28))
            self._customer_id = f"amzn1.account.{name}"
            store.set_meta("customer_id", self._customer_id)

    def notify_device(self, kind: str, device, at_ms: int) -> None:
        """`DeviceRegistered` or `DeviceDeregistered`."""
        self._notify(self._facts(kind, device, at_ms), {})

    def notify_subscription(self, device, slots, at_ms: int) -> None:
        """`SubscriptionChanged`, with every slot of the device."""
        info = subscription_info(slots, self._options["payload_version"])
        slot = slots[0]["slot"] if len(slots) == 1 else None
        self._notify(self._facts("SubscriptionChanged", device, at_ms, slot=slot), info)

    def tell_order(self, kind: str, device, order, at_ms: int, letter: Letter | None) -> None:
        """`OrderPlaced`, `ItemShipped` or `OrderCancelled` to the maker, a letter to the customer.

        The payload waits to be read.
        """
        facts = self._facts(kind, device, at_ms, order["id"], order["slot"], order["expected_ms"])
        self._store.run(_TELL, None, *facts, *(letter or _NO_LETTER))
        self._topic.publish(lambda: json.dumps(self._order_payload(facts)), at_ms)

    def payload(self, row) -> dict:
        """Return the payload of a notification's row."""
        if row["payload"] is not None:
            return json.loads(row["payload"])
        return self._order_payload(Facts(*(row[name] for name in Facts._fields)))

    def mail(self, order, at_ms: int, letter: Letter) -> None:
        """Put an e-mail into the customer's inbox that the maker hears nothing of."""
        self._store.run(
            "INSERT INTO told (time_ms, serial, order_id, kind, subject, text)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            *(at_ms, order["serial"], order["id"], *letter),
        )

    def request(self, at_ms, method, path, status, serial, detail_code, fault) -> int:
        """Book one request; `status` is None while, or if, no whole answer was sent."""
        return self._store.run(
            "INSERT INTO requests (time_ms, method, path, status, serial, detail_code, fault)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            *(at_ms, method, path, status, serial, detail_code, fault),
        )

    def answered(self, seq: int, status: int) -> None:
        """Complete a request whose answer took its time."""
        self._store.run("UPDATE requests SET status = ? WHERE seq = ?", status, seq)

    def _facts(self, kind, device, at_ms, order_id=None, slot=None, expected_ms=None):
        return Facts(
            at_ms,
            device["serial"],
            order_id,
            slot,
            f"{kind}Notification",
            random_uuid(),
            device["client_id"],
            device["model"],
            self._options["client_id_key"],
            self._options["payload_version"],
            expected_ms,
        )

    def _order_payload(self, facts):
        return envelope(facts, self._customer_id) | order_info(facts)

    def _notify(self, facts, extra):
        text = json.dumps(envelope(facts, self._customer_id) | extra)
        self._store.run(_TELL, text, *facts, *_NO_LETTER)
        self._topic.publish(lambda: text, facts.time_ms)
