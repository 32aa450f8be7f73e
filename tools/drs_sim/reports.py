"""SlotStatus and DeviceStatus (sections 1.4 and 1.5): reports, kept and never acted on."""

import json
import re
from datetime import datetime

from tools.drs_sim.drs import bad
from tools.drs_sim.operation import Answer

_SLOT_DATES = ("expectedReplenishmentDate", "lastUseDate")
_AMOUNTS = ("remainingQuantityInUnit", "originalQuantityInUnit", "totalQuantityOnHand")
_STRICT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)  # as the documents print them
_SHORT = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII
)  # 2015-06-7, as Amazon's app sends it


def slot_status(sim, call, device):
    """`POST /slotStatus/{slotId}`."""
    serial, name = device["serial"], call.path_params["slot"]
    if sim.accounts.slot(serial, name) is None:
        raise bad(serial, f"no such slot: {name}")
    report = _report(sim, call, serial, _SLOT_DATES, _AMOUNTS)
    sim.accounts.keep_slot_status(serial, name, json.dumps(report))
    return Answer()


def device_status(sim, call, device):
    """`POST /deviceStatus`; two clients put an id behind it."""
    serial = device["serial"]
    if call.path_params and sim.options["device_status_path"] == "plain":
        raise bad(serial, f"no such operation: POST {call.request.url.path}", 404)
    report = _report(sim, call, serial, ("mostRecentlyActiveDate",), ())
    sim.accounts.keep_device_status(serial, json.dumps(report))
    return Answer()


def _report(sim, call, serial, dates, amounts):
    """Return a status report; fields that nobody documented are let through."""
    try:
        report = json.loads(call.body)
    except (ValueError, RecursionError) as error:
        raise bad(serial, "the request body is not JSON") from error
    if not isinstance(report, dict):
        raise bad(serial, "the request body must be a JSON object")
    for name in dates:
        if name in report and not _is_date(report[name], sim.options["dates"]):
            raise bad(serial, f"{name} must be an ISO 8601 date")
    # Documented as integers, yet Amazon's own sample sends 3.5.
    kinds = (int,) if sim.options["numbers"] == "integers" else (int, float)
    for name in amounts:
        if name in report and type(report[name]) not in kinds:
            kind = "an integer" if kinds == (int,) else "a number"
            raise bad(serial, f"{name} must be {kind}")
    return report


def _is_date(value, strictness):
    if not isinstance(value, str):
        return False
    if strictness == "any":
        return True
    if strictness == "strict" and not _STRICT.fullmatch(value):
        return False
    short = _SHORT.fullmatch(value)
    try:
        datetime(*map(int, short.groups())) if short else datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
