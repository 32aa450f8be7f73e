"""The notifications' payloads, version 1 and 2 (section 3.2 of the protocol page)."""

import hashlib
from typing import NamedTuple

from tools.drs_sim.clock import iso, iso_ms

_PAYLOAD_VERSION = "2015-06-05"  # of payloads v1 and v2 alike
_QUANTITY = {"quantity": 1.0, "unit": "count"}


class Facts(NamedTuple):
    """What the payload of a notification is made from; the fields are columns of the books."""

    time_ms: int
    serial: str
    order_id: str | None
    slot: str | None
    type: str
    id: str
    client_id: str
    model: str
    client_id_key: str
    version: str
    expected_ms: int | None


def envelope(facts: Facts, customer_id: str) -> dict:
    """Return the part that all six have in common."""
    return {
        "notificationInfo": {
            "notificationType": facts.type,
            facts.client_id_key: facts.client_id,
            "notificationTime": iso_ms(facts.time_ms),
            "notificationId": f"amzn1.dash.notification.v1.{facts.id}",
            "version": _PAYLOAD_VERSION,
        },
        "deviceInfo": {
            "deviceIdentifier": {"serialNumber": facts.serial},
            "productIdentifier": {"modelId": facts.model},
        },
        "customerInfo": {"directedCustomerId": customer_id},
    }


def subscription_info(slots, version: str) -> dict:
    """Return what `SubscriptionChanged` adds: every slot of the device."""
    status = {
        row["slot"]: bool(row["subscribed"])
        if version == "1"
        else {
            "subscribed": bool(row["subscribed"]),
            "productInfoList": [{**_QUANTITY, "asin": asin(row["slot"])}],
        }
        for row in slots
    }
    return {"subscriptionInfo": {"slotsSubscriptionStatus": status}}


def order_info(facts: Facts) -> dict:
    """Return what `OrderPlaced`, `ItemShipped` (with the product) or `OrderCancelled` adds."""
    info = {"instanceId": facts.order_id, "slotId": facts.slot}
    delivery = {"estimatedDeliveryDate": iso(facts.expected_ms)}
    with_product = facts.type != "OrderCancelledNotification"
    if with_product and facts.version == "1":
        info |= {"productInfo": [_QUANTITY], **delivery}
    elif with_product:
        info["productInfo"] = [{**_QUANTITY, "asin": asin(facts.slot), **delivery}]
    return {"orderInfo": info}


def asin(slot: str) -> str:
    """Return the product that the customer chose for a slot: made up, but always the same."""
    return "B0" + hashlib.sha256(slot.encode()).hexdigest()[:8].upper()
