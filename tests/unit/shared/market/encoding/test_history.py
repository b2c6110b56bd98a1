"""Tests of the records of price histories."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.models import Quality
from financehub_shared.market.encoding.history import (
    RECORD_SIZE,
    StoredPoint,
    decode_points,
    encode_point,
    symbol_and_day,
)
from financehub_shared.redis import keys
from support.market_data import T0, quote

DAY = int(T0 // DAY_SECONDS)
_, RECORD = encode_point(quote(price="1.5"))
POINT = StoredPoint(T0, 1.5, unconfirmed=False, simulated=False)

times = st.floats(0, 4e9, allow_nan=False)
prices = st.floats(1e-18, 1e18).map(repr)


@given(at=times, price=prices, quality=st.sampled_from(Quality), simulated=st.booleans())
def test_point_of_any_quote_is_read_as_it_was_written(at: float, price: str, quality: Quality, simulated: bool):
    """The time is exact to the millisecond, the price to 16 digits, and a record belongs to the day of its time."""
    provider = "simulated/yahoo" if simulated else "yahoo"
    day, record = encode_point(quote(price=price, fetched_at=at, quality=quality, provider=provider))
    ([point], damaged) = decode_points(day, record)
    assert (len(record), damaged) == (RECORD_SIZE, 0)
    assert point.price == float(price)
    assert -1e-6 <= at - point.at < 0.001_002
    assert point.at // DAY_SECONDS == day
    assert (point.unconfirmed, point.simulated) == (quality is Quality.UNCONFIRMED, simulated)


@pytest.mark.parametrize(("upstream_at", "expected"), [(None, T0), (T0 + 60, T0), (T0 - 0.25, T0 - 0.25), (-5.0, 0.0)])
def test_point_has_the_time_of_the_price(upstream_at: float | None, expected: float):
    """A missing time and one after the fetch count as the fetch time, and none is before 1970."""
    day, record = encode_point(quote(upstream_at=upstream_at))
    assert decode_points(day, record)[0][0].at == expected


@given(st.binary(max_size=100))
def test_decode_of_any_bytes_returns_only_valid_points(blob: bytes):
    """Whatever a key contains, each whole or partial record is either a valid point or counted."""
    points, damaged = decode_points(DAY, blob)
    assert len(points) + damaged == -(-len(blob) // RECORD_SIZE)
    for point in points:
        assert DAY * DAY_SECONDS <= point.at < (DAY + 1) * DAY_SECONDS
        assert 1e-21 <= point.price <= 1e18


@given(st.text(st.characters(max_codepoint=127), max_size=60))
def test_decode_of_text_returns_nothing(text: str):
    """Text that another program writes into a key never looks like a price, and neither do zeros."""
    assert decode_points(DAY, text.encode())[0] == []
    assert decode_points(DAY, bytes(len(text)))[0] == []


@pytest.mark.parametrize("price", [float("nan"), float("inf"), float("-inf"), 0.0, -1.0, 1e19, 1e-22])
def test_decode_of_an_impossible_price_leaves_it_out(price: float):
    """A price that FinanceHub never writes is counted, and its neighbors are returned."""
    wrong = RECORD[:4] + struct.pack("<d", price)
    assert decode_points(DAY, RECORD + wrong + RECORD) == ([POINT, POINT], 1)


@pytest.mark.parametrize("size", range(1, RECORD_SIZE))
def test_decode_of_an_incomplete_record_counts_it(size: int):
    """A part of a record at the end costs no other record."""
    assert decode_points(DAY, RECORD + RECORD[:size]) == ([POINT], 1)


@pytest.mark.parametrize("version", [0, 1, 2, 3, 4, 5, 7])
def test_decode_of_another_version_leaves_it_out(version: int):
    """A record of a newer release is counted as unreadable."""
    number = int.from_bytes(RECORD[:4], "little") & (1 << 29) - 1 | version << 29
    assert decode_points(DAY, struct.pack("<Id", number, 1.5)) == ([], 1)


def test_decode_of_a_time_beyond_the_day_leaves_it_out():
    """A day has 86,400,000 milliseconds."""
    last, beyond = (struct.pack("<Id", 6 << 29 | time, 1.5) for time in (86_399_999, 86_400_000))
    assert decode_points(DAY, last + beyond) == ([POINT._replace(at=(DAY + 1) * DAY_SECONDS - 0.001)], 1)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (keys.history("AAPL", 20_833), ("AAPL", 20_833)),
        (keys.history("A:B", 0), ("A:B", 0)),
        (keys.history("AAPL", "x"), ("AAPL", None)),
        (keys.history("AAPL", "٣"), ("AAPL", None)),
        (keys.history("AAPL", "-1"), ("AAPL", None)),
        (keys.history("AAPL", "9" * 5_000), ("AAPL", None)),
        ("financehub:history:x", ("", None)),
    ],
)
def test_symbol_and_day_of_any_key(key: str, expected: tuple[str, int | None]):
    """The day follows the last colon. A name without a day, which another program chose, has none."""
    assert symbol_and_day(key) == expected
