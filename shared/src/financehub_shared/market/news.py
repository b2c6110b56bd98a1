"""Stores news in Redis: a hash of news items, indexes by time and by asset, and indexes for deduplication."""

from collections.abc import Iterable, Sequence
from math import inf
from typing import Any

import redis

from financehub_shared.core.chunks import chunks
from financehub_shared.core.errors import CorruptDataError, StoreUnavailableError
from financehub_shared.core.models import NewsItem
from financehub_shared.market.dedupe.identity import NewsIdentity, identify
from financehub_shared.market.dedupe.known_news import DroppedNews, KnownNews
from financehub_shared.market.encoding.record_names import NEWS_KEY, news_index_record, news_record
from financehub_shared.market.encoding.records import decode_news, encode_news
from financehub_shared.market.key_types import reads, writes
from financehub_shared.market.news_index import NewsIndex
from financehub_shared.market.repository import BATCH, RedisRepository, check_reply, translate_errors
from financehub_shared.market.unreadable import ReportUnreadable
from financehub_shared.redis import keys
from financehub_shared.redis.text import decode

#: Each lost race means that another writer succeeded, so a few rounds resolve any realistic contention.
_ROUNDS = 20
_STORIES = keys.news_stories(0).removesuffix("0")


_INDEXES = (news_index_record(keys.NEWS_BY_TIME), news_index_record(keys.NEWS_SEEN))
NEWS_TYPES = {NEWS_KEY: b"hash"} | dict.fromkeys(_INDEXES, b"zset")


class NewsRepository(RedisRepository):
    """Reads and writes news."""

    def __init__(self, client: redis.Redis, report: ReportUnreadable | None = None) -> None:
        super().__init__(client, report)
        self._index = NewsIndex(self._redis, self._report)

    @translate_errors
    @writes(NEWS_TYPES)
    def put_news(
        self, items: Iterable[NewsItem], *, oldest: float = float("-inf"), dropped: DroppedNews | None = None
    ) -> int:
        counts = DroppedNews() if dropped is None else dropped
        return sum(self._put_batch(batch, oldest, counts) for batch in chunks(items, BATCH))

    def _put_batch(self, batch: Sequence[NewsItem], oldest: float, dropped: DroppedNews) -> int:
        """Read the known news items and write the new ones. Start over if another writer interfered."""
        identities = [identify(item) for item in batch]
        for _ in range(_ROUNDS):
            with self._redis.pipeline(transaction=True) as pipe:
                pipe.watch(keys.NEWS_BY_TIME)
                known = self._known(batch, identities, oldest)
                verdicts = list(map(known.judge, batch, identities))
                new = [item for item, verdict in zip(batch, verdicts, strict=True) if verdict is None]
                pipe.multi()
                written_keys = [*_queue_writes(pipe, new), *self._index.queue_writes(pipe, known)]
                try:
                    replies = pipe.execute(raise_on_error=False)
                except redis.WatchError:
                    continue
                for key, reply in zip(written_keys, replies, strict=True):
                    self._check_index(key, reply)
                for item, verdict in zip(batch, verdicts, strict=True):
                    if verdict is not None:
                        dropped.add(item, verdict)
                return len(new)
        raise StoreUnavailableError(f"news was not stored: other writers changed it {_ROUNDS} times in a row")

    def _known(self, batch: Sequence[NewsItem], identities: Sequence[NewsIdentity], oldest: float) -> KnownNews:
        return self._index.known(batch, identities, oldest)

    def _check_index(self, key: str, reply: object) -> None:
        """Report an unusable index that covers only some news items, and raise every other error of Redis."""
        if isinstance(reply, Exception) and not key.startswith((keys.news_by_asset(""), _STORIES)):
            raise reply
        try:
            check_reply(news_index_record(key), reply)
        except CorruptDataError as error:
            self._report(error)

    @translate_errors
    @reads(NEWS_TYPES, list)
    def news(self, symbol: str | None = None, *, limit: int = 50, until: float = inf) -> list[NewsItem]:
        index = keys.NEWS_BY_TIME if symbol is None else keys.news_by_asset(symbol)
        found: list[NewsItem] = []
        start, wanted = 0, limit
        # More than one round is needed only if some of the newest items cannot be read.
        while wanted > 0:
            try:
                ids = self._redis.zrevrangebyscore(index, until, "-inf", start=start, num=wanted)
            except redis.ResponseError as error:
                self._check_index(index, error)
                ids = []
            raws = self._redis.hmget(keys.NEWS, ids) if ids else []
            stored = {decode(id): raw for id, raw in zip(ids, raws, strict=True) if raw is not None}
            found += self._decode_each(stored, decode_news, news_record).values()
            start += len(ids)
            wanted = limit - len(found) if len(ids) == wanted else 0
        return found


def _queue_writes(pipe: Any, new: Sequence[NewsItem]) -> list[str]:
    """Queue the writes of new items, and return the key that each command writes."""
    if not new:
        return []
    times = {item.id: item.published_at for item in new}
    pipe.hset(keys.NEWS, mapping={item.id: encode_news(item) for item in new})
    pipe.zadd(keys.NEWS_BY_TIME, times)
    written = [keys.NEWS, keys.NEWS_BY_TIME]
    for symbol in {symbol for item in new for symbol in item.assets}:
        pipe.zadd(keys.news_by_asset(symbol), {item.id: times[item.id] for item in new if symbol in item.assets})
        written.append(keys.news_by_asset(symbol))
    return written
