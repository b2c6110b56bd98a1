"""Tests that no article is lost if a feed gives its entries the same guid or link."""

import pytest

from financehub_shared.core.durations import HOUR_SECONDS
from financehub_shared.providers.rss.feed import parse_feed
from financehub_shared.providers.rss.messages import FeedSource
from support.market_data import T0
from support.memory_store import MemoryStore

TITLES = ("Copper falls on demand worries", "Tin smelter in Peru halts output", "Zinc stocks shrink in Shanghai")


def entry(title: str, link: str, guid: str) -> str:
    guid_element = f'<guid isPermaLink="false">{guid}</guid>' if guid else ""
    return f"<item><title>{title}</title><link>{link}</link>{guid_element}</item>"


def put(store: MemoryStore, *entries: str, label: str = "wire.test/rss", hours: int = 0) -> int:
    """Store one answer of a feed that is called Latest News, and return the number of new items."""
    body = f'<rss version="2.0"><channel><title>Latest News</title>{"".join(entries)}</channel></rss>'
    source = FeedSource("rss", label, f"https://{label}", "application/rss+xml", T0 + hours * HOUR_SECONDS)
    return store.put_news(parse_feed(source, body.encode()).items)


@pytest.mark.parametrize(
    ("link", "guid"),
    [
        ("https://wire.test/{}", "same"),
        ("https://wire.test/{}", ""),
        ("https://wire.test/metals#{}", "{}"),
        ("https://wire.test/metals#{}", "same"),
        ("https://wire.test/#!/metals/{}", ""),
        ("https://wire.test/metals", "{}"),
        ("https://wire.test/metals", ""),
        ("https://wire.test/", "same"),
    ],
)
def test_entries_that_share_a_guid_or_a_link_are_all_stored(link: str, guid: str) -> None:
    """N7: a guid or link that several entries of one answer share does not identify them. No entry is new again."""
    store = MemoryStore()
    entries = [entry(title, link.format(number), guid.format(number)) for number, title in enumerate(TITLES)]
    assert put(store, *entries) == 3
    assert put(store, *entries, hours=1) == 0


@pytest.mark.parametrize(
    ("link", "guid"),
    [("https://wire.test/{}", "same"), ("https://wire.test/", ""), ("https://wire.test/#{}", "same")],
)
def test_single_entries_with_one_guid_or_the_start_page_are_all_stored(link: str, guid: str) -> None:
    """N7: a feed that shows only its newest article, always with the same guid or link, does not lose any article."""
    store = MemoryStore()
    for hours, title in enumerate(TITLES):
        assert put(store, entry(title, link.format(hours), guid), hours=hours) == 1
        assert put(store, entry(title, link.format(hours), guid), hours=hours) == 0


def test_two_feeds_with_one_title_and_guid_are_both_stored() -> None:
    """N7: two feeds that are both called Latest News and both have guid 1 contain different articles."""
    store = MemoryStore()
    assert put(store, entry(TITLES[0], "https://wire.test/1", "1")) == 1
    assert put(store, entry(TITLES[1], "https://gazette.test/1", "1"), label="gazette.test/rss") == 1


def test_entry_with_a_new_link_and_the_same_guid_is_known() -> None:
    """An article whose address changes, for example with its section, is not new if its guid stays."""
    store = MemoryStore()
    assert put(store, entry(TITLES[0], "https://wire.test/metals/1", "guid-1")) == 1
    assert put(store, entry(TITLES[0], "https://wire.test/archive/1", "guid-1"), hours=30) == 0
