"""Stores quotes in one Redis hash. Each value begins with an order prefix, by which Redis keeps the newer quote.

The script that accepts a quote also appends its price to the history of its asset.
"""

from collections.abc import Collection, Iterable, Sequence

from financehub_shared.core.chunks import chunks
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.models import Quote
from financehub_shared.core.setting_defaults import HISTORY_DAYS
from financehub_shared.market.encoding.history import RECORD_SIZE, encode_point
from financehub_shared.market.encoding.record_names import quote_record
from financehub_shared.market.encoding.records import (
    MILLISECOND_DIGITS,
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
from financehub_shared.redis.key_types import set_aside_wrong_keys
from financehub_shared.redis.text import decode

# A stored quote without an order prefix is damaged. A stored quote that was fetched `WRONG_CLOCK_SECONDS` after the new
# quote has the time of a wrong clock. Either would block all later quotes, so the new quote replaces it.
#
# KEYS: the hash of quotes. ARGV: the position in the order prefix from which two quotes are compared, the time to live
# of a new history key in seconds, the day of the prices, their history records in one string (empty if no history is
# kept), and then symbol and quote in turn.
#
# Each accepted quote is appended to the history of its asset, unless it repeats the last record: a run that is retried,
# or a closed market. Foreign bytes at the end of a history are filled up to a whole record, which is never valid, so
# that they do not damage the records after them. Returns the symbols whose history is a key of another type. All quotes
# are read and written together, because each command in a script has a cost.
#
# EVAL instead of EVALSHA saves the second round trip after Redis restarts or fails over.
_KEEP_NEWER = f"""
local redis, string = redis, string
local length, tolerance, size = {QUOTE_ORDER_LENGTH}, {WRONG_CLOCK_SECONDS:.0f} * 1e6, {RECORD_SIZE}
local digits = '^' .. string.rep('%d', length)
local from, ttl, records = tonumber(ARGV[1]), ARGV[2], ARGV[4]
local before_symbol, after_symbol = '{keys.history("", "")[:-1]}', ':' .. ARGV[3]
local function fetched_at(order) return tonumber(string.sub(order, length / 2 + 1)) end
local function append(key, record)
  local total = redis.pcall('APPEND', key, record)
  if type(total) == 'table' then
    if not string.find(total.err, 'WRONGTYPE', 1, true) then redis.call('APPEND', key, record) end
    return false
  end
  local excess = total % size
  if total == size then
    redis.call('EXPIRE', key, ttl)
  elseif excess > 0 then
    redis.call('SETRANGE', key, total - size, string.rep('\\0', size - excess) .. record)
  end
  return true
end
local symbols, stored = {{}}, {{}}
for i = 5, #ARGV, 2 do symbols[#symbols + 1] = ARGV[i] end
for i, quote in ipairs(redis.call('HMGET', KEYS[1], unpack(symbols))) do stored[symbols[i]] = quote end
local accepted, wrong = {{}}, {{}}
for i, symbol in ipairs(symbols) do
  local quote = ARGV[2 * i + 4]
  local old, new = string.match(stored[symbol] or '', digits), string.sub(quote, 1, length)
  if not old or string.sub(old, from) <= string.sub(new, from) or fetched_at(old) > fetched_at(new) + tolerance then
    stored[symbol] = quote
    accepted[#accepted + 1] = symbol
    accepted[#accepted + 1] = quote
    if records ~= '' then
      local key, record = before_symbol .. symbol .. after_symbol, string.sub(records, size * (i - 1) + 1, size * i)
      local may_repeat = old and string.sub(old, 1, {MILLISECOND_DIGITS}) == string.sub(new, 1, {MILLISECOND_DIGITS})
      if not (may_repeat and redis.pcall('GETRANGE', key, -size, -1) == record) and not append(key, record) then
        wrong[#wrong + 1] = symbol
      end
    end
  end
end
if #accepted > 0 then redis.call('HSET', KEYS[1], unpack(accepted)) end
return wrong
"""


#: Compares the upstream's times first, then the fetch times.
_BY_UPSTREAM_TIME = 1
#: Compares the fetch times only, because the stored price is wrong, so its time is not reliable either.
_BY_FETCH_TIME = QUOTE_ORDER_LENGTH // 2 + 1


_TYPES = {quote_record("").whole(): b"hash"}


class QuoteRepository(RedisRepository):
    """Reads and writes quotes."""

    #: Days for which the accepted prices are kept. 0 stores none.
    _history_days = HISTORY_DAYS

    @translate_errors
    @writes(_TYPES)
    def put_quotes(self, quotes: Iterable[Quote], *, replaced: Collection[str] = ()) -> None:
        pending = [
            (_BY_FETCH_TIME if quote.symbol in replaced else _BY_UPSTREAM_TIME, quote, *encode_point(quote))
            for quote in quotes
        ]
        if wrong := self._accept(pending):
            set_aside_wrong_keys(self._redis, dict.fromkeys(wrong, "string"))
            # the quotes are accepted already, so accepting them again only appends them
            self._accept([each for each in pending if keys.history(each[1].symbol, each[2]) in wrong])

    def _accept(self, pending: Iterable[tuple[int, Quote, int, bytes]]) -> set[str]:
        """Store the quotes that are not older than the stored ones, and append them to the history.

        Args:
            pending: For each quote: the first position in the order prefix that counts, the quote, the day of its
                price, and its history record.

        Returns:
            The keys of histories that have another type.
        """
        groups: dict[tuple[int, int], list[tuple[Quote, bytes]]] = {}
        for order, quote, day, record in pending:
            groups.setdefault((order, day), []).append((quote, record))
        # a key is created by the first price of its day, and keeps the last one for as many days as the setting says
        time_to_live = (self._history_days + 1) * DAY_SECONDS
        pipe, sent = self._redis.pipeline(transaction=False), []
        for (order, day), group in groups.items():
            for batch in chunks(group, BATCH):
                records = b"".join(record for _, record in batch) if self._history_days else b""
                pairs = (part for quote, _ in batch for part in (quote.symbol, encode_quote(quote)))
                pipe.eval(_KEEP_NEWER, 1, keys.QUOTES, order, time_to_live, day, records, *pairs)
                sent.append(day)
        replies = zip(sent, pipe.execute(), strict=True)
        return {keys.history(decode(symbol), day) for day, symbols in replies for symbol in symbols}

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
