"""The order record: what must outlive every power cut, as fields and as bytes."""

import struct

from micropython import const

# Stored as numbers: only ever add at the end. PLACED to CONFIRMED: GetOrderInfo can be asked.
NONE, ATTEMPT, PLACED, IN_PROGRESS, RESOLUTION, CONFIRMED, SHIPPED, CANCELLED = range(8)
# A list: in a constant tuple each text takes 64 bytes of the 64-bit host's heap, and not 20.
STATES = [
    "none",
    "attempt",
    "placed",
    "in_progress",
    "resolution",
    "confirmed",
    "shipped",
    "cancelled",
]

FREE, UNSUBSCRIBED, REVOKED, NO_SUCH_SLOT, NOT_LISTED = range(5)
# Not listed by SubscriptionInfo heals itself; a 404 of Replenish waits for a new slot.id.
BLOCKS = (None, "unsubscribed", "revoked", "no_such_slot", "no_such_slot")

UNKNOWN_PERMILLE = 0xFFFF
MAX_ID = const(255)

# Schema 1, little-endian: the fields of `Record` in its order, then the id in UTF-8.
_FORMAT = const("<7B2H4I")
_SIZE = const(27)
# No order yet: all zero, but for the lowest level, which is unknown.
_NEW = const(b"\0\0\0\0\0\0\0\0\0\xff\xff\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")


class Record:
    """One slot's order state. Times are whole Unix seconds, 0 for never.

    `attempt_at` first send of the latest attempt; `ordered_at` the order; `horizon_at` since when
    nothing is known (rule 7); `cancelled_at` when the cancellation was first seen (rule 5).
    `late`: the resolution was still seen near its end, `lapsed`: it ended so (rule 6). `cancels`,
    `lapses`: of this depletion. `bad_days`, `bad_day`: days on which GetOrderInfo refused the id.
    `lowest_permille`: lowest level of the depletion. `event_id`: the last id kept, at most 255
    bytes.
    """

    def __init__(self, data=_NEW):
        (
            self.state, self.blocked, self.late, self.lapsed, self.cancels, self.lapses,
            self.bad_days, self.bad_day, self.lowest_permille,
            self.attempt_at, self.ordered_at, self.horizon_at, self.cancelled_at,
        ) = struct.unpack(_FORMAT, data[:_SIZE])  # fmt: skip
        self.event_id = data[_SIZE:].decode()

    def in_doubt(self):
        """Become what a lost or damaged record counts as (rule 9): an attempt, window over."""
        self.state = ATTEMPT
        return self

    def clamp(self, now_s):
        """Bring times later than the verified now back to it (rule 8)."""
        self.attempt_at = min(self.attempt_at, now_s)
        self.ordered_at = min(self.ordered_at, now_s)
        self.horizon_at = min(self.horizon_at, now_s)
        self.cancelled_at = min(self.cancelled_at, now_s)

    def latest_s(self):
        """Return the latest time in the record: the calendar was at least there once."""
        return max(self.attempt_at, self.ordered_at, self.horizon_at, self.cancelled_at)

    def pack(self):
        """Return the record as bytes."""
        return struct.pack(
            _FORMAT,
            self.state, self.blocked, self.late, self.lapsed, self.cancels, self.lapses,
            self.bad_days, self.bad_day, self.lowest_permille,
            self.attempt_at, self.ordered_at, self.horizon_at, self.cancelled_at,
        ) + self.event_id.encode()  # fmt: skip


def unpack(data):
    """Return the `Record` in `data`.

    Raises:
        ValueError: the bytes are not a record that this firmware could have written.
    """
    if _SIZE <= len(data) <= _SIZE + MAX_ID:
        rec = Record(data)
        if rec.state < len(STATES) and rec.blocked < len(BLOCKS):
            return rec
    raise ValueError("order record: not understood")
