"""The service of the wire proof: answers as `tools/drs_sim` gives them, books, and a judge.

The judge is written from the contract (README, rules 1 to 4): it looks at the record in the
board's flash at the moment a request arrives, never at the agent's own reasoning.
"""

import json
import time

from host_tests.prove.service import DAY
from lowtide.orders import Orders
from lowtide.store import Store

SLOT = "PaperTowel"
ACCESS_TOKEN = "Atza|" + "a" * 40
REFRESH_TOKEN = "Atzr|" + "r" * 40
_PATHS = {
    "/auth/o2/token": "token",
    "/subscriptionInfo": "subscription",
    "/getOrderInfo": "order info",
    "/replenish": "replenish",
    "/slotStatus": "slot status",
    "/deviceStatus": "device status",
}
_REQUEST_ID = "X-Amzn-RequestId: 01234567-89ab-4cde-a012-3456789abcde"


class Broken(Exception):
    """A promise is broken; the text says which."""


def http_date(unix_s):
    """Return the time as an HTTP header has it."""
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(unix_s))


class Service:
    """One device's slot. An order, once made, locks it for good: there is time for one only."""

    def __init__(self, record_path):
        self._path = record_path
        self.now = 0
        self.orders = []
        # When the attempt began whose Replenish was sent and whose answer is not known; 0: none.
        self.attempt_at = 0
        self._answered = ""

    def keep(self):
        """Return the books, to come back to."""
        return self.now, list(self.orders), self.attempt_at, self._answered

    def back(self, kept):
        """Come back to what was kept."""
        self.now, orders, self.attempt_at, self._answered = kept
        self.orders = list(orders)

    @property
    def record(self):
        """The record in the board's flash."""
        payload = Store(self._path).load()
        if not payload:
            raise Broken(f"the record does not check out: {payload}")
        return Orders(None, payload)

    # -- the judge ---------------------------------------------------------------------------

    def seen(self, call):
        """Judge what is in flash when a first byte of `call` has been sent."""
        rec = self.record
        state = rec.state
        if call != "replenish":
            if self._answered and rec.event_id != self._answered:
                raise Broken(f"rule 1: {call} was sent before the answer to Replenish was stored")
            return
        if self._answered:
            raise Broken("DUPLICATE: Replenish was sent for an order whose answer is known")
        if state != "attempt":
            raise Broken(f"rule 1: Replenish was sent while flash says {state}")
        # It may be older than its first Replenish: a cut that is seen in time holds that back.
        self.attempt_at = self.attempt_at or rec.attempt_at
        if rec.attempt_at != self.attempt_at:
            raise Broken("rule 4: the attempt whose outcome is not known was forgotten")

    def still(self):
        """Judge what is in flash when the line is cut before the answer to Replenish is whole."""
        if self.record.state != "attempt":
            raise Broken("rule 1: the attempt was over before its answer was there")

    def check(self):
        """Hold the record against the books at the end of a wake."""
        rec = self.record
        if rec.state == "none" and (self.orders or self.attempt_at):
            raise Broken("LOST: the record knows of no order")
        if rec.state not in ("none", "attempt") and [rec.event_id] != self.orders:
            raise Broken(f"LOST: {rec.state}, but the record names another order")

    # -- the answers -------------------------------------------------------------------------

    def answer(self, request):
        """Act on a whole request; return `(call, the answer's bytes)`."""
        head, _, body = request.partition(b"\r\n\r\n")
        target = head.split(b" ", 2)[1].decode()
        call = next(name for path, name in _PATHS.items() if target.startswith(path))
        self.seen(call)
        if call == "token":
            return call, self._frame(200, self._token(body), None)
        if f"Authorization: Bearer {ACCESS_TOKEN}".encode() not in head.split(b"\r\n"):
            raise Broken(f"{call} was sent without the token")
        status, content = getattr(self, "_" + call.replace(" ", "_"))(target, body)
        kind = "".join(word.capitalize() for word in call.split())
        kind = {"Subscription": "SubscriptionInfo"}.get(kind, kind)
        return call, self._frame(status, content, f"Drs{kind}Result@1.0")

    def told(self, call):
        """The answer to `call` went out whole: the board has read it once it sends again."""
        if call == "replenish":
            self._answered = self.orders[-1]
            self.attempt_at = 0

    def _frame(self, status, content, version):
        body = b"" if content is None else json.dumps(content, separators=(",", ":")).encode()
        date = http_date(self.now)
        lines = [f"HTTP/1.1 {status} {'OK' if status == 200 else 'Bad Request'}"]
        lines += ["Server: Server", f"Date: {date}", f"X-Amz-Date: {date}", _REQUEST_ID]
        if body:
            lines.append("Content-Type: application/json")
        if version:
            lines.append(f"x-amzn-type-version: com.amazon.dash.replenishment.{version}")
        lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode() + body

    def _token(self, body):
        if not body.endswith(REFRESH_TOKEN.replace("|", "%7C").encode()):
            raise Broken("token was asked for without the refresh token")
        return {
            "access_token": ACCESS_TOKEN,
            "refresh_token": REFRESH_TOKEN,
            "token_type": "bearer",
            "expires_in": 3600,
        }

    def _subscription(self, target, body):
        return 200, {"slotsSubscriptionStatus": {SLOT: True}}

    def _replenish(self, target, body):
        code = "ORDER_INPROGRESS"
        if not self.orders:
            code = "STANDARD_ORDER_PLACED"
            self.orders.append(f"amzn1.dash.v2.o.{self.now:0100d}")
        return 200, {"detailCode": code, "eventInstanceId": self.orders[-1]}

    def _order_info(self, target, body):
        name = target.rsplit("/", 1)[1]
        if name not in self.orders:
            return 400, {"message": f"no such order: {name}"}
        item = {
            "asin": "B0123456789",
            "expectedDeliveryDate": time.strftime(
                "%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(self.now + 4 * DAY)
            ),
            "quantity": 1,
            "slotId": SLOT,
            "status": "Processing",
        }
        return 200, {"orderInfoData": {"instanceId": name, "orderItems": [item]}}

    def _slot_status(self, target, body):
        json.loads(body)
        return 200, None

    _device_status = _slot_status
