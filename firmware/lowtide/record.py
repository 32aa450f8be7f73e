"""The order record: what must outlive every power cut, as fields and as bytes."""

import struct

from micropython import const

NONE = const(0)
ATTEMPT = const(1)
PLACED = const(2)
IN_PROGRESS = const(3)
RESOLUTION = const(4)
CONFIRMED = const(5)
SHIPPED = const(6)
CANCELLED = const(7)
STATES = (
    "none",
    "attempt",
    "placed",
    "in_progress",
    "resolution",
    "confirmed",
    "shipped",
    "cancelled",
)

FREE = const(0)
UNSUBSCRIBED = const(1)
REVOKED = const(2)
NO_SUCH_SLOT = const(3)
NOT_LISTED = const(4)
# Not listed by SubscriptionInfo heals itself; a 404 of Replenish waits for a new slot.id.
BLOCKS = (None, "unsubscribed", "revoked", "no_such_slot", "no_such_slot")

UNKNOWN_PERMILLE = const(0xFFFF)
MAX_ID = const(255)

_FORMAT = "<BBBBBBHHIIIIB"
_TIMES = ("attempt_at", "ordered_at", "horizon_at", "cancelled_at")


class Record:
    """One slot's order state. Times are whole Unix seconds, 0 for never.

    `attempt_at` first send of the latest attempt; `ordered_at` the order; `horizon_at` since when
    nothing is known (rule 7); `cancelled_at` when the cancellation was first seen (rule 5).
    `late` the resolution was still seen near its end, `lapsed` it ended so (rule 6). `cancels`,
    `lapses`: of this depletion. `bad_days`, `bad_day`: days on which GetOrderInfo refused the id.
    `lowest_permille`: lowest level of the depletion. `event_id`: the last id kept, at most 255.
    """

    def __init__(self):
        self.state = NONE
        self.blocked = FREE
        self.late = self.lapsed = False
        self.cancels = self.lapses = self.bad_days = self.bad_day = 0
        self.lowest_permille = UNKNOWN_PERMILLE
        self.attempt_at = self.ordered_at = self.horizon_at = self.cancelled_at = 0
        self.event_id = ""

    def in_doubt(self):
        """Become what a lost or damaged record counts as (rule 9): an attempt, window over."""
        self.state = ATTEMPT
        return self

    def clamp(self, now_s):
        """Bring times later than the verified now back to it (rule 8)."""
        for name in _TIMES:
            if getattr(self, name) > now_s:
                setattr(self, name, now_s)

    def latest_s(self):
        """Return the latest time in the record: the calendar was at least there once."""
        return max(getattr(self, name) for name in _TIMES)

    def pack(self):
        """Return the record as bytes."""
        event_id = self.event_id.encode()
        return (
            struct.pack(
                _FORMAT,
                self.state,
                self.blocked,
                self.late | self.lapsed << 1,
                self.cancels,
                self.lapses,
                self.bad_days,
                self.bad_day,
                self.lowest_permille,
                self.attempt_at,
                self.ordered_at,
                self.horizon_at,
                self.cancelled_at,
                len(event_id),
            )
            + event_id
        )


def unpack(data):
    """Return the `Record` in `data`.

    Raises:
        ValueError: the bytes are not a record that this firmware could have written.
    """
    size = struct.calcsize(_FORMAT)
    if len(data) < size or len(data) != size + data[size - 1]:
        raise ValueError("order record: wrong length")
    rec = Record()
    (
        rec.state,
        rec.blocked,
        flags,
        rec.cancels,
        rec.lapses,
        rec.bad_days,
        rec.bad_day,
        rec.lowest_permille,
        rec.attempt_at,
        rec.ordered_at,
        rec.horizon_at,
        rec.cancelled_at,
        _,
    ) = struct.unpack(_FORMAT, data[:size])
    if rec.state >= len(STATES) or rec.blocked >= len(BLOCKS):
        raise ValueError("order record: unknown state")
    rec.late = bool(flags & 1)
    rec.lapsed = bool(flags & 2)
    rec.event_id = data[size:].decode()
    return rec
