"""The timeline: what device, service and customer did, printed as it happens."""

from datetime import UTC, datetime

_WORDS = {
    "none": "refilled, or new: ready for the next depletion",
    "attempt": "intent written to flash before the first byte of Replenish",
    "placed": "order placed, its id in flash",
    "in_progress": "an order is open already; nothing new was bought",
    "resolution": "no delivery date: the customer has to act",
    "confirmed": "delivery date known",
    "shipped": "shipped; waits for the refill",
    "cancelled": "cancelled; the rules decide about another",
}


def moment(text):
    """Return the Unix seconds of the simulator's ISO time."""
    return datetime.fromisoformat(text).timestamp()


class Story:
    """Follows books and flash; `history` keeps each record seen as `(time, state, event_id)`."""

    def __init__(self, bench, out=print):
        self._bench, self._out = bench, out
        self._seen = {"requests": 0, "notifications": 0, "emails": 0}
        self._state = None
        self.history = []

    def title(self, text):
        """Begin a chapter."""
        self._out(f"\n-- {text} --")

    def say(self, time_s, who, text):
        """Print one line of the timeline."""
        when = datetime.fromtimestamp(time_s, UTC)
        self._out(f"{when:%a %d %b %H:%M}  {self._bench.level:4.0%}  {who:<8}  {text}", flush=True)

    def follow(self):
        """Print what happened since the last call; return the books."""
        books = self._bench.books()
        lines = []
        for name, tell in (
            ("requests", self._request),
            ("notifications", self._notification),
            ("emails", self._email),
        ):
            for item in books[name][self._seen[name] :]:
                text = tell(item)
                if text:
                    lines.append((moment(item["time"]), *text))
            self._seen[name] = len(books[name])
        for line in sorted(lines, key=lambda line: line[0]):
            self.say(*line)
        self._device(moment(books["now"]))
        return books

    @staticmethod
    def _request(item):
        if not item["path"].startswith("/replenish"):
            return None
        if item["status"] is None:
            return "service", "Replenish received; the answer does not get through"
        return "service", f"Replenish answered {item['status']} {item['detailCode'] or ''}"

    @staticmethod
    def _notification(item):
        return "maker", f"notification {item['type'].removesuffix('Notification')}"

    @staticmethod
    def _email(item):
        return "customer", f"e-mail: {item['subject']}"

    def _device(self, now_s):
        rec = self._bench.record()
        if rec is None:
            return
        state = (rec.state, rec.event_id)
        if state != self._state:
            self._state = state
            self.history.append((now_s, *state))
            order = (
                f" (order ...{rec.event_id[-6:]})"
                if rec.event_id and rec.state not in ("none", "attempt")
                else ""
            )
            self.say(now_s, "device", f"{state[0]}: {_WORDS[state[0]]}{order}")
