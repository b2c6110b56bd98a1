"""Keeps the keys of earlier news items in Redis for deduplication, for longer than the news items themselves.

A feed may keep an entry for years. Therefore, the keys of links and guids are kept until no source has had them for two
weeks, even if the news item was dropped, or stored and deleted since then.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from financehub_shared.core.chunks import chunks
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import CorruptDataError
from financehub_shared.core.models import NewsItem
from financehub_shared.market.dedupe.identity import NewsIdentity, identify, story_buckets
from financehub_shared.market.dedupe.known_news import KnownNews, KnownStory, StoryPlace
from financehub_shared.market.encoding.record_names import news_story_record
from financehub_shared.market.encoding.records import decode_news
from financehub_shared.market.repository import BATCH, check_reply
from financehub_shared.market.unreadable import ReportUnreadable
from financehub_shared.redis import keys
from financehub_shared.redis.text import decode

#: Time in seconds for which a key is kept after a source last had it. A feed that responds 'not modified' is read in
#: full once a week, so all its entries are seen within this time.
SEEN_SECONDS = 14 * DAY_SECONDS
#: Largest number of keys. They belong to about 70,000 news items and take 25 MB. Above this number, the keys that have
#: not been seen for the longest time are deleted.
SEEN_LIMIT = 200_000
#: Time in seconds for which the key of a story is kept. It equals the default retention of news.
STORY_SECONDS = 30 * DAY_SECONDS


class NewsIndex:
    """Reads and writes the keys of known news items.

    Args:
        client: Connection to the data Redis.
        report: Receives each record that cannot be read.
    """

    def __init__(self, client: Any, report: ReportUnreadable) -> None:
        self._redis = client
        self._report = report

    def known(self, items: Sequence[NewsItem], identities: Sequence[NewsIdentity], oldest: float) -> KnownNews:
        """Return what is known about news items, in one round trip.

        Args:
            items: News items, at least one.
            identities: The identity of each item, in the same order.
            oldest: News items that were published before this time in Unix seconds are too old.
        """
        links = sorted({identity.link for identity in identities})
        others = sorted({key for identity in identities for key in _keys(identity)})
        places: defaultdict[int, set[str]] = defaultdict(set)
        for item, identity in zip(items, identities, strict=True):
            if identity.story:
                for bucket in story_buckets(identity, item.published_at):
                    places[bucket].add(identity.story)
        pipe = self._redis.pipeline(transaction=False)
        pipe.zcard(keys.NEWS_SEEN)
        pipe.zcard(keys.NEWS_BY_TIME)
        pipe.hlen(keys.NEWS)  # a key of another type must be found before anything is written
        pipe.zmscore(keys.NEWS_BY_TIME, links)
        pipe.zmscore(keys.NEWS_SEEN, links + others)
        for bucket, stories in places.items():
            pipe.hmget(keys.news_stories(bucket), list(stories))
        indexed, news, items_stored, stored, seen, *told = pipe.execute(raise_on_error=False)
        for reply in (indexed, news, items_stored, stored, seen):
            if isinstance(reply, Exception):
                raise reply
        if news and not indexed:
            self._index_stored(items[0].fetched_at)
            return self.known(items, identities, oldest)
        times = {link: 0.0 for link, at in zip(links, stored, strict=True) if at is not None}
        times |= {key: at for key, at in zip(links + others, seen, strict=True) if at is not None}
        known: dict[StoryPlace, KnownStory] = {}
        for (bucket, stories), reply in zip(places.items(), told, strict=True):
            known |= self._decode(bucket, dict.fromkeys(stories), reply)
        return KnownNews(times, known, oldest)

    def queue_writes(self, pipe: Any, known: KnownNews) -> list[str]:
        """Queue the writes for all judged items, and return the key that each command writes."""
        written = []
        by_bucket: defaultdict[int, dict[str, str]] = defaultdict(dict)
        for (bucket, story), told in known.new_stories.items():
            by_bucket[bucket][story] = f"{told.published_at!r} {told.words} {told.id}"
        for bucket, values in by_bucket.items():
            key = keys.news_stories(bucket)
            pipe.hset(key, mapping=values)
            pipe.expire(key, int(STORY_SECONDS))
            written += [key, key]
        if known.sighted:
            pipe.zadd(keys.NEWS_SEEN, known.sighted, gt=True)
            pipe.zremrangebyscore(keys.NEWS_SEEN, "-inf", max(known.sighted.values()) - SEEN_SECONDS)
            pipe.zremrangebyrank(keys.NEWS_SEEN, 0, -SEEN_LIMIT - 1)
            written += [keys.NEWS_SEEN] * 3
        return written

    def _decode(self, bucket: int, stories: Iterable[str], reply: Any) -> dict[StoryPlace, KnownStory]:
        """Return the known stories of one bucket. A value that cannot be read is reported and left out."""
        found: dict[StoryPlace, KnownStory] = {}
        try:
            check_reply(news_story_record(bucket, None), reply)
        except CorruptDataError as error:
            self._report(error)
            return found
        for story, raw in zip(stories, reply, strict=True):
            if raw is None:
                continue
            try:
                published_at, words, id = decode(raw).split(" ")
                found[bucket, story] = KnownStory(float(published_at), words, id)
            except ValueError:
                self._report(news_story_record(bucket, story).corrupt("is not a time, a key and an id"))
        return found

    def _index_stored(self, now: float) -> None:
        """Index the news items that an earlier release stored."""
        ids = self._redis.zrange(keys.NEWS_BY_TIME, 0, -1)
        for batch in chunks(ids, BATCH):
            known = KnownNews({}, {}, float("-inf"))
            for id, raw in zip(batch, self._redis.hmget(keys.NEWS, batch), strict=True):
                try:
                    item = decode_news(decode(id), raw or b"")
                except CorruptDataError as error:
                    self._report(error)
                    known.sighted[decode(id)] = now
                else:
                    known.judge(item, replace(identify(item), undated_title=""))
            known.sighted = dict.fromkeys(known.sighted, now)
            pipe = self._redis.pipeline(transaction=True)
            self.queue_writes(pipe, known)
            pipe.execute()


def _keys(identity: NewsIdentity) -> list[str]:
    title = [identity.undated_title] if identity.undated_title else []
    return [*identity.guids, *identity.former_guids, *title]
