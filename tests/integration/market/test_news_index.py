"""Tests of the index that recognizes known news items: after an upgrade, with damage, and at its limit."""

import json
from dataclasses import replace

import pytest
import redis

from financehub_shared.core.errors import CorruptDataError
from financehub_shared.core.models import NewsItem
from financehub_shared.market import news_index
from financehub_shared.market.dedupe.identity import identify, story_bucket
from financehub_shared.market.dedupe.known_news import DroppedNews
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.redis import keys
from support.market_data import T0, news

TITLES = [f"Smelter {number} in Chile halts copper output" for number in range(40)]


def item_of_feed(number: int, at: float = T0) -> NewsItem:
    """Return a dated item of the current release, whose guid begins with its feed's label."""
    item = news(f"copper/{number}", TITLES[number], at - 60 * number - 600, "HG=F", guid=f"example.com/rss g{number}")
    return replace(item, fetched_at=at)


def store_as_earlier_release(client: redis.Redis, items: list[NewsItem]) -> None:
    """Write items as an earlier release did: with guids that have no label, and without an index of known items."""
    for item in items:
        guid = item.guid.partition(" ")[2]
        record = {
            "title": item.title,
            "url": item.url,
            "source": item.source,
            "published_at": item.published_at,
            "fetched_at": item.fetched_at,
            "provider": item.provider,
            "guid": guid,
            "assets": item.assets,
        }
        client.hset(keys.NEWS, item.id, json.dumps(record))
        client.zadd(keys.NEWS_BY_TIME, {item.id: item.published_at})
        client.zadd(keys.news_by_asset("HG=F"), {item.id: item.published_at})
        client.hset(keys.NEWS_GUIDS, f"{item.source}|{guid}", item.id)
        client.zadd(keys.NEWS_TITLES, {f"{item.id} {item.title.lower()}": item.published_at})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({}, "known-link", id="same link"),
        pytest.param({"id": "new {}"}, "known-guid", id="same guid and title"),
        pytest.param({"id": "new {}", "title": "Smelters in Chile: edition {}"}, "known-guid", id="same guid and date"),
        pytest.param({"id": "new {}", "guid": "", "source": "Gazette"}, "same-title", id="copy of another publisher"),
    ],
)
def test_put_news_after_an_upgrade_recognizes_stored_items(
    redis_client: redis.Redis, changes: dict[str, str], reason: str
) -> None:
    """N7: articles that an earlier release stored are not new after the upgrade."""
    items = [item_of_feed(number) for number in range(40)]
    store_as_earlier_release(redis_client, items)
    redis_client.hset(keys.NEWS, items[0].id, b"?")  # a damaged record must not hide the others
    store, dropped = RedisStore(redis_client, lambda _: None), DroppedNews()
    read_again = [
        replace(item, fetched_at=T0 + 600, **{name: text.format(number) for name, text in changes.items()})  # type: ignore[arg-type]
        for number, item in enumerate(items[1:])
    ]
    assert store.put_news(read_again, dropped=dropped) == 0
    assert dropped.counts == {reason: 39}
    assert store.put_news([replace(items[0], fetched_at=T0 + 600)]) == 0
    assert store.put_news([news("new", "Cobalt mine in Congo floods")]) == 1
    assert len(store.news(limit=100)) == 40


def test_put_news_with_two_feeds_of_an_earlier_release_stores_both(redis_client: redis.Redis) -> None:
    """N7: guid 1 of an earlier release does not hide guid 1 of another feed with the same title."""
    stored = replace(item_of_feed(1), guid="wire.test/rss 1", source="Latest News")
    store_as_earlier_release(redis_client, [stored])
    other = replace(item_of_feed(2), guid="gazette.test/rss 1", source="Latest News")
    assert RedisStore(redis_client).put_news([other]) == 1


def test_put_news_with_a_damaged_index_stores_all_others(redis_client: redis.Redis) -> None:
    """D13: a value of the index that cannot be read is reported, and causes at most one duplicate."""
    errors: list[CorruptDataError] = []
    store = RedisStore(redis_client, errors.append)
    items = [item_of_feed(number) for number in range(3)]
    store.put_news(items)
    bucket = keys.news_stories(story_bucket(identify(items[0]), items[0].published_at))
    redis_client.hset(bucket, identify(items[0]).story, b"\xff?")
    copies = [replace(item, id=f"copy{number}", guid="") for number, item in enumerate(items)]
    assert store.put_news(copies) == 1
    assert [error.key for error in errors] == [f"{bucket} {identify(items[0]).story}"]


def test_put_news_with_an_index_of_another_type_stores_new_items(redis_client: redis.Redis) -> None:
    """D13: if a bucket of stories is a key of another type, new items are stored, and the key is reported."""
    errors: list[CorruptDataError] = []
    store = RedisStore(redis_client, errors.append)
    store.put_news([news("1", "Tea is hot")])
    bucket = keys.news_stories(story_bucket(identify(item_of_feed(1)), T0))
    redis_client.delete(bucket)
    redis_client.set(bucket, "?")
    assert store.put_news([item_of_feed(1)]) == 1
    assert store.put_news([item_of_feed(1)]) == 0
    assert {error.key for error in errors} == {bucket}


def test_seen_keys_beyond_the_limit_are_forgotten_oldest_first(
    redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N14: the index of known news items has a size limit, and keeps the items that were seen most recently."""
    monkeypatch.setattr(news_index, "SEEN_LIMIT", 10)
    store = RedisStore(redis_client)
    for number in range(40):
        store.put_news([replace(item_of_feed(number, T0 + number), guid="")])
    assert redis_client.zcard(keys.NEWS_SEEN) == 10
    assert redis_client.zscore(keys.NEWS_SEEN, item_of_feed(39).id) == T0 + 39
