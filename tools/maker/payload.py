"""What a notification says (section 3.2). Fields that are not known are let through."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

ORDER_KINDS = ("OrderPlaced", "OrderCancelled", "ItemShipped")
DEVICE_KINDS = ("DeviceRegistered", "DeviceDeregistered", "SubscriptionChanged")


class Unknown(Exception):
    """A message of the right topic that says nothing the ledger knows."""


@dataclass(frozen=True)
class Notification:
    """One notification; what it does not carry is None."""

    kind: str
    notification_id: str
    time_ms: int
    client_id: str | None
    serial: str | None
    slot: str | None
    order_id: str | None
    delivery: str | None
    subscribed: dict


def parse(message: str) -> Notification:
    """Return the notification in an envelope's Message. Raises Unknown."""
    try:
        payload = json.loads(message)
    except (ValueError, RecursionError) as error:
        raise Unknown("the Message is not JSON") from error
    info = _part(payload, "notificationInfo")
    kind = (_text(info, "notificationType") or "").removesuffix("Notification")
    if kind not in (*ORDER_KINDS, *DEVICE_KINDS):
        raise Unknown("notificationType")
    order = _part(payload, "orderInfo")
    order_id = _text(order, "instanceId")
    serial = _text(_part(_part(payload, "deviceInfo"), "deviceIdentifier"), "serialNumber")
    if kind in ORDER_KINDS and order_id is None:
        raise Unknown(f"{kind} without instanceId")
    if kind in DEVICE_KINDS and serial is None:
        raise Unknown(f"{kind} without serialNumber")
    return Notification(
        kind,
        _text(info, "notificationId") or "",
        time_ms(info.get("notificationTime")),
        _text(info, "lwaClientId") or _text(info, "LWAClientId"),  # as a generation spelled it
        serial,
        _text(order, "slotId"),
        order_id,
        _delivery(order),
        _subscribed(payload),
    )


def time_ms(value) -> int:
    """Return Unix milliseconds of an ISO 8601 time. Raises Unknown."""
    try:
        moment = datetime.fromisoformat(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000)
    except (TypeError, ValueError, OverflowError) as error:
        raise Unknown("notificationTime") from error


def _part(value, name):
    part = value.get(name) if isinstance(value, dict) else None
    return part if isinstance(part, dict) else {}


def _text(part, name):
    value = part.get(name)
    return value if isinstance(value, str) and value else None


def _delivery(order):
    """Return the expected delivery: beside the product in payload v1, within it in v2."""
    products = order.get("productInfo")
    first = products[0] if isinstance(products, list) and products else {}
    within = _text(first, "estimatedDeliveryDate") if isinstance(first, dict) else None
    return within or _text(order, "estimatedDeliveryDate")


def _subscribed(payload):
    """Return slot to true or false; payload v1 has just that, v2 an object with it."""
    status = _part(_part(payload, "subscriptionInfo"), "slotsSubscriptionStatus")
    flags = {
        slot: value.get("subscribed") if isinstance(value, dict) else value
        for slot, value in status.items()
    }
    return {slot: flag for slot, flag in flags.items() if isinstance(flag, bool)}
