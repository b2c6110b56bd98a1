"""Reads the accepted prices of an asset, which `put_quotes` appends to one Redis string per asset and day."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import CorruptDataError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Bars, PriceHistory
from financehub_shared.market.closes import Closes, closes_of, plain_closes
from financehub_shared.market.encoding.history import StoredPoint, decode_points
from financehub_shared.market.encoding.record_names import (
    RecordName,
    asset_record,
    bars_record,
    history_record,
    quote_record,
)
from financehub_shared.market.encoding.records import decode_asset, price_day
from financehub_shared.market.encoding.series import decode_bars
from financehub_shared.market.history_candles import MAX_RANGE_DAYS
from financehub_shared.market.quality.history_points import build_history
from financehub_shared.market.repository import RedisRepository, check_reply, translate_errors
from financehub_shared.market.unreadable import Unreadable
from financehub_shared.redis import keys

T = TypeVar("T")


class HistoryRepository(RedisRepository):
    """Reads price histories."""

    @translate_errors
    def history(self, symbol: str, start: float, end: float, *, unreadable: Unreadable | None = None) -> PriceHistory:
        newest, asset, bars = self._context(symbol, unreadable)
        last = int(end // DAY_SECONDS) if newest is None else newest
        first = max(int(start // DAY_SECONDS), last - MAX_RANGE_DAYS)
        stored: list[StoredPoint] = []
        days = range(first, last + 1)
        for day, reply in zip(days, self._get_each([keys.history(symbol, day) for day in days]), strict=True):
            stored += self._decode(symbol, day, reply, unreadable)
        has_scale = asset is AssetType.STOCK
        return build_history(symbol, stored, bars, has_scale=has_scale, start=start, end=end)

    @translate_errors
    def closes(
        self, symbols: Mapping[str, AssetType], start: float, end: float, *, unreadable: Unreadable | None = None
    ) -> dict[str, Closes]:
        """Return the last prices of the intervals in a time range, for the assets that have any.

        They equal those of the candles of `history`, but are read for many assets with one round trip. Assets whose
        stored prices a rule may change need a second one.

        Args:
            symbols: Symbol → type of the assets.
            start: Start of the range in Unix seconds, inclusive. It is the start of an hour.
            end: End of the range in Unix seconds, exclusive.
            unreadable: Receives an error for each day with records that cannot be read, by its key.
        """
        days = range(int(start // DAY_SECONDS), int(end // DAY_SECONDS) + 1)
        replies = iter(self._get_each([keys.history(symbol, day) for symbol in symbols for day in days]))
        found: dict[str, Closes | None] = {}
        doubtful: dict[str, list[StoredPoint]] = {}
        for symbol, type in symbols.items():
            blobs = {day: next(replies) for day in days}
            if all(reply is None or isinstance(reply, bytes) for reply in blobs.values()):
                stored = [(day, blob) for day, blob in blobs.items() if blob]
                plain = plain_closes(stored, start, end, has_scale=type is AssetType.STOCK)
                if plain is not None or not stored:
                    found[symbol] = plain
                    continue
            doubtful[symbol] = [
                point for day, reply in blobs.items() for point in self._decode(symbol, day, reply, unreadable)
            ]
        stocks = [symbol for symbol in doubtful if symbols[symbol] is AssetType.STOCK]
        bars = self._bars_of(stocks, unreadable)
        for symbol, points in doubtful.items():
            is_stock = symbols[symbol] is AssetType.STOCK
            history = build_history(symbol, points, bars.get(symbol), has_scale=is_stock, start=start, end=end)
            found[symbol] = closes_of(history.points)
        return {symbol: closes for symbol, closes in found.items() if closes}

    def _bars_of(self, symbols: Sequence[str], unreadable: Unreadable | None) -> dict[str, Bars]:
        replies = self._get_each([keys.bars(symbol) for symbol in symbols])
        stored = {symbol: reply for symbol, reply in zip(symbols, replies, strict=True) if reply is not None}
        return self._decode_each(stored, decode_bars, bars_record, unreadable)

    def _context(self, symbol: str, unreadable: Unreadable | None) -> tuple[int | None, AssetType | None, Bars | None]:
        """Return the day of the newest price, the type of the asset and its bars. None for what cannot be read."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.hget(keys.QUOTES, symbol)
        pipe.hget(keys.ASSETS, symbol)
        pipe.get(keys.bars(symbol))
        quote, asset, bars = pipe.execute(raise_on_error=False)

        def read(name: RecordName, reply: Any, decode: Callable[[str, bytes], T]) -> T | None:
            try:
                check_reply(name.whole(), reply)
                return decode(symbol, reply) if reply else None
            except CorruptDataError as error:
                self._note(error.key, error, unreadable)
                return None

        return (
            read(quote_record(symbol), quote, price_day),
            read(asset_record(symbol), asset, lambda symbol, raw: decode_asset(symbol, raw).type),
            read(bars_record(symbol), bars, decode_bars),
        )

    def _decode(self, symbol: str, day: int, reply: Any, unreadable: Unreadable | None) -> list[StoredPoint]:
        """Return the readable records of one day, and report the others."""
        name = history_record(symbol, day)
        try:
            check_reply(name, reply)
        except CorruptDataError as error:
            self._note(error.key, error, unreadable)
            return []
        points, damaged = decode_points(day, reply or b"")
        if damaged:
            problem = name.corrupt(f"{damaged} of its {damaged + len(points)} records cannot be read")
            self._note(problem.key, problem, unreadable)
        return points
