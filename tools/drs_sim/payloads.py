"""The notifications' payloads, version 1 and 2 (section 3.2 of the protocol page)."""

import hashlib

from tools.drs_sim.clock import iso, iso_ms
from tools.drs_sim.ids import random_uuid

_PAYLOAD_VERSION = "2015-06-05"  # of payloads v1 and v2 alike
_QUANTITY = {"quantity": 1.0, "unit": "count"}


def envelope(kind: str, device, customer_id: str, at_ms: int, options) -> dict:
    """Return the part that all six have in common."""
    return {
        "notificationInfo": {
            "notificationType": f"{kind}Notification",
            options["client_id_key"]: device["client_id"],
            "notificationTime": iso_ms(at_ms),
            "notificationId": f"amzn1.dash.notification.v1.{random_uuid()}",
            "version": _PAYLOAD_VERSION,
        },
        "deviceInfo": {
            "deviceIdentifier": {"serialNumber": device["serial"]},
            "productIdentifier": {"modelId": device["model"]},
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


def order_info(order, with_product: bool, version: str) -> dict:
    """Return what the notifications of an order add."""
    info = {"instanceId": order["id"], "slotId": order["slot"]}
    delivery = {"estimatedDeliveryDate": iso(order["expected_ms"])}
    if with_product and version == "1":
        info |= {"productInfo": [_QUANTITY], **delivery}
    elif with_product:
        info["productInfo"] = [{**_QUANTITY, "asin": asin(order["slot"]), **delivery}]
    return {"orderInfo": info}


def asin(slot: str) -> str:
    """Return the product that the customer chose for a slot: made up, but always the same."""
    return "B0" + hashlib.sha256(slot.encode()).hexdigest()[:8].upper()
