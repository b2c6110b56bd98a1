"""Conversion of Redis replies to strings."""

from financehub_shared.redis.text import decode, decode_fields, decode_hash


def test_decode_with_bytes_text_or_number_returns_text():
    """Bytes are decoded, and other values are converted to strings."""
    assert [decode("é".encode()), decode("é"), decode(3)] == ["é", "é", "3"]


def test_decode_with_invalid_bytes_replaces_them():
    """Bytes that are not UTF-8 do not raise."""
    assert decode(b"a\xff") == "a\ufffd"


def test_decode_hash_decodes_names_and_values():
    """The HGETALL reply is converted to a dictionary of strings."""
    assert decode_hash({b"state": b"running"}) == {"state": "running"}


def test_decode_fields_leaves_missing_fields_out():
    """The HMGET reply is converted to a dictionary of the existing fields."""
    assert decode_fields(["state", "error"], [b"running", None]) == {"state": "running"}
