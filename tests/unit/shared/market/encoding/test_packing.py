"""Tests of the columnar blob: exact values, size limits and detection of damage."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.errors import CorruptDataError, NewerRecordError
from financehub_shared.market.encoding.fields import MAX_DAY
from financehub_shared.market.encoding.packing import HEADER_SIZE, pack, read_header, unpack
from financehub_shared.market.encoding.record_names import bars_record
from financehub_shared.market.encoding.series import encode_bars, encode_series
from support.market_data import bars, indicators

NAME = bars_record("AAPL")
DAYS = st.lists(st.integers(1 - MAX_DAY, MAX_DAY - 1), unique=True, max_size=40).map(sorted)
FLOATS = st.floats(width=64)


@st.composite
def tables(draw: st.DrawFn) -> "tuple[bytes, array[int], list[array[float]]]":
    """Draw metadata, days and columns of one length."""
    days = array("i", draw(DAYS))
    column = st.lists(FLOATS, min_size=len(days), max_size=len(days)).map(lambda values: array("d", values))
    return draw(st.binary(max_size=80)), days, draw(st.lists(column, max_size=6))


@given(tables())
def test_unpack_returns_the_packed_table_bit_by_bit(table: "tuple[bytes, array[int], list[array[float]]]"):
    """Every day and every float is returned unchanged, including NaN payloads."""
    meta, days, columns = table
    read_meta, read_days, read_columns = unpack(NAME, pack(meta, days, columns))
    assert (read_meta, read_days) == (meta, days)
    assert [column.tobytes() for column in read_columns] == [column.tobytes() for column in columns]


@given(tables())
def test_read_header_returns_shape_and_days(table: "tuple[bytes, array[int], list[array[float]]]"):
    """The first bytes contain the number of rows and columns, and the first and last day."""
    meta, days, columns = table
    header = read_header(NAME, pack(meta, days, columns)[:HEADER_SIZE])
    assert (header.rows, header.columns) == (len(days), len(columns))
    assert (header.first_day, header.last_day) == ((days[0], days[-1]) if days else (0, 0))


@given(tables(), st.data())
def test_unpack_with_a_flipped_bit_raises(table: "tuple[bytes, array[int], list[array[float]]]", data: st.DataObject):
    """A flipped bit anywhere, including the header, raises an error."""
    blob = bytearray(pack(*table))
    position = data.draw(st.integers(0, len(blob) * 8 - 1))
    blob[position // 8] ^= 1 << position % 8
    with pytest.raises(CorruptDataError, match="removes it"):
        unpack(NAME, bytes(blob))


@given(tables(), st.data())
def test_unpack_of_a_cut_or_extended_blob_raises(
    table: "tuple[bytes, array[int], list[array[float]]]", data: st.DataObject
):
    """A blob whose length has changed raises an error."""
    blob = pack(*table)
    cut = blob[: data.draw(st.integers(0, len(blob) - 1))]
    for damaged in (cut, blob + b"\0"):
        with pytest.raises(CorruptDataError):
            unpack(NAME, damaged)


def test_unpack_of_a_later_version_names_key_and_version():
    """A blob from a later release raises a specific error that names the key and the format version."""
    blob = b"\x09" + encode_bars(bars("AAPL", [1]))[1:]
    message = r"^financehub:bars:AAPL: has the format version 9; this release reads version 1; a newer release wrote it"
    with pytest.raises(NewerRecordError, match=message):
        unpack(NAME, blob)


def test_encoded_500_bars_take_at_most_25_kb():
    """500 bars take at most 25 kB, and each additional bar takes 44 bytes."""
    blob = encode_bars(bars("BTC-USD", range(500), provider="simulated/binance"))
    assert len(blob) <= 25_000
    assert len(encode_bars(bars("BTC-USD", range(501), provider="simulated/binance"))) - len(blob) == 44


def test_encoded_24_series_take_at_most_21_kb():
    """100 values of each of 24 outputs take at most 21 kB."""
    series = {f"output_{number}": [float(number)] * 100 for number in range(24)}
    assert len(encode_series(indicators(**series))) <= 21_000


@pytest.mark.parametrize(
    ("days", "columns", "problem"),
    [
        pytest.param([1, 2], [[1.0]], "1", id="short column"),
        pytest.param([2, 1], [[1.0, 2.0]], "ascend", id="days out of order"),
        pytest.param([1, 1], [[1.0, 2.0]], "ascend", id="a day twice"),
    ],
)
def test_pack_of_an_invalid_table_raises(days: list[int], columns: list[list[float]], problem: str):
    """A table that could not be read back correctly is refused when it is packed."""
    with pytest.raises(ValueError, match=problem):
        pack(b"", array("i", days), [array("d", column) for column in columns])
