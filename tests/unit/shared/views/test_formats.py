"""Tests of the formats of values in views."""

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.redis.text import LATEST_TIME
from financehub_shared.views.formats import decimal_text, iso_time, optional_decimal_text


def test_iso_time_is_utc_with_milliseconds() -> None:
    """Times have one format: ISO 8601 in UTC with milliseconds."""
    assert iso_time(1_800_000_000.1234) == "2027-01-15T08:00:00.123Z"


@pytest.mark.parametrize("at", [None, float("nan"), float("inf"), -2.0, LATEST_TIME + 1.0])
def test_iso_time_of_a_time_that_no_calendar_shows_is_none(at: float | None) -> None:
    """A missing time, and a number that is not a time, yield None and no error."""
    assert iso_time(at) is None


@given(at=st.floats(0, LATEST_TIME))
def test_iso_time_is_read_back_to_the_millisecond(at: float) -> None:
    """A program that parses the text gets the time, cut off to milliseconds."""
    text = iso_time(at)
    assert text is not None
    assert -1e-4 <= at - datetime.fromisoformat(text).timestamp() < 0.0011


@given(number=st.decimals(allow_nan=False, allow_infinity=False))
def test_decimal_text_keeps_every_digit_without_an_exponent(number: Decimal) -> None:
    """The text of a number has all of its digits, and no exponent, which some parsers do not know."""
    assert Decimal(decimal_text(number)) == number
    assert "e" not in decimal_text(number).lower()
    assert optional_decimal_text(number) == decimal_text(number)


def test_optional_decimal_text_of_none_is_none() -> None:
    """A number that is missing stays missing."""
    assert optional_decimal_text(None) is None
