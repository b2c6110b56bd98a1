"""Encodes the accepted prices of one asset and one day as records of 12 bytes, which Redis can append. Pure.

Layout of a record, little-endian: a number (u32) and the price (f64). The lowest 27 bits of the number are the time
since midnight in UTC in milliseconds. The next two bits mark an unconfirmed and a simulated price. The highest three
bits are the version. They are such that neither zeros nor ASCII text are ever a record.
"""

import re
import struct
import sys
from array import array
from collections.abc import Sequence
from typing import NamedTuple

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.models import Quality, Quote, is_simulated
from financehub_shared.market.encoding.records import STORED_PRICES, price_time
from financehub_shared.redis import keys

_RECORD = struct.Struct("<Id")
#: Bytes of a record.
RECORD_SIZE = _RECORD.size
_VERSION, _VERSION_SHIFT = 6, 29
_SIMULATED, _UNCONFIRMED = 1 << 28, 1 << 27
_TIME_MASK = _UNCONFIRMED - 1
_DAY_MS = DAY_SECONDS * 1_000
_LOWEST, _HIGHEST = map(float, STORED_PRICES)
_DAY = re.compile(r"\d{1,6}", re.ASCII)


class StoredPoint(NamedTuple):
    """One record.

    Args:
        at: Time of the price in Unix seconds.
        price: Price in the major unit.
        unconfirmed: Whether the quality of the quote was unconfirmed.
        simulated: Whether the quote came from the simulator.
    """

    at: float
    price: float
    unconfirmed: bool
    simulated: bool


def encode_point(quote: Quote) -> tuple[int, bytes]:
    """Return the day of a quote's price (since 1970-01-01 in UTC), and its record."""
    day, time = divmod(price_time(quote) // 1_000, _DAY_MS)
    time |= _VERSION << _VERSION_SHIFT
    if quote.quality is Quality.UNCONFIRMED:
        time |= _UNCONFIRMED
    if is_simulated(quote.provider):
        time |= _SIMULATED
    return day, _RECORD.pack(time, float(quote.price))


def decode_points(day: int, blob: bytes) -> tuple[list[StoredPoint], int]:
    """Read the records of one day.

    Args:
        day: The day since 1970-01-01.
        blob: The records in the order in which they were appended.

    Returns:
        The points in the same order, and the number of records that cannot be read. An incomplete last record counts as
        one.
    """
    midnight = day * DAY_SECONDS
    whole = len(blob) - len(blob) % RECORD_SIZE
    points = [
        StoredPoint(
            midnight + (number & _TIME_MASK) / 1_000, price, bool(number & _UNCONFIRMED), bool(number & _SIMULATED)
        )
        for number, price in _RECORD.iter_unpack(memoryview(blob)[:whole])
        if number >> _VERSION_SHIFT == _VERSION
        and number & _TIME_MASK < _DAY_MS
        and _LOWEST <= price <= _HIGHEST  # not true of NaN
    ]
    records = -(-len(blob) // RECORD_SIZE)
    return points, records - len(points)


def plain_times(blob: bytes) -> Sequence[int] | None:
    """Return the times of the records of one day in milliseconds since midnight, if no rule can change these records.

    This takes a hundredth of the time of `decode_points`. It returns None if a record may be damaged, is unconfirmed or
    older than the one before it, or if only some of the records are simulated.
    """
    if len(blob) % RECORD_SIZE:
        return None
    words = array("I", blob)
    if sys.byteorder == "big":
        words.byteswap()
    numbers = words[:: RECORD_SIZE // words.itemsize].tolist()
    if not numbers:
        return numbers
    base = _VERSION << _VERSION_SHIFT | numbers[0] & _SIMULATED
    if numbers[0] < base or numbers[-1] >= base + _DAY_MS or numbers != sorted(numbers):
        return None
    return [number - base for number in numbers]


def is_simulated_record(blob: bytes) -> bool:
    """Whether the first record is simulated. All records that `plain_times` accepts are alike in this."""
    return bool(_RECORD.unpack_from(blob)[0] & _SIMULATED)


def price_at(blob: bytes, index: int) -> float | None:
    """Return the price of a record, or None if it is not a price."""
    price: float = _RECORD.unpack_from(blob, index * RECORD_SIZE)[1]
    return price if _LOWEST <= price <= _HIGHEST else None


def all_prices(blob: bytes) -> list[float]:
    """Return the prices of all records, also those that are not prices."""
    return [price for _, price in _RECORD.iter_unpack(blob)]


def symbol_and_day(key: str) -> tuple[str, int | None]:
    """Return the symbol and the day in the name of a history key. The day is None if the name does not end with one."""
    # a symbol may contain colons
    symbol, _, day = key.removeprefix(keys.history("", "")[:-1]).rpartition(":")
    return symbol, int(day) if _DAY.fullmatch(day) else None
