"""The e-mails about an order."""

from typing import NamedTuple

from tools.drs_sim.clock import iso

_PROBLEM_TEXT = {
    "address": "the delivery address is not complete",
    "payment": "the payment method was declined",
    "stock": "the product is out of stock; choose another",
}


class Letter(NamedTuple):
    """An e-mail; the fields are columns of the books."""

    kind: str
    subject: str
    text: str


def needs_attention(order) -> Letter:
    """The order has a problem that the customer must solve."""
    text = (
        f"Your order cannot go on: {_PROBLEM_TEXT[order['problem']]}."
        f" Please solve this by {iso(order['resolve_by_ms'])}, or the order will be cancelled."
    )
    return Letter("order_resolution", "Your order needs attention", text)


def created(order) -> Letter:
    """The order is placed."""
    address = "N/A (test order)" if order["test"] else "the customer's address"
    text = (
        f"Your order was created and goes to {address}."
        f" You can cancel it until {iso(order['cancel_by_ms'])}."
    )
    return Letter("order_created", "Your order was created", text)


def shipped(order) -> Letter:
    """The order is on its way."""
    text = f"Your order is on its way; expect it by {iso(order['expected_ms'])}."
    return Letter("order_shipped", "Your order has shipped", text)


def cancelled(text: str) -> Letter:
    """The order is cancelled; `text` says why."""
    return Letter("order_cancelled", "Your order was cancelled", text)
