"""Stores daily bars in Redis as one columnar blob per asset.

New bars are merged by optimistic writes in a bounded number of round trips.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from financehub_shared.core.chunks import chunks
from financehub_shared.core.errors import CorruptDataError, StoreUnavailableError
from financehub_shared.core.models import Bars
from financehub_shared.market.encoding.packing import HEADER_SIZE, Header, check_size, read_header
from financehub_shared.market.encoding.record_names import bars_record
from financehub_shared.market.encoding.series import decode_bars, encode_bars, merge_bars, replace_bars
from financehub_shared.market.repository import BATCH, RedisRepository, check_reply, translate_errors
from financehub_shared.market.unreadable import Unreadable
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
    def put_bars(
        self, bars: Iterable[Bars], *, first_days: Mapping[str, int] | None = None, unreadable: Unreadable | None = None
    ) -> None:
        fresh: dict[str, Bars] = {}
        for each in bars:
            fresh[each.symbol] = merge_bars(fresh[each.symbol], each) if each.symbol in fresh else each
        for batch in chunks([each for each in fresh.values() if len(each)], BLOB_BATCH):
            pending = batch
            for _ in range(_ROUNDS):
                pending = self._merge(pending, first_days or {}, unreadable)
                if not pending:
                    break
            else:
                symbols = ", ".join(each.symbol for each in pending)
                raise StoreUnavailableError(
                    f"the bars of {symbols} were not stored: other writers changed them {_ROUNDS} times in a row"
                )

    def _merge(self, batch: Sequence[Bars], first_days: Mapping[str, int], unreadable: Unreadable | None) -> list[Bars]:
        """Merge and write one batch; return the bars that another writer changed in the meantime.

        Stored bars that cannot be read are kept, because new bars could not replace their history.
        """
        blobs = self._get_each([keys.bars(each.symbol) for each in batch])
        written: list[Bars] = []
        arguments: list[bytes] = []
        for each, blob in zip(batch, blobs, strict=True):
            try:
                check_reply(bars_record(each.symbol), blob)
                old = decode_bars(each.symbol, blob) if blob else None
                merged = encode_bars(replace_bars(old, each, first_days.get(each.symbol)) if old is not None else each)
            except CorruptDataError as error:
                self._note(each.symbol, error, unreadable)
                continue
            if merged != blob:
                written.append(each)
                arguments += [(blob or b"")[:HEADER_SIZE], merged]
        if not written:
            return []
        names = [keys.bars(each.symbol) for each in written]
        done = self._redis.eval(REPLACE_UNCHANGED, len(names), *names, *arguments)
        return [each for each, was_done in zip(written, done, strict=True) if not was_done]

    @translate_errors
    def bars(self, symbols: Sequence[str], *, unreadable: Unreadable | None = None) -> dict[str, Bars]:
        found: dict[str, Bars] = {}
        for batch in chunks(symbols, BLOB_BATCH):
            replies = zip(batch, self._get_each([keys.bars(symbol) for symbol in batch]), strict=True)
            blobs = {symbol: blob for symbol, blob in replies if blob}
            decoded = self._decode_each(blobs, decode_bars, bars_record, unreadable)
            found |= {symbol: bars for symbol, bars in decoded.items() if len(bars)}
        return found

    @translate_errors
    def last_days(self, symbols: Sequence[str], *, unreadable: Unreadable | None = None) -> dict[str, int]:
        found: dict[str, int] = {}
        for batch in chunks(symbols, BATCH):
            heads = read_heads(self._redis, batch)
            headers = self._decode_each(heads, decode_head, bars_record, unreadable)
            found |= {symbol: header.last_day for symbol, header in headers.items() if header.rows}
        return found


def read_heads(client: Any, symbols: Sequence[str]) -> dict[str, Any]:
    """Read the bytes that identify each blob of bars, without its bars, in one round trip.

    Returns:
        Symbol → (header, size of the blob in bytes), or Redis's error. Symbols without bars are left out.
    """
    pipe = client.pipeline(transaction=False)
    for symbol in symbols:
        pipe.getrange(keys.bars(symbol), 0, HEADER_SIZE - 1)
        pipe.strlen(keys.bars(symbol))
    replies = pipe.execute(raise_on_error=False)
    heads = zip(symbols, replies[::2], replies[1::2], strict=True)
    return {symbol: raw if isinstance(raw, Exception) else (raw, size) for symbol, raw, size in heads if raw}


def decode_head(symbol: str, head: tuple[bytes, int]) -> Header:
    """Decode the header of a blob of bars, and compare it with the size of the blob.

    Raises:
        CorruptDataError: The header or the size is wrong.
    """
    raw, size = head
    header = read_header(bars_record(symbol), raw)
    check_size(bars_record(symbol), header, size)
    return header
