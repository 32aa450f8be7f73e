"""What the world saw: notifications to the maker, e-mails to the customer, requests."""

import hashlib
import json
import secrets
import string
import uuid

from tools.drs_sim.clock import iso, iso_ms

_PAYLOAD_VERSION = "2015-06-05"  # of payloads v1 and v2 alike


class Books:
    """Writes the three ledgers; the caller holds the transaction."""

    def __init__(self, store):
        self._store = store
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
        """`SubscriptionChanged`, with every slot of the device (payload v2)."""
        status = {
            row["slot"]: {
                "subscribed": bool(row["subscribed"]),
                "productInfoList": [{"quantity": 1.0, "unit": "count", "asin": asin(row["slot"])}],
            }
            for row in slots
        }
        info = {"subscriptionInfo": {"slotsSubscriptionStatus": status}}
        slot = slots[0]["slot"] if len(slots) == 1 else None
        self._notify("SubscriptionChanged", device, at_ms, info, slot=slot)

    def notify_order(self, kind: str, device, order, at_ms: int) -> None:
        """`OrderPlaced`, `ItemShipped` (with the product) or `OrderCancelled` (without)."""
        info = {"instanceId": order["id"], "slotId": order["slot"]}
        if kind != "OrderCancelled":
            product = {"quantity": 1.0, "unit": "count", "asin": asin(order["slot"])}
            product["estimatedDeliveryDate"] = iso(order["expected_ms"])
            info["productInfo"] = [product]
        self._notify(
            kind, device, at_ms, {"orderInfo": info}, order_id=order["id"], slot=order["slot"]
        )

    def mail(self, kind: str, order, at_ms: int, subject: str, text: str) -> None:
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
        kind += "Notification"
        payload = {
            "notificationInfo": {
                "notificationType": kind,
                "lwaClientId": device["client_id"],
                "notificationTime": iso_ms(at_ms),
                "notificationId": f"amzn1.dash.notification.v1.{uuid.uuid4()}",
                "version": _PAYLOAD_VERSION,
            },
            "deviceInfo": {
                "deviceIdentifier": {"serialNumber": device["serial"]},
                "productIdentifier": {"modelId": device["model"]},
            },
            "customerInfo": {"directedCustomerId": self._customer_id},
            **extra,
        }
        self._store.run(
            "INSERT INTO notifications (time_ms, type, serial, order_id, slot, payload)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            *(at_ms, kind, device["serial"], order_id, slot, json.dumps(payload)),
        )


def asin(slot: str) -> str:
    """Return the product that the customer chose for a slot: made up, but always the same."""
    return "B0" + hashlib.sha256(slot.encode()).hexdigest()[:8].upper()
