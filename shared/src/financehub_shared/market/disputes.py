"""Stores open disputes about quotes in one Redis hash that maps symbols to JSON."""

from collections.abc import Mapping

from financehub_shared.market.encoding.disputes import decode_dispute, dispute_record, encode_dispute
from financehub_shared.market.key_types import reads, writes
from financehub_shared.market.quality.disputes import Dispute
from financehub_shared.market.repository import RedisRepository, translate_errors
from financehub_shared.market.unreadable import Unreadable
from financehub_shared.redis import keys
from financehub_shared.redis.text import decode

_TYPES = {dispute_record("").whole(): b"hash"}


class DisputeRepository(RedisRepository):
    """Reads and writes disputes. Only a few are open at a time, so they are all read together."""

    @translate_errors
    @reads(_TYPES, dict)
    def disputes(self, *, unreadable: Unreadable | None = None) -> dict[str, Dispute]:
        stored = {decode(symbol): raw for symbol, raw in self._redis.hgetall(keys.DISPUTES).items()}
        return self._decode_each(stored, decode_dispute, dispute_record, unreadable)

    @translate_errors
    @writes(_TYPES)
    def put_disputes(self, disputes: Mapping[str, Dispute | None]) -> None:
        pipe = self._redis.pipeline(transaction=False)
        for symbol, dispute in disputes.items():
            if dispute is None:
                pipe.hdel(keys.DISPUTES, symbol)
            else:
                pipe.hset(keys.DISPUTES, symbol, encode_dispute(dispute))
        pipe.execute()
