"""Conversion of Redis replies to strings."""

import pytest

from financehub_shared.redis.text import decode, decode_fields, decode_hash, read_number


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


@pytest.mark.parametrize("text", ["1796004810.7425163", "1.7960048107425163e+9", "1.7960048107425163e9"])
def test_number_that_any_server_writes_is_read(text: str):
    """Redis and Valkey write the same number of a Lua script in different forms."""
    assert read_number(text) == 1796004810.7425163


@pytest.mark.parametrize("text", [None, "", "nan", "inf", "1e99", "-1e15", "0x10", "1_000", "1e+400", "٣", "1 "])
def test_damaged_number_counts_as_missing(text: str | None):
    """A number that no writer of FinanceHub writes is not read, and neither is one that no field can have."""
    assert read_number(text) is None
