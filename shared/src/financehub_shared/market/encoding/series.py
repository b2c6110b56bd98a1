"""Encodes bars and indicators as blobs, and merges and trims bars. Pure."""

from array import array
from bisect import bisect_left
from math import isfinite
from typing import Any

from financehub_shared.core.models import Bars, Indicators, IndicatorValues
from financehub_shared.market.encoding.fields import Fields, dumps
from financehub_shared.market.encoding.packing import pack, unpack
from financehub_shared.market.encoding.record_names import bars_record, series_record

_BAR_COLUMNS = 5


def encode_bars(bars: Bars) -> bytes:
    """Pack the bars of one asset.

    Raises:
        ValueError: Columns differ in length, or days are not strictly ascending.
    """
    meta = dumps({"provider": bars.provider}).encode()
    return pack(meta, bars.days, (bars.open, bars.high, bars.low, bars.close, bars.volume))


def decode_bars(symbol: str, blob: bytes) -> Bars:
    """Read the bars of one asset from a blob.

    Raises:
        CorruptDataError: The blob is damaged.
    """
    name = bars_record(symbol)
    meta, days, columns = unpack(name, blob)
    if len(columns) != _BAR_COLUMNS:
        raise name.corrupt(f"has {len(columns)} columns instead of {_BAR_COLUMNS}")
    if not all(isfinite(sum(column)) for column in columns):
        raise name.corrupt("has a price or a volume that is not a finite number")
    return Bars(symbol, Fields(name, meta).text("provider", ""), days, *columns)


_COLUMNS = ("days", "open", "high", "low", "close", "volume")


def trim_bars(bars: Bars, first_day: int) -> Bars:
    """Return the bars from `first_day` on."""
    cut = bisect_left(bars.days, first_day)
    return Bars(bars.symbol, bars.provider, *(getattr(bars, name)[cut:] for name in _COLUMNS))


def replace_bars(old: Bars, new: Bars, first_day: int | None) -> Bars:
    """Merge bars as `merge_bars` does. If `first_day` is not None, the old bars from that day on are removed first."""
    if first_day is not None:
        cut = bisect_left(old.days, first_day)
        old = Bars(old.symbol, old.provider, *(getattr(old, name)[:cut] for name in _COLUMNS))
    return merge_bars(old, new)


def merge_bars(old: Bars, new: Bars) -> Bars:
    """Merge bars by day. `new` replaces `old` on days in both, and the result names the newest bar's provider.

    Merging is associative and idempotent, and empty bars are neutral, so it does not matter how a history was split.
    """
    if not len(new):
        return old
    if not len(old):
        return new
    provider = new.provider if new.days[-1] >= old.days[-1] else old.provider
    replaced = set(new.days)
    cut = bisect_left(old.days, new.days[0])
    if replaced.issuperset(old.days[cut:]):  # the usual case: new bars are appended or replace the tail
        return Bars(new.symbol, provider, *(getattr(old, name)[:cut] + getattr(new, name) for name in _COLUMNS))
    kept = [row for row, day in enumerate(old.days) if day not in replaced]
    days = _pick(old.days, kept) + new.days
    order = sorted(range(len(days)), key=days.__getitem__)
    merged = (_pick(_pick(getattr(old, name), kept) + getattr(new, name), order) for name in _COLUMNS)
    return Bars(new.symbol, provider, *merged)


def _pick(column: "array[Any]", rows: list[int]) -> "array[Any]":
    return array(column.typecode, [column[row] for row in rows])


def encode_series(record: Indicators) -> bytes:
    """Pack the indicator series of one asset.

    Raises:
        ValueError: Series differ in length, or days are not strictly ascending.
    """
    meta = {
        "engine": record.engine,
        "computed_at": record.computed_at,
        "first_day": record.first_day,
        "last_day": record.last_day,
        "bars": record.bars,
        "names": list(record.series),
    }
    return pack(dumps(meta).encode(), record.days, list(record.series.values()))


def decode_series(symbol: str, blob: bytes) -> Indicators:
    """Read the indicator series of one asset from a blob.

    Raises:
        CorruptDataError: The blob is damaged.
    """
    name = series_record(symbol)
    raw_meta, days, columns = unpack(name, blob)
    meta = Fields(name, raw_meta)
    names = meta.texts("names")
    if len(names) != len(columns):
        raise name.corrupt(f"has {len(columns)} columns and {len(names)} names")
    return Indicators(
        symbol=symbol,
        engine=meta.text("engine"),
        computed_at=meta.time("computed_at"),
        first_day=meta.day("first_day"),
        last_day=meta.day("last_day"),
        bars=meta.count("bars"),
        days=days,
        series=dict(zip(names, columns, strict=True)),
    )


def newest_values(record: Indicators) -> IndicatorValues:
    """Return the newest value of each output; undefined (NaN) and infinite values are left out."""
    newest = {name: values[-1] for name, values in record.series.items() if len(values)}
    defined = {name: value for name, value in newest.items() if isfinite(value)}
    return IndicatorValues(record.symbol, record.engine, record.computed_at, record.last_day, defined)
