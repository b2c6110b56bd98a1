"""Stores daily bars in Redis as one columnar blob per asset.

New bars are merged by optimistic writes in a bounded number of round trips.
"""

from collections.abc import Iterable, Sequence

from financehub_shared.core.chunks import chunks
from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.core.models import Bars
from financehub_shared.market.encoding.packing import HEADER_SIZE, read_header
from financehub_shared.market.encoding.record_names import bars_record
from financehub_shared.market.encoding.series import decode_bars, encode_bars, merge_bars
from financehub_shared.market.repository import BATCH, RedisRepository, translate_errors
from financehub_shared.redis import keys

#: Blobs per round trip. 100 blobs of 22 kB are 2 MB, which keep Redis busy for a few milliseconds.
BLOB_BATCH = 100
#: Each lost race means that another writer succeeded, so a few rounds resolve any realistic contention.
_ROUNDS = 20

# Replaces each blob whose header (with length and checksum) is unchanged since it was read. Returns 1 or 0 per blob.
REPLACE_UNCHANGED = f"""
local done = {{}}
for i = 1, #KEYS do
  if redis.call('GETRANGE', KEYS[i], 0, {HEADER_SIZE - 1}) == ARGV[2 * i - 1] then
    if ARGV[2 * i] == '' then redis.call('UNLINK', KEYS[i]) else redis.call('SET', KEYS[i], ARGV[2 * i]) end
    done[i] = 1
  else
    done[i] = 0
  end
end
return done
"""


class BarRepository(RedisRepository):
    """Reads and writes daily bars."""

    @translate_errors
    def put_bars(self, bars: Iterable[Bars]) -> None:
        fresh: dict[str, Bars] = {}
        for each in bars:
            fresh[each.symbol] = merge_bars(fresh[each.symbol], each) if each.symbol in fresh else each
        for batch in chunks([each for each in fresh.values() if len(each)], BLOB_BATCH):
            pending = batch
            for _ in range(_ROUNDS):
                pending = self._merge(pending)
                if not pending:
                    break
            else:
                symbols = ", ".join(each.symbol for each in pending)
                raise StoreUnavailableError(
                    f"the bars of {symbols} were not stored: other writers changed them {_ROUNDS} times in a row"
                )

    def _merge(self, batch: Sequence[Bars]) -> list[Bars]:
        """Merge and write one batch; return the bars that another writer changed in the meantime."""
        blobs = self._redis.mget([keys.bars(each.symbol) for each in batch])
        written: list[Bars] = []
        arguments: list[bytes] = []
        for each, blob in zip(batch, blobs, strict=True):
            merged = encode_bars(merge_bars(decode_bars(each.symbol, blob), each) if blob else each)
            if merged != blob:
                written.append(each)
                arguments += [(blob or b"")[:HEADER_SIZE], merged]
        if not written:
            return []
        names = [keys.bars(each.symbol) for each in written]
        done = self._redis.eval(REPLACE_UNCHANGED, len(names), *names, *arguments)
        return [each for each, was_done in zip(written, done, strict=True) if not was_done]

    @translate_errors
    def bars(self, symbols: Sequence[str]) -> dict[str, Bars]:
        found: dict[str, Bars] = {}
        for batch in chunks(symbols, BLOB_BATCH):
            blobs = self._redis.mget([keys.bars(symbol) for symbol in batch])
            found |= {symbol: decode_bars(symbol, blob) for symbol, blob in zip(batch, blobs, strict=True) if blob}
        return found

    @translate_errors
    def last_days(self, symbols: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for batch in chunks(symbols, BATCH):
            pipe = self._redis.pipeline(transaction=False)
            for symbol in batch:
                pipe.getrange(keys.bars(symbol), 0, HEADER_SIZE - 1)
            for symbol, head in zip(batch, pipe.execute(), strict=True):
                if head:
                    found[symbol] = read_header(bars_record(symbol), head).last_day
        return found
