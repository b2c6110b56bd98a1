"""Parsing of untrusted JSON values and titles."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.errors import MalformedError
from financehub_shared.providers.transport import parse, strict_json
from financehub_shared.providers.transport.plain_text import plain_text


@pytest.mark.parametrize("value", ["1_000", "٣", "NaN", "Infinity", "1e99999999", "", "0x10", True, None, [], {}, "1 "])
def test_number_with_an_invalid_value_raises(value: Any):
    """Only plain finite decimal numbers are accepted."""
    with pytest.raises(MalformedError):
        parse.number("upstream", value, "price")


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("0.00012300", "0.00012300"),
        (5, "5"),
        (Decimal("1.5"), "1.5"),
        ("1e-8", "1E-8"),
        ("-3", "-3"),
        ("1e308", "1E+308"),
        ("1." + "3" * 50, "1." + "3" * 27),
        (Decimal("0." + "7" * 5_000), "0." + "7" * 27 + "8"),
        (10**400, "1." + "0" * 27 + "E+400"),
        (1.5, "1.5"),
    ],
)
def test_number_with_a_decimal_keeps_up_to_28_digits(value: Any, number: str):
    """Decimal strings keep their digits, as far as the store can hold them. Size and sign are left to validation."""
    assert str(parse.number("upstream", value, "price")) == number


@pytest.mark.parametrize("value", [-1, 10_000_000_000_000, "x", "1e300", None])
def test_seconds_with_an_invalid_time_raises(value: Any):
    """A valid Unix time is between 1970 and 2286."""
    with pytest.raises(MalformedError):
        parse.seconds("upstream", value, "t")


@given(st.binary(max_size=200))
def test_strict_json_with_any_bytes_returns_json_or_raises(body: bytes):
    """For any bytes, the result is a JSON value or a MalformedError."""
    try:
        value = strict_json.loads("upstream", body)
    except MalformedError:
        return
    assert value is None or isinstance(value, (dict, list, str, int, Decimal))


@given(st.text(max_size=300))
def test_plain_text_of_any_title_is_one_printable_line(markup: str):
    """For any title, the text has no control characters, no line breaks and at most 300 characters."""
    text = plain_text(markup)
    assert len(text) <= 300
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in text)
    assert text == " ".join(text.split())


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("AT&amp;T &lt;b&gt; up", "AT&T <b> up"),
        ("<b>Bitcoin</b> rises<script>alert(1)</script>", "Bitcoin rises"),
        ("Is 5 < 6?", "Is 5 < 6?"),
        ("red\x1b[31m\u202ealert\n\ttwo", "red[31malert two"),
        ("", ""),
        (None, ""),
    ],
)
def test_plain_text_removes_markup_and_decodes_entities(markup: object, text: str):
    """Tags, scripts, escape sequences and direction marks are removed, and entities are decoded."""
    assert plain_text(markup) == text
