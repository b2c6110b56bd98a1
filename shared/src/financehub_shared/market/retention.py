"""Deletes data past its retention, in short batches that never delete a value that was just written."""

from collections.abc import Callable, Iterator, Mapping

from financehub_shared.core.chunks import chunks
from financehub_shared.core.errors import CorruptDataError
from financehub_shared.market.bars import BLOB_BATCH, REPLACE_UNCHANGED, decode_head, read_heads
from financehub_shared.market.encoding.disputes import decode_dispute, dispute_record
from financehub_shared.market.encoding.history import symbol_and_day
from financehub_shared.market.encoding.packing import HEADER_SIZE
from financehub_shared.market.encoding.record_names import (
    bars_record,
    history_key,
    indicator_record,
    news_index_record,
    quote_record,
)
from financehub_shared.market.encoding.records import (
    QUOTE_ORDER_LENGTH,
    decode_indicator_values,
    decode_news,
    decode_quote,
    has_order,
    quote_fetched_at,
)
from financehub_shared.market.encoding.series import decode_bars, encode_bars, trim_bars
from financehub_shared.market.key_types import reads
from financehub_shared.market.news import NEWS_TYPES
from financehub_shared.market.quarantine import QUARANTINE_TYPES, drop_quarantined
from financehub_shared.market.repository import BATCH, RedisRepository, check_reply, translate_errors
from financehub_shared.market.unreadable import Unreadable
from financehub_shared.redis import keys
from financehub_shared.redis.text import decode

# Deletes each field that still begins with the value read, so a newer value stays. Returns 1 or 0 per field.
_DELETE_UNCHANGED = """
local done = {}
for i = 1, #ARGV, 2 do
  local stored = redis.call('HGET', KEYS[1], ARGV[i])
  local same = stored and string.sub(stored, 1, #ARGV[i + 1]) == ARGV[i + 1]
  done[#done + 1] = same and redis.call('HDEL', KEYS[1], ARGV[i]) or 0
end
return done
"""


_NEWS_TYPES = NEWS_TYPES | {news_index_record(keys.NEWS_GUIDS): b"hash", news_index_record(keys.NEWS_TITLES): b"zset"}


class Retention(RedisRepository):
    """Deletes data past its retention.

    A quote, indicator record or blob that cannot be read is reported and kept, for a person to inspect or for the newer
    release that wrote it. The age of prices is in the name of their key, and that of news items and
    quarantine records is in an index, so they are deleted in time even if they cannot be read.
    """

    @translate_errors
    def drop_older(
        self,
        *,
        quotes_before: float,
        history_before_day: int,
        bars_before_day: int,
        news_before: float,
        quarantine_before: float,
        dry_run: bool,
        unreadable: Unreadable | None = None,
    ) -> dict[str, int]:
        found: Unreadable = {} if unreadable is None else unreadable
        if not dry_run:
            self._drop_disputes(quotes_before, unreadable=found)
        return {
            "quotes": self._drop_quotes(quotes_before, unreadable=found, dry_run=dry_run),
            "history": self._drop_history(history_before_day, found, dry_run=dry_run),
            "bars": self._drop_bars(bars_before_day, found, dry_run=dry_run),
            "indicators": self._drop_indicators(bars_before_day, unreadable=found, dry_run=dry_run),
            "news": self._drop_news(news_before, unreadable=found, dry_run=dry_run),
            "quarantine": self._drop_quarantined(quarantine_before, unreadable=found, dry_run=dry_run),
        }

    @reads({dispute_record("").whole(): b"hash"}, lambda: None)
    def _drop_disputes(self, before: float, unreadable: Unreadable) -> None:
        """Delete disputes about assets that are no longer fetched."""

        def is_old(symbol: str, raw: bytes) -> bool:
            return decode_dispute(symbol, raw).last_seen_at < before

        for old in self._old_fields(keys.DISPUTES, is_old, unreadable):
            self._delete_unchanged(keys.DISPUTES, old)

    @reads({quote_record("").whole(): b"hash"}, int)
    def _drop_quotes(self, before: float, unreadable: Unreadable, *, dry_run: bool) -> int:
        def is_old(symbol: str, raw: bytes) -> bool:
            # Only quotes that would be deleted are decoded completely.
            may_be_old = not has_order(raw) or quote_fetched_at(raw) < before
            return may_be_old and decode_quote(symbol, raw).fetched_at < before

        dropped: set[bytes] = set()  # a set, because HSCAN may return a field twice
        for old in self._old_fields(keys.QUOTES, is_old, unreadable):
            dropped.update(old if dry_run else self._delete_unchanged(keys.QUOTES, old))
        return len(dropped)

    @reads({indicator_record("").whole(): b"hash"}, int)
    def _drop_indicators(self, before_day: int, unreadable: Unreadable, *, dry_run: bool) -> int:
        def is_old(symbol: str, raw: bytes) -> bool:
            return decode_indicator_values(symbol, raw).last_day < before_day

        dropped: set[bytes] = set()
        for old in self._old_fields(keys.INDICATORS, is_old, unreadable):
            fields = list(old) if dry_run else self._delete_unchanged(keys.INDICATORS, old)
            if fields and not dry_run:
                self._redis.unlink(*(keys.indicator_series(decode(field)) for field in fields))
            dropped.update(fields)
        return len(dropped)

    def _old_fields(
        self, name: str, is_old: Callable[[str, bytes], bool], unreadable: Unreadable
    ) -> Iterator[dict[bytes, bytes]]:
        """Yield the old fields of a hash, one page at a time."""
        cursor = None
        while cursor != 0:
            cursor, page = self._redis.hscan(name, cursor or 0, count=BATCH)
            old = {}
            for field, raw in page.items():
                try:
                    if is_old(decode(field), raw):
                        old[field] = raw
                except CorruptDataError as error:
                    self._note(error.key, error, unreadable)
            if old:
                yield old

    def _delete_unchanged(self, name: str, read: Mapping[bytes, bytes]) -> list[bytes]:
        pairs = (part for field, raw in read.items() for part in (field, raw[:QUOTE_ORDER_LENGTH]))
        done = self._redis.eval(_DELETE_UNCHANGED, 1, name, *pairs)
        return [field for field, was_done in zip(read, done, strict=True) if was_done]

    def _drop_history(self, before_day: int, unreadable: Unreadable, *, dry_run: bool) -> int:
        """Delete the prices of old days; return the number of keys. They also expire, but later if the setting changed.

        The name of a key contains its day, so the type and the content do not matter.
        """
        dropped: set[bytes] = set()  # a set, because SCAN may return a key twice
        for page in chunks(self._redis.scan_iter(match=keys.history("*", "*"), count=BATCH), BATCH):
            old = []
            for name in page:
                _, day = symbol_and_day(decode(name))
                if day is None:
                    error = history_key(decode(name)).corrupt("does not end with a day")
                    self._note(error.key, error, unreadable)
                elif day < before_day:
                    old.append(name)
            if old and not dry_run:
                self._redis.unlink(*old)
            dropped.update(old)
        return len(dropped)

    def _drop_bars(self, before_day: int, unreadable: Unreadable, *, dry_run: bool) -> int:
        dropped: dict[str, int] = {}  # a dict, because SCAN may return a key twice
        cursor = None
        while cursor != 0:
            cursor, names = self._redis.scan(cursor or 0, match=keys.bars("*"), count=BLOB_BATCH)
            symbols = {decode(name).removeprefix(keys.bars("")) for name in names}
            trimmed = self._trimmed(sorted(symbols - dropped.keys()), before_day, unreadable)
            if trimmed and not dry_run:
                arguments = (part for head, blob, _ in trimmed.values() for part in (head, blob))
                done = self._redis.eval(REPLACE_UNCHANGED, len(trimmed), *map(keys.bars, trimmed), *arguments)
                # bars that changed in the meantime wait for the next cleanup
                trimmed = {symbol: trimmed[symbol] for symbol, was_done in zip(trimmed, done, strict=True) if was_done}
            dropped |= {symbol: count for symbol, (_, _, count) in trimmed.items()}
        return sum(dropped.values())

    def _trimmed(
        self, symbols: list[str], before_day: int, unreadable: Unreadable
    ) -> dict[str, tuple[bytes, bytes, int]]:
        """Map each symbol with old bars to (header as read, blob without the old bars, number of old bars)."""
        trimmed = {}
        for symbol, head in read_heads(self._redis, symbols).items():
            try:
                check_reply(bars_record(symbol), head)
                if decode_head(symbol, head).first_day >= before_day:
                    continue
                blob = self._redis.get(keys.bars(symbol)) or b""
                bars = decode_bars(symbol, blob)
            except CorruptDataError as error:
                self._note(error.key, error, unreadable)
                continue
            kept = trim_bars(bars, before_day)
            trimmed[symbol] = blob[:HEADER_SIZE], encode_bars(kept) if len(kept) else b"", len(bars) - len(kept)
        return trimmed

    @reads(_NEWS_TYPES, int)
    def _drop_news(self, before: float, unreadable: Unreadable, *, dry_run: bool) -> int:
        if dry_run:
            return int(self._redis.zcount(keys.NEWS_BY_TIME, "-inf", f"({before!r}"))
        dropped = 0
        damaged: set[bytes] = set()
        while ids := self._redis.zrangebyscore(keys.NEWS_BY_TIME, "-inf", f"({before!r}", start=0, num=BATCH):
            raws = self._redis.hmget(keys.NEWS, ids)
            pipe = self._redis.pipeline(transaction=True)
            for id, raw in zip(ids, raws, strict=True):
                try:
                    item = decode_news(decode(id), raw or b"")
                except CorruptDataError as error:
                    self._note(error.key, error, unreadable)
                    damaged.add(id)
                    continue
                pipe.hdel(keys.NEWS_GUIDS, f"{item.source}|{item.guid}")  # an earlier release may have stored it
            pipe.hdel(keys.NEWS, *ids)
            pipe.zrem(keys.NEWS_BY_TIME, *ids)
            pipe.execute()
            dropped += len(ids)
        self._redis.zremrangebyscore(keys.NEWS_TITLES, "-inf", f"({before!r}")
        self._trim_asset_indexes(before, unreadable)
        if damaged:
            self._drop_guids(damaged)
        return dropped

    @reads(QUARANTINE_TYPES, int)
    def _drop_quarantined(self, before: float, unreadable: Unreadable, *, dry_run: bool) -> int:  # noqa: ARG002 the decorator reads `unreadable`
        return drop_quarantined(self._redis, before, dry_run=dry_run)

    def _trim_asset_indexes(self, before: float, unreadable: Unreadable) -> None:
        """Remove old news items from the indexes of all assets, including assets that were removed."""
        for names in chunks(self._redis.scan_iter(match=keys.news_by_asset("*"), count=BATCH), BATCH):
            pipe = self._redis.pipeline(transaction=False)
            for name in names:
                pipe.zremrangebyscore(name, "-inf", f"({before!r}")
            for name, reply in zip(names, pipe.execute(raise_on_error=False), strict=True):
                try:
                    check_reply(news_index_record(decode(name)), reply)
                except CorruptDataError as error:
                    self._note(error.key, error, unreadable)

    def _drop_guids(self, ids: set[bytes]) -> None:
        """Remove the guids of deleted news items whose records could not be read."""
        for guid, id in self._redis.hscan_iter(keys.NEWS_GUIDS, count=BATCH):
            if id in ids:
                self._redis.hdel(keys.NEWS_GUIDS, guid)
