"""Stores quotes in one Redis hash. Each value begins with an order prefix, by which Redis keeps the newer quote."""

from collections.abc import Collection, Iterable, Sequence

from financehub_shared.core.chunks import chunks
from financehub_shared.core.models import Quote
from financehub_shared.market.encoding.record_names import quote_record
from financehub_shared.market.encoding.records import (
    QUOTE_ORDER_LENGTH,
    decode_quote,
    encode_quote,
    has_order,
    quote_fetched_at,
)
from financehub_shared.market.key_types import reads, writes
from financehub_shared.market.protocols import WRONG_CLOCK_SECONDS
from financehub_shared.market.repository import BATCH, RedisRepository, translate_errors
from financehub_shared.market.unreadable import Unreadable
from financehub_shared.redis import keys
from financehub_shared.redis.text import decode

# A stored quote without an order prefix is damaged. A stored quote that was fetched `WRONG_CLOCK_SECONDS` after the new
# quote has the time of a wrong clock. Either would block all later quotes, so the new quote replaces it.
# The first argument is the position in the order prefix from which both quotes are compared.
# EVAL instead of EVALSHA saves the second round trip after Redis restarts or fails over.
_KEEP_NEWER = f"""
local length, tolerance = {QUOTE_ORDER_LENGTH}, {WRONG_CLOCK_SECONDS:.0f} * 1e6
local digits = '^' .. string.rep('%d', length)
local function fetched_at(order) return tonumber(string.sub(order, length / 2 + 1)) end
local from = tonumber(ARGV[1])
for i = 2, #ARGV, 2 do
  local old = string.match(redis.call('HGET', KEYS[1], ARGV[i]) or '', digits)
  local new = string.sub(ARGV[i + 1], 1, length)
  if not old or string.sub(old, from) <= string.sub(new, from) or fetched_at(old) > fetched_at(new) + tolerance then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  end
end
"""


#: Compares the upstream's times first, then the fetch times.
_BY_UPSTREAM_TIME = 1
#: Compares the fetch times only, because the stored price is wrong, so its time is not reliable either.
_BY_FETCH_TIME = QUOTE_ORDER_LENGTH // 2 + 1


_TYPES = {quote_record("").whole(): b"hash"}


class QuoteRepository(RedisRepository):
    """Reads and writes quotes."""

    @translate_errors
    @writes(_TYPES)
    def put_quotes(self, quotes: Iterable[Quote], *, replaced: Collection[str] = ()) -> None:
        groups: dict[int, list[Quote]] = {_BY_UPSTREAM_TIME: [], _BY_FETCH_TIME: []}
        for quote in quotes:
            groups[_BY_FETCH_TIME if quote.symbol in replaced else _BY_UPSTREAM_TIME].append(quote)
        pipe = self._redis.pipeline(transaction=False)
        for order, group in groups.items():
            for batch in chunks(group, BATCH):
                pairs = (part for quote in batch for part in (quote.symbol, encode_quote(quote)))
                pipe.eval(_KEEP_NEWER, 1, keys.QUOTES, order, *pairs)
        pipe.execute()

    @translate_errors
    @reads(_TYPES, dict)
    def quotes(self, symbols: Sequence[str] | None = None, *, unreadable: Unreadable | None = None) -> dict[str, Quote]:
        if symbols is None:
            found = {decode(symbol): raw for symbol, raw in self._redis.hgetall(keys.QUOTES).items()}
        else:
            raws = self._redis.hmget(keys.QUOTES, symbols) if symbols else []
            found = {symbol: raw for symbol, raw in zip(symbols, raws, strict=True) if raw is not None}
        return self._decode_each(found, decode_quote, quote_record, unreadable)

    @translate_errors
    @reads(_TYPES, dict)
    def quotes_fetched_at(self, symbols: Sequence[str]) -> dict[str, float]:
        found: dict[str, float] = {}
        for batch in chunks(symbols, BATCH):
            for symbol, raw in zip(batch, self._redis.hmget(keys.QUOTES, batch), strict=True):
                # a record without a complete prefix is damaged; its readers report that, so it counts as missing here
                if raw and has_order(raw):
                    found[symbol] = quote_fetched_at(raw)
        return found
