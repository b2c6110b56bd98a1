"""Reads the accepted prices of an asset, which `put_quotes` appends to one Redis string per asset and day."""

from collections.abc import Callable
from typing import Any, TypeVar

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import CorruptDataError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Bars, PriceHistory
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
