"""Framed files: what is absent, damaged or of another firmware is told apart."""

import binascii
import os
import struct

from kit import raises

from lowtide.store import Store


def content(path):
    """Return a file's bytes."""
    with open(path, "rb") as f:
        return f.read()


def write(path, data):
    """Make a file of these bytes."""
    with open(path, "wb") as f:
        f.write(data)


def test_an_absent_file_is_absent():
    assert Store("a.rec").load() is None


def test_what_was_saved_is_loaded_by_the_next_start():
    assert Store("a.rec").save(b"one") is True
    assert Store("a.rec").load() == b"one"


def test_an_empty_payload_is_a_payload():
    Store("a.rec").save(b"")
    assert Store("a.rec").load() == b""


def test_unchanged_content_is_not_written():
    store = Store("a.rec")
    store.save(b"one")
    before = content("a.rec")
    assert store.save(b"one") is False
    assert content("a.rec") == before
    again = Store("a.rec")
    again.save(b"two")
    again = Store("a.rec")
    again.load()
    before = content("a.rec")
    assert again.save(b"two") is False
    assert content("a.rec") == before


def test_an_empty_or_foreign_file_is_corrupt():
    for data in (b"", b"L", b"LT", b"\x00" * 64, b"\xff" * 64, b'{"state": "none"}', b"LT" * 40):
        write("a.rec", data)
        assert Store("a.rec").load() == b"", data


def test_a_frame_of_another_kind_or_length_is_corrupt_though_its_crc_is_right():
    for head in (b"XX\x01\x01\0\0\0\x03\0", b"LT\x01\x01\0\0\0\x04\0"):
        body = head + b"one"
        write("a.rec", body + struct.pack("<I", binascii.crc32(body)))
        assert Store("a.rec").load() == b"", head
    body = b"LT\x01\x01\0\0\0\x03\0one"
    write("a.rec", body + struct.pack("<I", binascii.crc32(body)))
    assert Store("a.rec").load() == b"one"


def test_more_behind_the_frame_is_corrupt():
    Store("a.rec").save(b"one")
    write("a.rec", content("a.rec") + b"\x00")
    assert Store("a.rec").load() == b""


def test_the_file_of_another_schema_is_not_understood_and_left_alone():
    for schema in (b"\x00", b"\x02", b"\xff"):
        body = b"LT" + schema + b"\x01\0\0\0\x03\0one"
        before = body + struct.pack("<I", binascii.crc32(body))
        write("a.rec", before)
        store = Store("a.rec")
        assert store.load() == b""
        assert store.schema == schema[0]
        assert content("a.rec") == before


def test_a_torn_tmp_left_behind_harms_nothing():
    Store("a.rec").save(b"one")
    write("a.rec.tmp", b"LT\x01")
    store = Store("a.rec")
    assert store.load() == b"one"
    store.save(b"two")
    assert Store("a.rec").load() == b"two"
    assert os.listdir() == ["a.rec"]


def test_a_tmp_alone_is_no_content():
    Store("a.rec").save(b"one")
    os.rename("a.rec", "a.rec.tmp")
    assert Store("a.rec").load() is None


def test_a_damaged_file_can_be_written_over():
    write("a.rec", b"\xff" * 40)
    store = Store("a.rec")
    store.load()
    assert store.save(b"one") is True
    assert Store("a.rec").load() == b"one"


def test_a_write_that_fails_is_told_and_leaves_the_old_content():
    store = Store("a.rec")
    store.save(b"one")
    os.mkdir("a.rec.tmp")
    raises(OSError, store.save, b"two")
    assert Store("a.rec").load() == b"one"
    os.rmdir("a.rec.tmp")
    assert store.save(b"two") is True
    assert Store("a.rec").load() == b"two"


def test_flash_that_cannot_be_read_is_not_taken_for_absent():
    os.mkdir("a.rec")
    raises(OSError, Store("a.rec").load)


def test_each_write_has_a_sequence_of_its_own():
    store = Store("a.rec")
    seen = set()
    for payload in (b"a", b"b", b"a"):
        store.save(payload)
        seen.add(content("a.rec"))
    assert len(seen) == 3
    again = Store("a.rec")
    again.load()
    again.save(b"b")
    assert content("a.rec") not in seen
