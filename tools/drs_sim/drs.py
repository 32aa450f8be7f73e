"""The operations of section 1 of the protocol page."""

from tools.drs_sim.accounts import UnknownThing
from tools.drs_sim.clock import iso_ms
from tools.drs_sim.operation import Answer, Call, Refused
from tools.drs_sim.order_words import status_of
from tools.drs_sim.payloads import asin

_TYPE_VERSION = "x-amzn-type-version"
_ACCEPT_TYPE = "x-amzn-accept-type"
_TYPE_PREFIX = "com.amazon.dash.replenishment."
_INVALID_TOKEN = {
    "X-Amzn-ErrorType": (
        "InvalidTokenException:http://internal.amazon.com/coral/com.amazon.parkeraccioservice/"
    )
}


def drs(name: str, act, version: str = "1.0", results: tuple = ("1.0",)):
    """Wrap `act(sim, call, device)`: token first, then the version headers, then the act.

    `results` are the versions that may be asked for; the first is the one where none is.
    """
    given = f"{_TYPE_PREFIX}{name}Input@{version}"
    wanted = [f"{_TYPE_PREFIX}{name}Result@{result}" for result in results]

    def checked(sim, call: Call) -> Answer:
        device = sim.accounts.device_of_access_token(call.bearer(), call.now_ms)
        if device is None:
            raise Refused(400, {"message": "Invalid token"}, dict(_INVALID_TOKEN))
        strictness = sim.options["version_headers"]
        if strictness != "ignored":
            lenient = strictness == "given"
            _require(device, call, _TYPE_VERSION, [given], lenient)
            _require(device, call, _ACCEPT_TYPE, wanted, lenient)
        asked = call.header(_ACCEPT_TYPE)
        call.result = asked if asked in wanted else wanted[0]
        answer = act(sim, call, device)
        answer.serial = device["serial"]
        answer.headers[_TYPE_VERSION] = call.result
        return answer

    return checked


def _require(device, call, name, expected, lenient):
    value = call.header(name)
    if value not in expected and not (lenient and value is None):
        raise bad(device["serial"], f"header {name} must be {' or '.join(expected)}")


def replenish(sim, call, device):
    """`POST /replenish/{slotId}`."""
    name = call.path_params["slot"]
    serial = device["serial"]
    slot = sim.accounts.slot(serial, name)
    if slot is None:
        raise bad(serial, f"no such slot: {name}", status=404)
    if not slot["subscribed"]:
        # The angle brackets are on the wire.
        text = f"Unable to place order - slot : <{name}> is unsubscribed."
        raise bad(serial, text, sim.options["unsubscribed_status"])
    detail_code, order_id = sim.orders.replenish(device, slot, call.now_ms)
    content = {"detailCode": detail_code}
    if order_id is not None:
        content["eventInstanceId"] = order_id
    reason = "Accepted" if sim.options["status_line"] == "accepted" else None
    return Answer(content=content, detail_code=detail_code, reason=reason)


def get_order_info(sim, call, device):
    """`GET /getOrderInfo/{eventInstanceId}`."""
    order_id = call.path_params["order_id"]
    try:
        order = sim.orders.find(order_id)
    except UnknownThing as unknown:
        raise bad(device["serial"], str(unknown)) from unknown
    if order["serial"] != device["serial"]:
        raise bad(device["serial"], f"no such order: {order_id}")
    item = {
        "asin": asin(order["slot"]),
        "expectedDeliveryDate": iso_ms(sim.orders.expected_ms(order)),
        "quantity": 1,
        "slotId": order["slot"],
        "status": status_of(order, sim.options["status_vocabulary"]),
    }
    return Answer(content={"orderInfoData": {"instanceId": order_id, "orderItems": [item]}})


def subscription_info(sim, call, device):
    """`GET /subscriptionInfo`, version 1 or 2."""
    rows = sim.accounts.slots(device["serial"])
    if call.result.endswith("@1.0"):
        status = {row["slot"]: bool(row["subscribed"]) for row in rows}
        return Answer(content={"slotsSubscriptionStatus": status})
    status = {
        row["slot"]: {
            "subscribed": bool(row["subscribed"]),
            "productInfoList": [{"asin": asin(row["slot"]), "quantity": 1, "unit": "count"}],
        }
        for row in rows
    }
    return Answer(content={"slotsSubscriptionStatus": status})


def cancel_test_orders(sim, call, device):
    """`DELETE /testOrders[/slots/{slotId}]`."""
    serial, name = device["serial"], call.path_params.get("slot")
    slots = [row["slot"] for row in sim.accounts.slots(serial) if name in (None, row["slot"])]
    if not slots and name is not None:
        raise bad(serial, f"no such slot: {name}")
    if device["test"]:
        for slot in slots:
            sim.orders.cancel_test(serial, slot, call.now_ms)
    elif sim.options["cancel_test_on_real"] == "refused":
        raise bad(serial, "the device is not registered as a test device")
    statuses = [{"orderStatus": "NO_ORDER_IN_PROGRESS", "slotId": slot} for slot in slots]
    return Answer(content={"slotOrderStatuses": statuses})


def deregister(sim, call, device):
    """`DELETE /registration`, or version 1 with model and serial number in the path."""
    given = call.path_params
    serial = device["serial"]
    if given and (given["model"], given["serial"]) != (device["model"], serial):
        raise bad(serial, "the device is not the token's")
    sim.deregister(serial, call.now_ms)
    return Answer()


def bad(serial: str, message: str, status: int = 400) -> Refused:
    """Return an error of the service."""
    return Refused(status, {"message": message}, serial=serial)
