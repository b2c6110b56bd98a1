"""Stores the times of the last full read of each asset in one Redis hash."""

from collections.abc import Mapping, Sequence

from financehub_shared.core.chunks import chunks
from financehub_shared.market.encoding.fields import Fields, dumps
from financehub_shared.market.encoding.record_names import full_read_record
from financehub_shared.market.key_types import reads, writes
from financehub_shared.market.quality.full_reads import FullRead
from financehub_shared.market.repository import BATCH, RedisRepository, translate_errors
from financehub_shared.redis import keys

_TYPES = {full_read_record("").whole(): b"hash"}


class FullReadRepository(RedisRepository):
    """Reads and writes the times of full reads."""

    @translate_errors
    @reads(_TYPES, dict)
    def full_reads(self, symbols: Sequence[str]) -> dict[str, FullRead]:
        found: dict[str, FullRead] = {}
        for batch in chunks(symbols, BATCH):
            replies = zip(batch, self._redis.hmget(keys.FULL_READS, batch), strict=True)
            stored = {symbol: raw for symbol, raw in replies if raw is not None}
            # The history of an asset whose record cannot be read is read again, which replaces the record.
            found |= self._decode_each(stored, _decode, full_read_record)
        return found

    @translate_errors
    @writes(_TYPES)
    def put_full_reads(self, reads: Mapping[str, FullRead]) -> None:
        for batch in chunks(list(reads.items()), BATCH):
            encoded = {symbol: dumps({"at": read.at, "due": read.due}) for symbol, read in batch}
            self._redis.hset(keys.FULL_READS, mapping=encoded)

    @translate_errors
    @writes(_TYPES)
    def request_full_reads(self, symbols: Sequence[str]) -> None:
        for batch in chunks(symbols, BATCH):
            self._redis.hdel(keys.FULL_READS, *batch)


def _decode(symbol: str, raw: bytes) -> FullRead:
    fields = Fields(full_read_record(symbol), raw)
    return FullRead(fields.time("at"), fields.time("due"))
