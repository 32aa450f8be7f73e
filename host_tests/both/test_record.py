"""The order record as bytes: all of it comes back, nothing else is taken for one."""

from kit import raises

from lowtide.orders import BLOCKS, STATES, Orders
from lowtide.store import Store

MAX_ID = 255

FIELDS = (
    ("state", "cancelled"),
    ("blocked", BLOCKS.index("revoked")),
    ("late", True),
    ("lapsed", True),
    ("cancels", 1),
    ("lapses", 2),
    ("bad_days", 3),
    ("bad_day", 22000),
    ("lowest_permille", 123),
    ("attempt_at", 1900000000),
    ("ordered_at", 1900000001),
    ("horizon_at", 1900000002),
    ("cancelled_at", 4294967294),
    ("event_id", "amzn1.dash.v2.o." + "x" * 100),
)


def full():
    """Return a record with every field in use."""
    rec = Orders(None)
    for name, value in FIELDS:
        setattr(rec, name, value)
    return rec


def fields(rec):
    """Return all fields for comparison."""
    return [getattr(rec, name) for name, _ in FIELDS]


def test_every_field_comes_back():
    assert fields(Orders(None, full().pack())) == [value for _, value in FIELDS]
    assert fields(Orders(None, Orders(None).pack())) == fields(Orders(None))


def test_every_state_and_every_block_comes_back():
    for state in STATES:
        for blocked in range(len(BLOCKS)):
            rec = Orders(None)
            rec.state, rec.blocked = state, blocked
            back = Orders(None, rec.pack())
            assert (back.state, back.blocked) == (state, blocked)


def test_the_two_flags_are_kept_apart():
    for late in (False, True):
        for lapsed in (False, True):
            rec = Orders(None)
            rec.late, rec.lapsed = late, lapsed
            back = Orders(None, rec.pack())
            assert (back.late, back.lapsed) == (late, lapsed)


def test_ids_of_every_length_up_to_the_documented_255_come_back():
    for size in (0, 1, 116, 254, 255):
        rec = Orders(None)
        rec.event_id = "i" * size
        assert Orders(None, rec.pack()).event_id == rec.event_id


def test_bytes_too_short_or_too_long_for_a_record_are_refused():
    rec = Orders(None)
    data = rec.pack()
    for size in range(len(data)):
        raises(ValueError, Orders, None, data[:size])
    raises(ValueError, Orders, None, data + b"i" * (MAX_ID + 1))


def test_a_state_or_block_that_this_firmware_does_not_know_is_refused():
    data = bytearray(full().pack())
    data[0] = len(STATES)
    raises(ValueError, Orders, None, bytes(data))
    data[0], data[1] = 0, len(BLOCKS)
    raises(ValueError, Orders, None, bytes(data))


def test_an_id_that_is_not_text_is_refused():
    rec = Orders(None)
    rec.event_id = "abcd"
    raises(ValueError, Orders, None, rec.pack()[:-4] + b"\xff\xfe\xfd\xfc")


def test_a_record_fits_a_littlefs_metadata_block_with_the_longest_id():
    rec = full()
    rec.event_id = "i" * MAX_ID
    assert len(rec.pack()) + 13 <= 512


def test_a_verified_time_brings_future_times_to_now_and_leaves_the_past():
    rec = full()
    rec.attempt_at = 5
    rec.verified(1900000001)
    assert (rec.attempt_at, rec.ordered_at) == (5, 1900000001)
    assert (rec.horizon_at, rec.cancelled_at) == (1900000001, 1900000001)


def test_a_file_cut_at_any_length_is_corrupt():
    Store("order.rec").save(full().pack())
    with open("order.rec", "rb") as f:
        data = f.read()
    for size in range(len(data)):
        with open("cut.rec", "wb") as f:
            f.write(data[:size])
        assert Store("cut.rec").load() == b"", size


def test_a_file_with_any_single_bit_flipped_is_corrupt():
    Store("order.rec").save(full().pack())
    with open("order.rec", "rb") as f:
        data = bytearray(f.read())
    for bit in range(len(data) * 8):
        data[bit // 8] ^= 1 << bit % 8
        with open("bit.rec", "wb") as f:
            f.write(data)
        assert Store("bit.rec").load() == b"", bit
        data[bit // 8] ^= 1 << bit % 8
    with open("bit.rec", "wb") as f:
        f.write(data)
    assert Store("bit.rec").load() == full().pack()
