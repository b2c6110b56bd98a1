"""Stores indicators in Redis: a hash of the newest values for listings, and one columnar blob of series per asset."""

from collections.abc import Iterable, Sequence

from financehub_shared.core.chunks import chunks
from financehub_shared.core.errors import CorruptDataError
from financehub_shared.core.models import Indicators, IndicatorValues
from financehub_shared.market.bars import BLOB_BATCH
from financehub_shared.market.encoding.record_names import indicator_record, series_record
from financehub_shared.market.encoding.records import decode_indicator_values, encode_indicator_values
from financehub_shared.market.encoding.series import decode_series, encode_series, newest_values
from financehub_shared.market.key_types import reads, writes
from financehub_shared.market.repository import BATCH, RedisRepository, translate_errors
from financehub_shared.market.unreadable import Unreadable
from financehub_shared.redis import keys
from financehub_shared.redis.text import decode

_TYPES = {indicator_record("").whole(): b"hash"}


class IndicatorRepository(RedisRepository):
    """Reads and writes indicators."""

    @translate_errors
    @writes(_TYPES)
    def put_indicators(self, indicators: Iterable[Indicators]) -> None:
        for batch in chunks(indicators, BLOB_BATCH):
            heads = {each.symbol: encode_indicator_values(newest_values(each)) for each in batch}
            pipe = self._redis.pipeline(transaction=True)  # readers never see new values next to an old series
            pipe.mset({keys.indicator_series(each.symbol): encode_series(each) for each in batch})
            pipe.hset(keys.INDICATORS, mapping=heads)
            pipe.execute()

    @translate_errors
    @reads(_TYPES, dict)
    def indicators(
        self, symbols: Sequence[str] | None = None, *, unreadable: Unreadable | None = None
    ) -> dict[str, IndicatorValues]:
        if symbols is None:
            found = {decode(symbol): raw for symbol, raw in self._redis.hscan_iter(keys.INDICATORS, count=BATCH)}
        else:
            raws = self._redis.hmget(keys.INDICATORS, symbols) if symbols else []
            found = {symbol: raw for symbol, raw in zip(symbols, raws, strict=True) if raw is not None}
        return self._decode_each(found, decode_indicator_values, indicator_record, unreadable)

    @translate_errors
    @reads(_TYPES, dict)
    def indicators_computed_at(self, symbols: Sequence[str]) -> dict[str, float]:
        found: dict[str, float] = {}
        for batch in chunks(symbols, BATCH):
            for symbol, raw in zip(batch, self._redis.hmget(keys.INDICATORS, batch), strict=True):
                try:
                    if raw:
                        found[symbol] = decode_indicator_values(symbol, raw).computed_at
                except CorruptDataError:
                    # its readers report the damage; here it counts as missing
                    continue
        return found

    @translate_errors
    def indicator_series(self, symbol: str) -> Indicators | None:
        (blob,) = self._get_each([keys.indicator_series(symbol)])
        return self._decode_each({symbol: blob} if blob else {}, decode_series, series_record).get(symbol)
