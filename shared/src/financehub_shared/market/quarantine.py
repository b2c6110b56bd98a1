"""Stores rejected data in the quarantine: one record for each kind, symbol, provider and class of reason.

A kind has a hash of records and a sorted set of its fields by the time of the last rejection. If there are too many
records of a kind, the oldest records with its most frequent class of reason are deleted. So thousands of dead coins do
not displace records of another kind or with another reason.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from math import inf
from typing import Any

from financehub_shared.core.chunks import chunks
from financehub_shared.core.errors import CorruptDataError
from financehub_shared.core.models import PAYLOAD_LIMIT, REASON_LIMIT, Quarantined
from financehub_shared.market.encoding.fields import Fields, dumps
from financehub_shared.market.encoding.record_names import quarantine_index_record, quarantine_record
from financehub_shared.market.key_types import reads, writes
from financehub_shared.market.protocols import QUARANTINE_LIMIT
from financehub_shared.market.repository import BATCH, RedisRepository, check_reply, translate_errors
from financehub_shared.redis import keys
from financehub_shared.redis.text import decode

_KINDS = ("bar", "news", "quote")
QUARANTINE_TYPES = {
    quarantine_index_record(keys.QUARANTINE_KINDS): b"set",
    **{quarantine_record(kind, "").whole(): b"hash" for kind in _KINDS},
    **{quarantine_index_record(keys.quarantine_by_time(kind)): b"zset" for kind in _KINDS},
}
#: Records per script call. With full payloads, they take 0.3 MB.
_PUT_BATCH = 100
#: The beginning of a record: the time of the first rejection and the number of rejections.
_HEAD = re.compile(rb"(\d{1,11}(?:\.\d+)?) (\d{1,16}) ")

# Adds rejections to their records. The text of a record is the time of the first rejection, the number of rejections,
# and the newest rejection as JSON. The next rejection replaces a record that cannot be read.
# KEYS: records, fields by time, kinds. ARGV: kind, limit, then field, time, number of rejections and JSON of each.
_PUT = """
local records, by_time = KEYS[1], KEYS[2]
for i = 3, #ARGV, 4 do
  local field, at, count, json = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local first_at = at
  local stored = redis.call('HGET', records, field) or ''
  local old_first_at, old_count = string.match(string.sub(stored, 1, 60), '^(%d+%.?%d*) (%d+) ')
  if old_first_at then
    if tonumber(old_first_at) < tonumber(at) then first_at = old_first_at end
    count = string.format('%.0f', math.min(tonumber(old_count) + tonumber(count), 2 ^ 53 - 1))
    local last_at = redis.call('ZSCORE', by_time, field)
    if last_at and tonumber(last_at) > tonumber(at) then
      at, json = last_at, string.sub(stored, #old_first_at + #old_count + 3)
    end
  end
  redis.call('HSET', records, field, first_at .. ' ' .. count .. ' ' .. json)
  redis.call('ZADD', by_time, at, field)
end
local excess = redis.call('ZCARD', by_time) - tonumber(ARGV[2])
while excess > 0 do
  local by_class, most = {}, {}
  for _, field in ipairs(redis.call('ZRANGE', by_time, 0, -1)) do
    local class = string.match(field, '^[^|]*|([^|]*)') or ''
    local fields = by_class[class] or {}
    by_class[class] = fields
    fields[#fields + 1] = field
    if #fields > #most then most = fields end
  end
  for i = 1, math.min(excess, #most) do
    redis.call('HDEL', records, most[i])
    redis.call('ZREM', by_time, most[i])
  end
  excess = excess - #most
end
redis.call('SADD', KEYS[3], ARGV[1])
"""

# Deletes records whose last rejection is too old, and the kind if none is left. Returns the number of deleted records.
# KEYS: records, fields by time, kinds. ARGV: kind, time, largest number of records.
_DROP = """
local old = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[2], 'LIMIT', 0, ARGV[3])
for _, field in ipairs(old) do
  redis.call('HDEL', KEYS[1], field)
  redis.call('ZREM', KEYS[2], field)
end
if redis.call('ZCARD', KEYS[2]) == 0 then redis.call('SREM', KEYS[3], ARGV[1]) end
return #old
"""


class QuarantineRepository(RedisRepository):
    """Reads and writes rejected data and the reasons for its rejection."""

    @translate_errors
    @writes(QUARANTINE_TYPES)
    def put_quarantined(self, records: Iterable[Quarantined]) -> None:
        by_kind: defaultdict[str, list[Quarantined]] = defaultdict(list)
        for record in records:
            by_kind[record.kind].append(record)
        for kind, of_kind in by_kind.items():
            for batch in chunks(of_kind, _PUT_BATCH):
                arguments = (part for record in batch for part in _encode(record))
                self._redis.eval(_PUT, 3, *_keys_of(kind), kind, QUARANTINE_LIMIT, *arguments)

    @translate_errors
    def quarantined(
        self, *, kind: str | None = None, symbol: str | None = None, limit: int = 100, until: float = inf
    ) -> list[Quarantined]:
        newest_first = sorted((row for row in self._fields(kind, symbol) if row[0] <= until), reverse=True)
        found: list[Quarantined] = []
        while newest_first and len(found) < limit:
            page, newest_first = newest_first[: limit - len(found)], newest_first[limit - len(found) :]
            found += self._read(page)
        return found

    @translate_errors
    @writes(QUARANTINE_TYPES)
    def clear_quarantined(self, *, kind: str | None = None, symbol: str | None = None) -> int:
        removed = 0
        for batch in chunks(self._fields(kind, symbol), BATCH):
            pipe = self._redis.pipeline(transaction=True)
            for _, of_kind, field in batch:
                pipe.hdel(keys.quarantine(of_kind), field)
                pipe.zrem(keys.quarantine_by_time(of_kind), field)
            removed += sum(pipe.execute()[1::2])
        return removed

    def _fields(self, kind: str | None, symbol: str | None) -> Iterator[tuple[float, str, bytes]]:
        """Yield (time of the last rejection, kind, field) of the selected records."""
        for each in self._stored_kinds() if kind is None else [kind]:
            for field, at in self._fields_by_time(each):
                if symbol is None or decode(field).split("|", 2)[-1].casefold() == symbol.casefold():
                    yield at, each, field

    @reads(QUARANTINE_TYPES, lambda: list(_KINDS))
    def _stored_kinds(self) -> list[str]:
        return _kinds(self._redis)

    @reads(QUARANTINE_TYPES, list)
    def _fields_by_time(self, kind: str) -> list[tuple[bytes, float]]:
        found: list[tuple[bytes, float]] = self._redis.zrange(keys.quarantine_by_time(kind), 0, -1, withscores=True)
        return found

    def _read(self, page: list[tuple[float, str, bytes]]) -> Iterator[Quarantined]:
        pipe = self._redis.pipeline(transaction=False)
        for _, kind, field in page:
            pipe.hget(keys.quarantine(kind), field)
        for (_, kind, field), raw in zip(page, pipe.execute(raise_on_error=False), strict=True):
            try:
                check_reply(quarantine_record(kind, "").whole(), raw)
                if raw is not None:
                    yield _decode(kind, decode(field), raw)
            except CorruptDataError as error:
                self._report(error)


def drop_quarantined(client: Any, before: float, *, dry_run: bool) -> int:
    """Delete the records whose last rejection is older than `before`, or only count them; return their number.

    Args:
        client: Client of the data Redis.
        before: Time in Unix seconds.
        dry_run: Whether to only count the records.
    """
    dropped = 0
    for kind in _kinds(client):
        if dry_run:
            dropped += client.zcount(keys.quarantine_by_time(kind), "-inf", f"({before!r}")
            continue
        full = True
        while full:
            count = client.eval(_DROP, 3, *_keys_of(kind), kind, repr(before), BATCH)
            dropped, full = dropped + count, count == BATCH
    if not dry_run:
        _drop_stream(client, before)
    return dropped


def _drop_stream(client: Any, before: float) -> None:
    """Delete the stream of earlier releases, which is no longer read, once its newest record is too old."""
    if client.type(keys.QUARANTINE_STREAM) != b"stream":
        return
    newest = client.xrevrange(keys.QUARANTINE_STREAM, count=1)
    if not newest or int(newest[0][0].partition(b"-")[0]) / 1000 < before:
        client.unlink(keys.QUARANTINE_STREAM)


def _kinds(client: Any) -> list[str]:
    # the known kinds are always read, so the records stay visible if the set was replaced
    return sorted({*_KINDS, *(decode(kind) for kind in client.smembers(keys.QUARANTINE_KINDS))})


def _keys_of(kind: str) -> tuple[str, str, str]:
    return keys.quarantine(kind), keys.quarantine_by_time(kind), keys.QUARANTINE_KINDS


def _encode(record: Quarantined) -> tuple[bytes, str, int, str]:
    """Return the hash field of a record's key, its time, its number of rejections, and the newest one as JSON."""
    field = f"{record.provider}|{record.reason_class}|{record.symbol}".encode(errors="replace")
    rejection = {"reason": record.reason[:REASON_LIMIT], "payload": record.payload[:PAYLOAD_LIMIT], "at": record.at}
    return field, repr(record.at), record.count, dumps(rejection)


def _decode(kind: str, field: str, raw: bytes) -> Quarantined:
    """Decode a record.

    Raises:
        CorruptDataError: The record is damaged.
    """
    name = quarantine_record(kind, field)
    head, key = _HEAD.match(raw), field.split("|", 2)
    if head is None or len(key) != 3:
        raise name.corrupt("does not begin with a time and a number of rejections")
    fields = Fields(name, raw[head.end() :])
    return Quarantined(
        kind=kind,
        symbol=key[2],
        provider=key[0],
        reason=fields.text("reason"),
        payload=fields.text("payload"),
        at=fields.time("at"),
        first_at=float(head[1]),
        count=int(head[2]),
    )
