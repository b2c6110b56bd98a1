"""Indicators in Redis: a hash of last values, which listings read, and a columnar blob of the series per asset."""

from collections.abc import Iterable, Sequence

from financehub_shared.core.errors import CorruptDataError
from financehub_shared.core.models import Indicators, IndicatorValues
from financehub_shared.market.bars import BLOB_BATCH
from financehub_shared.market.records import decode_indicator_values, encode_indicator_values
from financehub_shared.market.repository import BATCH, RedisPart, chunks, translated
from financehub_shared.market.series import decode_series, encode_series, newest_values
from financehub_shared.redis import keys


class RedisIndicators(RedisPart):
    """The indicators part of the store's port."""

    @translated
    def put_indicators(self, indicators: Iterable[Indicators]) -> None:
        for batch in chunks(list(indicators), BLOB_BATCH):
            heads = {each.symbol: encode_indicator_values(newest_values(each)) for each in batch}
            pipe = self._redis.pipeline(transaction=True)  # a reader never sees new values beside an old series
            pipe.mset({keys.indicator_series(each.symbol): encode_series(each) for each in batch})
            pipe.hset(keys.INDICATORS, mapping=heads)
            pipe.execute()

    @translated
    def indicators(self, symbols: Sequence[str] | None = None) -> dict[str, IndicatorValues]:
        if symbols is None:
            found = {symbol.decode(): raw for symbol, raw in self._redis.hscan_iter(keys.INDICATORS, count=BATCH)}
        else:
            raws = self._redis.hmget(keys.INDICATORS, symbols) if symbols else []
            found = {symbol: raw for symbol, raw in zip(symbols, raws, strict=True) if raw}
        return {symbol: decode_indicator_values(symbol, raw) for symbol, raw in found.items()}

    @translated
    def indicators_computed_at(self, symbols: Sequence[str]) -> dict[str, float]:
        found: dict[str, float] = {}
        for batch in chunks(symbols):
            for symbol, raw in zip(batch, self._redis.hmget(keys.INDICATORS, batch), strict=True):
                try:
                    if raw:
                        found[symbol] = float(decode_indicator_values(symbol, raw).computed_at)
                except (CorruptDataError, TypeError, ValueError):
                    # its readers report it; here it is as good as absent
                    continue
        return found

    @translated
    def indicator_series(self, symbol: str) -> Indicators | None:
        blob = self._redis.get(keys.indicator_series(symbol))
        return decode_series(symbol, blob) if blob else None
