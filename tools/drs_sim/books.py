"""What the world saw: notifications to the maker, e-mails to the customer, requests."""

import json
import secrets
import string

from tools.drs_sim.payloads import envelope, order_info, subscription_info


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
        self._notify(kind, device, at_ms, {})

    def notify_subscription(self, device, slots, at_ms: int) -> None:
        """`SubscriptionChanged`, with every slot of the device."""
        info = subscription_info(slots, self._options["payload_version"])
        slot = slots[0]["slot"] if len(slots) == 1 else None
        self._notify("SubscriptionChanged", device, at_ms, info, slot=slot)

    def notify_order(self, kind: str, device, order, at_ms: int) -> None:
        """`OrderPlaced`, `ItemShipped` (with the product) or `OrderCancelled` (without)."""
        with_product = kind != "OrderCancelled"
        info = order_info(order, with_product, self._options["payload_version"])
        self._notify(kind, device, at_ms, info, order_id=order["id"], slot=order["slot"])

    def mail(self, order, at_ms: int, kind: str, subject: str, text: str) -> None:
        """Put an e-mail about an order into the customer's inbox."""
        self._store.run(
            "INSERT INTO emails (time_ms, kind, serial, order_id, subject, text)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            *(at_ms, kind, order["serial"], order["id"], subject, text),
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

    def _notify(self, kind, device, at_ms, extra, order_id=None, slot=None):
        payload = envelope(kind, device, self._customer_id, at_ms, self._options) | extra
        text = json.dumps(payload)
        self._store.run(
            "INSERT INTO notifications (time_ms, type, serial, order_id, slot, payload)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            *(at_ms, f"{kind}Notification", device["serial"], order_id, slot, text),
        )
        self._topic.publish(text, at_ms)
