"""Tests of the RSS provider: several feeds at once, dead feeds, conditional requests and labels."""

import httpx

from financehub_shared.core.errors import MalformedError, StaleError, UpstreamError
from financehub_shared.providers.rss.provider import Rss, feed_labels
from financehub_shared.providers.transport.conditional import MemoryCacheValidators
from support.feeds import date, entry, rss_of, shared_parser
from support.upstream import FakeUpstream, Respond

FEED = "https://www.news.test/rss/?token=subscriber"


def reader(answer: Respond, *feeds: str) -> tuple[Rss, FakeUpstream]:
    upstream = FakeUpstream(answer)
    validators = MemoryCacheValidators()
    rss = Rss(upstream.http, lambda _: upstream.guard, feeds or (FEED,), validators, upstream.clock, shared_parser())
    return rss, upstream


def answer_with(body: bytes, **headers: str) -> Respond:
    return lambda _: httpx.Response(200, content=body, headers=headers)


async def test_feed_without_news_for_two_weeks_is_stale_and_read():
    """After two weeks without a new article, the source counts as failed, but its articles are delivered (F17)."""
    rss, upstream = reader(answer_with(rss_of(entry(seconds_ago=20 * 86_400))))
    batch = await rss.fetch_news(None, upstream.deadline)
    assert isinstance(batch.failed["news.test/rss"], StaleError)
    assert len(batch.items) == 1


async def test_etag_is_sent_only_after_the_articles_are_stored():
    """The ETag is sent with the next request after `on_stored`, and not before. A 304 makes the source 'unchanged'."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers.get("if-none-match") == '"v1"':
            return httpx.Response(304)
        return httpx.Response(200, content=rss_of(entry()), headers={"etag": '"v1"', "last-modified": date()})

    rss, upstream = reader(answer)
    first = await rss.fetch_news(None, upstream.deadline)
    again = await rss.fetch_news(None, upstream.deadline)
    assert len(first.items) == len(again.items) == 1
    for remember in again.on_stored:
        await remember()
    last = await rss.fetch_news(None, upstream.deadline)
    assert (last.items, last.unchanged, last.failed) == ([], ["news.test/rss"], {})
    assert upstream.requests[-1].headers["if-modified-since"] == date()


async def test_feed_that_is_not_modified_without_a_condition_has_failed():
    """A server that always responds with 304 would otherwise look like a feed without news forever."""
    rss, upstream = reader(lambda _: httpx.Response(304))
    batch = await rss.fetch_news(None, upstream.deadline)
    assert batch.unchanged == []
    assert "without a condition" in batch.failed["news.test/rss"].detail


async def test_relative_links_of_a_redirected_feed_are_resolved_against_its_new_address():
    """N8: links are resolved against the address after redirects, and its query does not appear in them."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "www.news.test":
            return httpx.Response(301, headers={"location": "https://new.test/en/feed.xml?key=subscriber"})
        return httpx.Response(200, content=rss_of("<title>A</title><link>a?id=1</link>"))

    rss, upstream = reader(answer)
    batch = await rss.fetch_news(None, upstream.deadline)
    assert [item.url for item in batch.items] == ["https://new.test/en/a?id=1"]


async def test_news_with_a_failed_feed_have_the_others():
    """Failures are reported per feed, with a label that does not contain the token."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(500) if "dead" in request.url.host else httpx.Response(200, content=rss_of(entry()))

    rss, upstream = reader(answer, FEED, "https://dead.test/feed")
    batch = await rss.fetch_news(None, upstream.deadline)
    assert len(batch.items) == 1
    assert isinstance(batch.failed["dead.test/feed"], UpstreamError)
    assert "subscriber" not in repr(batch)


async def test_news_with_all_feeds_failed_have_each_reason():
    """If all feeds fail, the reason of each feed is reported, and not only the first error."""
    rss, upstream = reader(
        lambda request: httpx.Response(500 if "a.test" in request.url.host else 403),
        "https://a.test/x",
        "https://b.test/x",
    )
    failed = (await rss.fetch_news(None, upstream.deadline)).failed
    assert {label: error.kind for label, error in failed.items()} == {"a.test/x": "upstream", "b.test/x": "blocked"}


async def test_news_of_some_sources_read_only_these_feeds():
    """Only feeds whose label contains one of the names are read."""
    rss, upstream = reader(answer_with(rss_of(entry())), "https://a.test/x", "https://b.test/x")
    await rss.fetch_news(["b.test"], upstream.deadline)
    assert [request.url.host for request in upstream.requests] == ["b.test"]


async def test_feed_over_two_megabytes_is_malformed():
    """A feed over 2 MB is refused before it is parsed."""
    rss, upstream = reader(answer_with(b"<rss>" + b" " * 2_000_001))
    (error,) = (await rss.fetch_news(None, upstream.deadline)).failed.values()
    assert isinstance(error, MalformedError)
    assert "2000000" in error.detail


def test_feed_labels_are_unique_and_without_secrets():
    """Labels omit user, password and query, and duplicates are numbered."""
    feeds = ["https://u:p@www.a.test/x/?t=1", "https://a.test/x?t=2", "http://a.test:81/"]
    assert feed_labels(feeds) == ["a.test/x", "a.test/x#2", "a.test:81"]
