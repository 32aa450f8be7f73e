"""What each state of the record's file means to the agent: never `none` from damage (rule 9)."""

import binascii
import os
import struct

from kit import DAY, Device, raises

from lowtide.orders import Orders
from lowtide.store import Store

PLACED_ID = "amzn1.dash." + "x" * 105


class Kept(Store):
    """A real store, with the look that `kit.Device` takes at a fake one."""

    @property
    def payload(self):
        """What is in flash now, None if that is nothing usable."""
        return self.load() or None


def placed():
    """A record with an order of the longest documented id, in flash."""
    rec = Orders(None)
    rec.state, rec.event_id = "placed", PLACED_ID
    rec.attempt_at = rec.ordered_at = rec.horizon_at = 22000 * DAY
    return rec


def device_on(store):
    """A configured device that starts on a real store."""
    device = Device(permille=100)
    device.store = device.api._store = store
    device.power_on()
    return device


def buys_after_the_horizon_only(device):
    """Nothing is known: the horizon begins at the next verified time, and one order follows it."""
    assert device.agent.orders.state == "attempt"
    assert device.agent.orders.event_id == ""
    device.low().talk()
    device.wait(10 * DAY - 1).low().talk()
    return device.agent.verdict(device.clock()).at_s == device.clock() + 1


def write(schema, payload):
    """Leave a frame of some firmware in flash."""
    body = struct.pack("<2sBIH", b"LT", schema, 1, len(payload)) + payload
    with open("order.rec", "wb") as f:
        f.write(body + struct.pack("<I", binascii.crc32(body)))


def test_a_good_record_is_the_order_that_was_stored():
    write(1, placed().pack())
    rec = device_on(Kept("order.rec")).agent.orders
    assert (rec.state, rec.event_id) == ("placed", PLACED_ID)


def test_a_record_that_is_missing_counts_as_an_attempt():
    assert buys_after_the_horizon_only(device_on(Kept("order.rec")))


def test_a_record_that_is_damaged_counts_as_an_attempt():
    write(1, placed().pack())
    with open("order.rec", "rb") as f:
        data = bytearray(f.read())
    data[30] ^= 4
    with open("order.rec", "wb") as f:
        f.write(data)
    assert buys_after_the_horizon_only(device_on(Kept("order.rec")))


def test_a_record_of_a_newer_schema_counts_as_an_attempt():
    write(2, placed().pack() + b"and more")
    assert buys_after_the_horizon_only(device_on(Kept("order.rec")))


def test_a_record_of_an_older_schema_that_is_not_understood_counts_as_an_attempt():
    write(0, b"\x02 older")
    assert buys_after_the_horizon_only(device_on(Kept("order.rec")))


def test_a_record_that_cannot_be_read_means_nothing_and_stops_the_start():
    os.mkdir("order.rec")
    raises(OSError, device_on, Kept("order.rec"))
