"""Tests of which news items are new over many fetches, in which feeds keep or change their entries."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_shared.core.durations import DAY_SECONDS, HOUR_SECONDS
from financehub_shared.core.models import NewsItem
from financehub_shared.market.dedupe.identity import identify
from financehub_shared.market.dedupe.known_news import DroppedNews, KnownNews
from support.market_data import T0, news
from support.memory_store import MemoryStore

RETENTION = 30 * DAY_SECONDS
SENTENCE = ["the", "fed", "holds", "rates", "steady", "again", "as", "banks", "cut", "their", "outlook", "in", "asia"]
#: A sentence with up to three words removed and up to one number added. Some of these titles have the same story.
TITLES = st.builds(
    lambda dropped, number: " ".join([word for place, word in enumerate(SENTENCE) if place not in dropped] + number),
    st.sets(st.integers(0, len(SENTENCE) - 1), max_size=3),
    st.sampled_from([[], ["5%"], ["6%"], ["5%", "$3bn"]]),
)
ITEMS = st.builds(
    lambda path, title, hours, guid, source: replace(
        news(str(path), title, T0 + hours * HOUR_SECONDS, guid=guid, source=source), fetched_at=T0 + 300 * HOUR_SECONDS
    ),
    st.integers(0, 8),
    TITLES,
    st.integers(0, 250),
    st.sampled_from(["", "feed 1", "feed 2"]),
    st.sampled_from(["Wire", "Gazette"]),
)


def stored(items: list[NewsItem]) -> list[NewsItem]:
    """Return the items that are new if no items are known."""
    known = KnownNews({}, {}, 0)
    return [item for item in items if known.judge(item, IDENTITY(item)) is None]


IDENTITY = cache(identify)


@settings(max_examples=50)
@given(st.lists(ITEMS, max_size=10))
def test_known_news_drops_an_item_only_if_it_duplicates_another(items: list[NewsItem]) -> None:
    """In any order, a dropped item is a duplicate of another one, and two stored items are not duplicates."""
    pairs = [pair for pair in combinations(range(len(items)), 2) if len(stored([items[index] for index in pair])) == 1]
    duplicates = {index for pair in pairs for index in pair}
    for order in (items, items[::-1], sorted(items, key=lambda item: item.id)):
        new = stored(order)
        assert all(item in new or index in duplicates for index, item in enumerate(items))
        assert all(len(stored([a, b])) == 2 for a, b in combinations(new, 2))


@settings(max_examples=50)
@given(st.lists(ITEMS, max_size=25))
def test_known_news_is_idempotent(items: list[NewsItem]) -> None:
    """Stored items are stored again if there is no index, and offering all items twice does not yield a new item."""
    once = stored(items)
    assert stored(once) == once
    assert stored([*items, *items]) == once


Change = Callable[[NewsItem, int], NewsItem]


def keep(item: NewsItem, fetch: int) -> NewsItem:
    return item


def undated(item: NewsItem, fetch: int) -> NewsItem:
    return replace(item, published_at=item.fetched_at)


def dated_now(item: NewsItem, fetch: int) -> NewsItem:
    return replace(item, published_at=item.fetched_at - 20)


def other_date(item: NewsItem, fetch: int) -> NewsItem:
    return replace(item, published_at=item.fetched_at - 5 * HOUR_SECONDS)


def other_guid(item: NewsItem, fetch: int) -> NewsItem:
    return replace(item, guid=f"feed {fetch}")


def other_link(item: NewsItem, fetch: int) -> NewsItem:
    return replace(news(f"article?visit={fetch}", item.title), published_at=item.published_at, guid=item.guid)


def without_guid(item: NewsItem, fetch: int) -> NewsItem:
    return replace(item, guid="")


def fetches(days: int, *changes: Change, age: float = HOUR_SECONDS) -> list[int]:
    """Return the days on which an entry that a feed keeps is new, with a fetch every 3 h and a cleanup every day."""
    store, new = MemoryStore(), []
    for hour in range(0, days * 24, 3):
        now = T0 + hour * HOUR_SECONDS
        item = news("article", "Regulator opens probe of Acme battery fires", T0 - age, guid="feed 7")
        item = replace(item, fetched_at=now)
        for change in changes:
            item = replace(change(item, hour), fetched_at=now)
        new += [hour // 24] * store.put_news([item], oldest=now - RETENTION)
        if hour % 24 == 0:
            store.drop_older(
                quotes_before=0,
                history_before_day=0,
                bars_before_day=0,
                news_before=now - RETENTION,
                quarantine_before=0,
                dry_run=False,
            )
    return new


@pytest.mark.parametrize(
    "changes",
    [
        (keep,),
        (undated,),
        (dated_now,),
        (other_date,),
        (other_guid,),
        (other_link,),
        (other_link, without_guid),
        (other_link, undated),
        (other_link, undated, without_guid),
        (other_link, dated_now, without_guid),
        (other_link, other_date),
        (undated, other_guid),
        (other_guid, other_date),
        (other_link, undated, other_guid),
    ],
    ids=lambda changes: " ".join(change.__name__ for change in changes),
)
def test_entry_that_a_feed_keeps_is_new_once(changes: tuple[Change, ...]) -> None:
    """N14: an entry that stays in a feed for 45 days is new only on the first day, even if it changes in each fetch."""
    assert fetches(45, *changes) == [0]


def test_entry_older_than_the_retention_is_never_new() -> None:
    """N14: an entry of 2014 is dropped as too old in each fetch."""
    assert fetches(3, age=12 * 365 * DAY_SECONDS) == []
    dropped = DroppedNews()
    store = MemoryStore()
    for _ in range(2):
        store.put_news(
            [news("old", "Fed ends bond purchases", T0 - RETENTION - 1)], oldest=T0 - RETENTION, dropped=dropped
        )
    assert dropped.counts == {"too-old": 2}


@pytest.mark.parametrize("hours_earlier", [0, 0.5, 4])
@pytest.mark.parametrize("change", [keep, undated], ids=["dated", "undated"])
def test_daily_headline_is_new_every_day(change: Change, hours_earlier: float) -> None:
    """N5: a headline that recurs every day is another article, although yesterday's entry is still in the feed."""
    store, new = MemoryStore(), 0
    entries: list[NewsItem] = []
    for day in range(10):
        start = T0 + day * DAY_SECONDS - day % 2 * hours_earlier * HOUR_SECONDS
        entries.append(news(f"{day}", "Acme Asian Opportunities Trust: portfolio valuation", start - 600))
        for hour in range(3):
            now = start + hour * HOUR_SECONDS
            new += store.put_news([change(replace(item, fetched_at=now), hour) for item in entries])
    assert new == 10
