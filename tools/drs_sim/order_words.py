"""What an order is called: its phases, its statuses on the wire, its id."""

import base64

from tools.drs_sim.ids import random_uuid

RESOLUTION, PLACED, SHIPPED = "resolution", "placed", "shipped"
DELIVERED, CANCELLED = "delivered", "cancelled"
LAPSED = "lapsed"  # an outcome only: the phase is `cancelled`

_PHASES = (RESOLUTION, PLACED, SHIPPED, DELIVERED, CANCELLED)
# The service has no word for delivered.
_STATUSES = {
    "newest": ("Processing", "Processing", "Shipped", "Shipped", "Cancelled"),
    "middle": ("Processing", "Processing", "Shipped", "Shipped", "Cancelled"),
    "oldest": ("Pending", "Authorized", "Closed", "Closed", "Canceled"),
}


def status_of(order, vocabulary: str = "newest") -> str:
    """Return what GetOrderInfo calls the order's phase."""
    return _STATUSES[vocabulary][_PHASES.index(order["phase"])]


def new_id() -> str:
    """Return an eventInstanceId of the observed form: 116 characters."""
    inner = f"r.{random_uuid()}.{random_uuid()}".encode()
    return "amzn1.dash.v2.o." + base64.b64encode(inner).decode()
