"""The service itself: the operations of section 1 of the protocol page, and their routes."""

import json
from datetime import datetime

from starlette.applications import Starlette
from starlette.routing import Route

from tools.drs_sim import lwa
from tools.drs_sim.accounts import UnknownThing
from tools.drs_sim.books import asin
from tools.drs_sim.clock import iso_ms
from tools.drs_sim.operation import Answer, Call, Refused, operation
from tools.drs_sim.orders import status_of

_TYPE_VERSION = "x-amzn-type-version"
_ACCEPT_TYPE = "x-amzn-accept-type"
_TYPE_PREFIX = "com.amazon.dash.replenishment."
_INVALID_TOKEN = {
    "X-Amzn-ErrorType": (
        "InvalidTokenException:http://internal.amazon.com/coral/com.amazon.parkeraccioservice/"
    )
}
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def create_app(sim) -> Starlette:
    """Return the service: DRS and the token endpoint on one host."""

    def route(path, act, *methods):
        return Route(path, operation(sim, act), methods=methods)

    return Starlette(
        routes=[
            route("/replenish/{slot}", _drs("DrsReplenish", _replenish), "POST"),
            route("/getOrderInfo/{order_id}", _drs("DrsOrderInfo", _get_order_info), "GET"),
            route("/subscriptionInfo", _drs("DrsSubscriptionInfo", _subscription_info), "GET"),
            route("/slotStatus/{slot}", _drs("DrsSlotStatus", _slot_status), "POST"),
            route("/deviceStatus", _drs("DrsDeviceStatus", _device_status), "POST"),
            route("/auth/o2/token", lwa.token, "POST"),
            route("/auth/O2/token", lwa.token, "POST"),
            route("/{rest:path}", _unknown, *_METHODS),
        ]
    )


def _drs(name, act, version="1.0"):
    """Wrap `act(sim, call, device)`: token first, then the version headers, then the act."""
    given = f"{_TYPE_PREFIX}{name}Input@{version}"
    wanted = f"{_TYPE_PREFIX}{name}Result@{version}"

    def checked(sim, call: Call) -> Answer:
        device = sim.accounts.device_of_access_token(call.bearer(), call.now_ms)
        if device is None:
            raise Refused(400, {"message": "Invalid token"}, _INVALID_TOKEN)
        serial = device["serial"]
        for header, expected in ((_TYPE_VERSION, given), (_ACCEPT_TYPE, wanted)):
            if call.request.headers.get(header) != expected:
                raise _bad(serial, f"header {header} must be {expected}")
        answer = act(sim, call, device)
        answer.serial = serial
        answer.headers[_TYPE_VERSION] = wanted
        return answer

    return checked


def _replenish(sim, call, device):
    name = call.request.path_params["slot"]
    serial = device["serial"]
    slot = sim.accounts.slot(serial, name)
    if slot is None:
        raise _bad(serial, f"no such slot: {name}", status=404)
    if not slot["subscribed"]:
        # The angle brackets are on the wire.
        raise _bad(serial, f"Unable to place order - slot : <{name}> is unsubscribed.")
    detail_code, order_id = sim.orders.replenish(device, slot, call.now_ms)
    content = {"detailCode": detail_code, "eventInstanceId": order_id}
    return Answer(content=content, detail_code=detail_code)


def _get_order_info(sim, call, device):
    order_id = call.request.path_params["order_id"]
    try:
        order = sim.orders.find(order_id)
    except UnknownThing as unknown:
        raise _bad(device["serial"], str(unknown)) from unknown
    if order["serial"] != device["serial"]:
        raise _bad(device["serial"], f"no such order: {order_id}")
    item = {
        "asin": asin(order["slot"]),
        "expectedDeliveryDate": iso_ms(order["expected_ms"]),
        "quantity": 1,
        "slotId": order["slot"],
        "status": status_of(order),
    }
    return Answer(content={"orderInfoData": {"instanceId": order_id, "orderItems": [item]}})


def _subscription_info(sim, call, device):
    slots = sim.accounts.slots(device["serial"])
    status = {row["slot"]: bool(row["subscribed"]) for row in slots}
    return Answer(content={"slotsSubscriptionStatus": status})


def _slot_status(sim, call, device):
    serial, name = device["serial"], call.request.path_params["slot"]
    if sim.accounts.slot(serial, name) is None:
        raise _bad(serial, f"no such slot: {name}")
    dates = ("expectedReplenishmentDate", "lastUseDate")
    amounts = ("remainingQuantityInUnit", "originalQuantityInUnit", "totalQuantityOnHand")
    report = _report(call, serial, dates, amounts)
    sim.accounts.keep_slot_status(serial, name, json.dumps(report))
    return Answer()


def _device_status(sim, call, device):
    report = _report(call, device["serial"], ("mostRecentlyActiveDate",), ())
    sim.accounts.keep_device_status(device["serial"], json.dumps(report))
    return Answer()


def _unknown(sim, call):
    request = call.request
    raise Refused(404, {"message": f"no such operation: {request.method} {request.url.path}"})


def _report(call, serial, dates, amounts):
    """Return a status report; fields that nobody documented are let through."""
    try:
        report = json.loads(call.body)
    except (ValueError, RecursionError) as error:
        raise _bad(serial, "the request body is not JSON") from error
    if not isinstance(report, dict):
        raise _bad(serial, "the request body must be a JSON object")
    for name in dates:
        if name in report and not _is_date(report[name]):
            raise _bad(serial, f"{name} must be an ISO 8601 date")
    for name in amounts:
        # Documented as integers, yet Amazon's own sample sends 3.5.
        if name in report and type(report[name]) not in (int, float):
            raise _bad(serial, f"{name} must be a number")
    return report


def _is_date(value):
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True


def _bad(serial, message, status=400):
    return Refused(status, {"message": message}, serial=serial)
