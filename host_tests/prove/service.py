"""A model of the service and of the people around it: orders, the slot's lock, the calendar.

Small and exact, so that a search can copy it a million times; `tools/drs_sim` is the service on
the wire. Ids are numbers here and text on the way to the device.
"""

HOUR = 3600
DAY = 86400
RESOLUTION, PLACED, SHIPPED, DELIVERED, LAPSED, CANCELLED = range(6)
PHASES = ("resolution", "placed", "shipped", "delivered", "lapsed", "cancelled")
_SHIP_AFTER = 30 * HOUR
_DELIVER_AFTER = 72 * HOUR
_RESOLVE_BY = 72 * HOUR
_CANCEL_BY = 24 * HOUR


class Order:
    """One order in the service's books, and what the device was told of it (`known` and below)."""

    __slots__ = (
        *("answered", "by", "depletion", "first_send", "known", "last_told", "late", "moved_at"),
        *("number", "ordered_at", "phase", "refused_days", "told_cancel_at"),
    )

    def __init__(self, number, depletion, now, phase, by):
        self.number, self.depletion, self.phase, self.by = number, depletion, phase, by
        self.first_send = self.ordered_at = self.moved_at = now
        self.answered = self.known = False
        self.last_told = ""
        self.late = False
        self.told_cancel_at = 0
        self.refused_days = ()

    def copy(self):
        """Return a copy."""
        other = Order.__new__(Order)
        for name in Order.__slots__:
            setattr(other, name, getattr(self, name))
        return other

    @property
    def open(self):
        """Whether it locks the slot."""
        return self.phase <= SHIPPED


class Service:
    """The slot's orders, its subscription and the device's access."""

    def __init__(self, in_progress_id="open"):
        self.orders = ()
        self.made = 0
        self.subscribed = True
        self.revoked = False
        self.problem = False
        self.forgets = False
        self.in_progress_id = in_progress_id

    def copy(self):
        """Return a copy that shares nothing that changes."""
        other = Service.__new__(Service)
        other.__dict__.update(self.__dict__)
        other.orders = tuple([order.copy() for order in self.orders])
        return other

    @property
    def locked(self):
        """The open order, or None."""
        last = self.orders[-1] if self.orders else None
        return last if last is not None and last.open else None

    def find(self, text):
        """Return the order with this id, or None."""
        for order in self.orders:
            if text == name_of(order.number):
                return order
        return None

    def catch_up(self, now):
        """Let everything happen that is due by `now`."""
        order = self.locked
        while order is not None and order.open:
            due = (_RESOLVE_BY, _SHIP_AFTER, _DELIVER_AFTER)[order.phase] + order.moved_at
            if due > now:
                return
            phase = LAPSED if order.phase == RESOLUTION else order.phase + 1
            self.move(order, phase, due)

    def move(self, order, phase, now):
        """An order enters a phase."""
        order.phase, order.moved_at = phase, now

    def buy(self, now, depletion, by):
        """A Replenish for a free slot: a new order."""
        self.made += 1
        order = Order(self.made, depletion, now, RESOLUTION if self.problem else PLACED, by)
        self.problem = False
        self.orders = self.orders[-3:] + (order,)
        return order

    def cancellable(self, now):
        """Whether the customer can cancel the open order now."""
        order = self.locked
        return order is not None and (
            order.phase == RESOLUTION
            or (order.phase == PLACED and now < order.moved_at + _CANCEL_BY)
        )

    def in_progress_text(self):
        """The id that comes with ORDER_INPROGRESS: the sources do not say which (protocol, 8)."""
        if self.in_progress_id == "none":
            return None
        if self.in_progress_id == "fresh":
            self.made += 1
            return name_of(self.made)
        return name_of(self.locked.number)

    def info(self, order):
        """What GetOrderInfo tells of an order: `(status, has delivery date)`."""
        return (
            ("Pending", False), ("Processing", True), ("Shipped", True),
            ("Closed", True), ("Cancelled", False), ("Canceled", False),
        )[order.phase]  # fmt: skip


def name_of(number):
    """Return an id as the service writes it."""
    return f"id-{number}"
