"""The Dash Replenishment Service and Login with Amazon, as Amazon documented them to 2018."""

import json

from micropython import const

from lowtide import Fault, Refused, Rejected, dates

_ODD = const("%s: answer not understood")
_MARGIN_S = const(60)
# Kept for longer, a token would be thought to come from a clock that was wrong.
_DAY_S = const(86400)
_MAX_TOKEN = const(2048)


def quote(text):
    """Return `text` percent-encoded for a path segment or a form field."""
    # Not "".join(): for a token of 2 KB that would build a list of 16 KB first.
    out = bytearray()
    for byte in text.encode():
        char = chr(byte)
        if byte < 128 and (char.isalpha() or char.isdigit() or char in "-._~"):
            out.append(byte)
        else:
            out.extend(b"%%%02X" % byte)
    return out.decode()


def _is_token(text):
    # What can stand in a header, and no more of it than RTC memory and a console line hold.
    return (
        isinstance(text, str)
        and 0 < len(text) <= _MAX_TOKEN
        and min(text) >= "!"
        and max(text) <= "~"
    )


class Drs:
    """The service, for one device.

    Args:
        config: hosts, ports and credentials by name; `update({name: value})` for a rotated token.
        connect: `(host, port) -> https.Connection`, verified.
        time_s: `() -> int`, for the token's expiry only.
    """

    def __init__(self, config, connect, time_s):
        self.config, self.connect, self.time_s = config, connect, time_s
        self._connection = None
        self._token = ""
        self._token_until = 0

    def pack(self, room):
        """Return the access token and its expiry for RTC memory; nothing if over `room` bytes."""
        data = self._token_until.to_bytes(4, "little") + self._token.encode()
        return data if self._token_until and len(data) <= room else b""

    def resume(self, data):
        """Take back what `pack()` gave. A token that is no longer good costs one refusal."""
        if len(data) > 4:
            self._token_until = int.from_bytes(data[:4], "little")
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
            Fault, or one of its kinds: see `lowtide`.
        """
        for last_try in (False, True):
            if not 0 < self._token_until - self.time_s() <= _DAY_S:
                form = "grant_type=refresh_token&refresh_token=" + quote(
                    self.config["lwa.refresh_token"]
                )
                await self.grant(form, "access revoked: register again")
            self._open("drs")
            try:
                headers, answer = await self.call("GET", "subscriptionInfo")
                break
            except Rejected:
                self.close()
                # Not for its token: then it is for the next wake.
                if last_try or self._token_until:
                    raise
        try:
            now_s = dates.parse_http(headers.get("date") or headers.get("x-amz-date") or "")
        except ValueError:
            raise Fault("subscriptionInfo: no date")
        slots = answer.get("slotsSubscriptionStatus")
        if not isinstance(slots, dict):
            raise Fault(_ODD % "subscriptionInfo")
        for name in slots:
            slots[name] = slots[name] is True
        return now_s, slots

    async def replenish(self, slot):
        """Order. Return `(detail_code, event_instance_id)` as sent; either may be None.

        Raises:
            Rejected, Refused: nothing was ordered.
            Fault: it may have been.
        """
        _, answer = await self.call("POST", "replenish", slot)
        return answer.get("detailCode"), answer.get("eventInstanceId")

    async def order_info(self, event_id, slot):
        """Return `(status, has_delivery_date)` of the order.

        Raises:
            Refused: the service does not know the id, or not for this slot.
            Fault: no news.
        """
        _, answer = await self.call("GET", "getOrderInfo", event_id)
        data = answer.get("orderInfoData")
        items = data.get("orderItems") if isinstance(data, dict) else None
        if not isinstance(items, list):
            raise Fault(_ODD % "getOrderInfo")
        for item in items:
            if isinstance(item, dict) and item.get("slotId") == slot:
                return item.get("status"), bool(item.get("expectedDeliveryDate"))
        raise Refused("getOrderInfo: no order of this slot")

    async def slot_status(self, slot, remaining, capacity, run_out_s):
        """Report the slot: amounts in the product's unit; when it runs out, or None (1.4).

        Raises:
            Refused, Fault: not taken; it may be sent again.
        """
        report = {"remainingQuantityInUnit": remaining, "originalQuantityInUnit": capacity}
        if run_out_s:
            report["expectedReplenishmentDate"] = dates.iso(run_out_s)
        await self.call("POST", "slotStatus", slot, report)

    async def device_status(self, active_s):
        """Report when the device was last active (1.5). Raises as `slot_status`."""
        report = {"mostRecentlyActiveDate": dates.iso(active_s)}
        await self.call("POST", "deviceStatus", report=report)

    def _open(self, service):
        host, port = self.config[service + ".host"], self.config[service + ".port"]
        self._connection = self.connect(host, port)

    async def call(self, method, name, of="", report=None, kind="", version=1):
        """Call the service on the open connection; return headers and answer of a 200.

        Its types are named as the call is, without a "get", if `kind` does not say how.

        Raises:
            Fault, or one of its kinds: see `lowtide`.
        """
        kind = kind or name.replace("get", "")
        kind = "com.amazon.dash.replenishment.Drs" + kind[0].upper() + kind[1:]
        target = "/" + name + "/" + quote(of) if of else "/" + name
        headers = [
            ("Authorization", "Bearer " + self._token),
            ("x-amzn-type-version", "%sInput@%d.0" % (kind, version)),
            ("x-amzn-accept-type", kind + "Result@1.0"),
        ]
        body = b""
        if report:
            headers.append(("Content-Type", "application/json"))
            body = json.dumps(report).encode()
        status, headers, answer = await self._request(name, method, target, headers, body)
        if status == 200:
            return headers, answer
        message = str(answer.get("message"))
        if status == 400 and message == "Invalid token":
            self._token_until = 0
            raise Rejected(name + ": access token rejected")
        refused = Refused("%s: %d, %s" % (name, status, message[:80]))
        if status == 404:
            refused.block = "no_such_slot"
        elif message.endswith("is unsubscribed."):
            refused.block = "unsubscribed"
        raise refused

    async def _request(self, name, method, target, headers, body):
        # -> status (200 or a refusal for certain), headers, answer: {} where it says nothing.
        if self._connection is None:
            raise Fault(name + ": not connected")
        status, headers, body = await self._connection.request(method, target, headers, body)
        if status != 200 and (status in [408, 429] or not 400 <= status < 500):
            fault = Fault("%s: answered %d" % (name, status))
            wait = headers.get("retry-after", "")
            if wait.isdigit() and len(wait) < 6:
                fault.wait_s = int(wait)
            raise fault
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        return status, headers, answer if isinstance(answer, dict) else {}

    async def grant(self, form, why):
        """Ask for tokens with `form`, the client's name added; a new refresh token is stored.

        Return whether one came. `why`: what it means where the grant is not good.

        Raises:
            Fault, or one of its kinds: see `lowtide`; with `block` set if the grant is not good.
        """
        config, held = self.config, self.config["lwa.refresh_token"]
        self._token = client = ""
        for name in ("client_id", "client_secret"):
            value = config["lwa." + name]
            if value:
                client += "%s=%s&" % (name, quote(value))
        self._open("lwa")
        try:
            status, _, answer = await self._request(
                "token",
                "POST",
                "/auth/o2/token",
                (("Content-Type", "application/x-www-form-urlencoded"),),
                (client + form).encode(),
            )
        finally:
            self.close()
        if config["lwa.refresh_token"] != held:
            # By a person, meanwhile: the answer is about the old one.
            raise Fault("lwa.refresh_token was changed")
        if status != 200:
            error = str(answer.get("error", status))[:40]
            if status == 400 and error == "invalid_grant":
                revoked = Refused(why)
                revoked.block = "revoked"
                raise revoked
            raise Fault("token refused: %s; check lwa.client_id and lwa.client_secret" % error)
        token, expires_in = answer.get("access_token"), answer.get("expires_in")
        if not _is_token(token) or not isinstance(expires_in, int):
            raise Fault(_ODD % "token")
        rotated = answer.get("refresh_token")
        if _is_token(rotated) and rotated != config["lwa.refresh_token"]:
            config.update({"lwa.refresh_token": rotated})
        self._token = token
        self._token_until = self.time_s() + max(min(expires_in, _DAY_S) - _MARGIN_S, 1)
        return _is_token(rotated)
