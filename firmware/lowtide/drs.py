"""The Dash Replenishment Service and Login with Amazon, as Amazon documented them to 2018."""

import binascii
import json
import struct

from micropython import const

from lowtide import dates
from lowtide.outcome import Fault, Refused, Rejected, Revoked

_PREFIX = "com.amazon.dash.replenishment.Drs"
_FORM = "application/x-www-form-urlencoded"
_SAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_MARGIN_S = const(60)
_MAX_TOKEN = const(2048)


def quote(text):
    """Return `text` percent-encoded for a path segment or a form field."""
    # Not "".join(): for a token of 2 KB that would build a list of 16 KB first.
    out = bytearray()
    for b in text.encode():
        out.extend(
            bytes((b,)) if chr(b) in _SAFE else b"%" + binascii.hexlify(bytes((b,))).upper()
        )
    return out.decode()


def _json(body):
    # -> a dict, always: an answer that is anything else says nothing.
    try:
        found = json.loads(body)
    except (ValueError, UnicodeError):
        return {}
    return found if isinstance(found, dict) else {}


class Drs:
    """The service, for one device.

    Args:
        config: hosts, ports and credentials by name; `set(name, value)` for a rotated token.
        connect: `async (host, port) -> https.Connection`, verified.
        time_s: `() -> int`, for the token's expiry only.
    """

    def __init__(self, config, connect, time_s):
        self._config, self._connect, self._time_s = config, connect, time_s
        self._connection = None
        self._token = ""
        self._token_until = 0

    def pack(self, room):
        """Return the access token and its expiry for RTC memory; nothing if over `room` bytes."""
        data = struct.pack("<I", self._token_until) + self._token.encode()
        return data if self._token_until and len(data) <= room else b""

    def resume(self, data):
        """Take back what `pack()` gave. A token that is no longer good costs one refusal."""
        if len(data) > 4:
            self._token_until = struct.unpack("<I", data[:4])[0]
            self._token = data[4:].decode()

    def close(self):
        """Close the open connection, if any."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    async def subscription(self):
        """Open the DRS connection and return `(now_s, {slot: subscribed})` of SubscriptionInfo.

        `now_s` is the answer's Date: the verified time that buying needs (rule 8). Refreshes the
        access token by the clock, and once more if the service rejects it.

        Raises:
            Fault, Insecure, Revoked, Refused: see `outcome`.
        """
        try:
            return await self._subscription()
        except Rejected:
            self.close()
        return await self._subscription()

    async def _subscription(self):
        if not 0 < self._token_until - self._time_s() <= 86400:
            await self._refresh()
        self._connection = await self._connect(self._config["drs.host"], self._config["drs.port"])
        headers, answer = await self._call("GET", "/subscriptionInfo", "SubscriptionInfo")
        try:
            now_s = dates.parse_http(headers.get("date") or headers.get("x-amz-date") or "")
        except ValueError:
            raise Fault("SubscriptionInfo carries no date")
        slots = answer.get("slotsSubscriptionStatus")
        if not isinstance(slots, dict):
            raise Fault("SubscriptionInfo: answer not understood")
        return now_s, {name: value is True for name, value in slots.items()}

    async def replenish(self, slot):
        """Order. Return `(detail_code, event_instance_id)` as sent; either may be None.

        Raises:
            Rejected, Refused: nothing was ordered.
            Fault: it may have been.
        """
        _, answer = await self._call("POST", "/replenish/" + quote(slot), "Replenish")
        return answer.get("detailCode"), answer.get("eventInstanceId")

    async def order_info(self, event_id, slot):
        """Return `(status, has_delivery_date)` of the order, None if it is not of this slot.

        Raises:
            Refused: the service does not know the id.
            Fault: no news.
        """
        _, answer = await self._call(
            "GET", "/getOrderInfo/" + quote(event_id), "GetOrderInfo", "OrderInfo"
        )
        data = answer.get("orderInfoData")
        items = data.get("orderItems") if isinstance(data, dict) else None
        if not isinstance(items, list):
            raise Fault("GetOrderInfo: answer not understood")
        for item in items:
            if isinstance(item, dict) and item.get("slotId") == slot:
                return item.get("status"), bool(item.get("expectedDeliveryDate"))
        return None

    async def slot_status(self, slot, remaining, capacity, run_out_s):
        """Report the slot: amounts in the product's unit; when it runs out, or None (1.4).

        Raises:
            Refused, Fault: not taken; it may be sent again.
        """
        report = {"remainingQuantityInUnit": remaining, "originalQuantityInUnit": capacity}
        if run_out_s:
            report["expectedReplenishmentDate"] = dates.iso(run_out_s)
        await self._call("POST", "/slotStatus/" + quote(slot), "SlotStatus", report=report)

    async def device_status(self, active_s):
        """Report when the device was last active (1.5). Raises as `slot_status`."""
        report = {"mostRecentlyActiveDate": dates.iso(active_s)}
        await self._call("POST", "/deviceStatus", "DeviceStatus", report=report)

    async def _call(self, method, target, name, kind=None, report=None):
        kind = _PREFIX + (kind or name)
        if self._connection is None:
            raise Fault(name + ": not connected")
        headers = [
            ("Authorization", "Bearer " + self._token),
            ("x-amzn-type-version", kind + "Input@1.0"),
            ("x-amzn-accept-type", kind + "Result@1.0"),
        ]
        body = b""
        if report:
            headers.append(("Content-Type", "application/json"))
            body = json.dumps(report, separators=(",", ":")).encode()
        status, headers, body = await self._connection.request(method, target, headers, body)
        answer = _json(body)
        if status == 200:
            return headers, answer
        message = str(answer.get("message"))
        if status == 400 and message == "Invalid token":
            self._token_until = 0
            raise Rejected(name + ": access token rejected")
        if status == 429 or not 400 <= status < 500:
            raise _unavailable(name, status, headers)
        block = None
        if status == 404:
            block = "no_such_slot"
        elif message.endswith("is unsubscribed."):
            block = "unsubscribed"
        raise Refused("%s: %d, %s" % (name, status, message[:80]), block)

    async def _refresh(self):
        config = self._config
        self._token = ""
        form = "grant_type=refresh_token&client_id=" + quote(config["lwa.client_id"])
        if config["lwa.client_secret"]:
            form += "&client_secret=" + quote(config["lwa.client_secret"])
        form += "&refresh_token=" + quote(config["lwa.refresh_token"])
        self._connection = await self._connect(config["lwa.host"], config["lwa.port"])
        status, headers, body = await self._connection.request(
            "POST", "/auth/o2/token", (("Content-Type", _FORM),), form.encode()
        )
        self.close()
        answer = _json(body)
        if status == 200:
            return self._adopt(answer)
        error = str(answer.get("error"))[:40]
        if status == 400 and error == "invalid_grant":
            raise Revoked("invalid_grant")
        if 400 <= status < 500 and status != 429:
            raise Fault("token refused: %s; check lwa.client_id and lwa.client_secret" % error)
        raise _unavailable("token", status, headers)

    def _adopt(self, answer):
        token, expires_in = answer.get("access_token"), answer.get("expires_in")
        if not _is_token(token) or not isinstance(expires_in, int):
            raise Fault("token: answer not understood")
        rotated = answer.get("refresh_token")
        if _is_token(rotated) and rotated != self._config["lwa.refresh_token"]:
            self._config.set("lwa.refresh_token", rotated)
        self._token = token
        self._token_until = self._time_s() + max(expires_in - _MARGIN_S, 1)


def _is_token(text):
    return (
        isinstance(text, str)
        and 0 < len(text) <= _MAX_TOKEN
        and all("!" <= c <= "~" for c in text)
    )


def _unavailable(name, status, headers):
    fault = Fault("%s: answered %d" % (name, status))
    wait = headers.get("retry-after", "")
    if wait.isdigit() and len(wait) < 6:
        fault.wait_s = int(wait)
    return fault
