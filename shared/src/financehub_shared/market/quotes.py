"""Stores quotes in one Redis hash. Each value begins with an order prefix, by which Redis keeps the newer quote."""

from collections.abc import Iterable, Sequence

from financehub_shared.core.chunks import chunks
from financehub_shared.core.models import Quote
from financehub_shared.market.encoding.records import QUOTE_ORDER_LENGTH, decode_quote, encode_quote, quote_fetched_at
from financehub_shared.market.repository import BATCH, RedisRepository, translate_errors
from financehub_shared.redis import keys

# EVAL instead of EVALSHA saves the second round trip after Redis restarts or fails over.
_KEEP_NEWER = f"""
for i = 1, #ARGV, 2 do
  local stored = redis.call('HGET', KEYS[1], ARGV[i])
  if not stored or string.sub(stored, 1, {QUOTE_ORDER_LENGTH}) <= string.sub(ARGV[i + 1], 1, {QUOTE_ORDER_LENGTH}) then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  end
end
"""


class QuoteRepository(RedisRepository):
    """Reads and writes quotes."""

    @translate_errors
    def put_quotes(self, quotes: Iterable[Quote]) -> None:
        pipe = self._redis.pipeline(transaction=False)
        for batch in chunks(quotes, BATCH):
            pairs = (part for quote in batch for part in (quote.symbol, encode_quote(quote)))
            pipe.eval(_KEEP_NEWER, 1, keys.QUOTES, *pairs)
        pipe.execute()

    @translate_errors
    def quotes(self, symbols: Sequence[str] | None = None) -> dict[str, Quote]:
        if symbols is None:
            found = {symbol.decode(): raw for symbol, raw in self._redis.hgetall(keys.QUOTES).items()}
        else:
            raws = self._redis.hmget(keys.QUOTES, symbols) if symbols else []
            found = dict(zip(symbols, raws, strict=True))
        return {symbol: decode_quote(symbol, raw) for symbol, raw in found.items() if raw is not None}

    @translate_errors
    def quotes_fetched_at(self, symbols: Sequence[str]) -> dict[str, float]:
        found: dict[str, float] = {}
        for batch in chunks(symbols, BATCH):
            for symbol, raw in zip(batch, self._redis.hmget(keys.QUOTES, batch), strict=True):
                # a record without a complete prefix is damaged; its readers report that, so it counts as missing here
                if raw and len(prefix := raw[:QUOTE_ORDER_LENGTH]) == QUOTE_ORDER_LENGTH and prefix.isdigit():
                    found[symbol] = quote_fetched_at(raw)
        return found
