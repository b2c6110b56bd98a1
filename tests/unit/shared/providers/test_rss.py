"""The RSS provider: feeds of any version, dangerous feeds, dead feeds and conditional requests."""

import contextlib
from datetime import UTC, datetime
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_shared.core.errors import MalformedError, NotFoundError, ProviderError, StaleError, UpstreamError
from financehub_shared.providers.rss.feed import parse_feed
from financehub_shared.providers.rss.provider import Rss, feed_labels
from financehub_shared.providers.transport.conditional import MemoryCacheValidators
from support.upstream import FakeUpstream, Respond

NOW = 1_800_000_000.0
FEED = "https://www.news.test/rss/?token=subscriber"


def date(seconds_ago: float = 60) -> str:
    return format_datetime(datetime.fromtimestamp(NOW - seconds_ago, UTC))


def rss_of(*items: str, title: str = "The Wire", head: str = "") -> bytes:
    body = "".join(f"<item>{item}</item>" for item in items)
    text = f'<?xml version="1.0"?>{head}<rss version="2.0"><channel><title>{title}</title>{body}</channel></rss>'
    return text.encode()


def entry(number: int = 1, seconds_ago: float = 60, title: str = "Bitcoin rises") -> str:
    link = f"https://News.test/a{number}?utm_source=rss&amp;b=2&amp;a=1"
    return f"<title>{title}</title><link>{link}</link><guid>g{number}</guid><pubDate>{date(seconds_ago)}</pubDate>"


def parse(body: bytes, content_type: str = "application/rss+xml"):
    return parse_feed("rss", "news.test/rss", body, content_type, NOW)


def reader(answer: Respond, *feeds: str) -> tuple[Rss, FakeUpstream]:
    upstream = FakeUpstream(answer)
    validators = MemoryCacheValidators()
    return Rss(upstream.http, lambda _: upstream.guard, feeds or (FEED,), validators, upstream.clock), upstream


def answer_with(body: bytes, **headers: str) -> Respond:
    return lambda _: httpx.Response(200, content=body, headers=headers)


def test_item_becomes_an_article():
    """An article has a plain-text title, a canonical URL, the publisher's name, Unix seconds and the feed's guid."""
    (item,) = parse(rss_of(entry(title="AT&amp;amp;T &lt;b&gt;up&lt;/b&gt;"), title="The &amp; Wire")).items
    assert (item.title, item.source, item.guid) == ("AT&T up", "The & Wire", "g1")
    assert item.url == "https://news.test/a1?a=1&b=2"
    assert (item.published_at, item.fetched_at) == (NOW - 60, NOW)


ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>A</title><entry><title>T</title><id>urn:1</id>
<link href="https://a.test/1"/><updated>2027-01-15T07:00:00+01:00</updated></entry></feed>"""
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>A</title></channel><item rdf:about="https://a.test/1">
<title>T</title><link>https://a.test/1</link><dc:date>2027-01-15T06:00:00Z</dc:date></item></rdf:RDF>"""
SIX = datetime(2027, 1, 15, 6, tzinfo=UTC).timestamp()
LATIN = rss_of(entry(title="Société"), title="W").decode().replace("?>", ' encoding="iso-8859-1"?>', 1)


@pytest.mark.parametrize(
    ("body", "title", "published_at"),
    [
        (ATOM.encode(), "T", SIX),
        (RDF.encode(), "T", SIX),
        (LATIN.encode("iso-8859-1"), "Société", NOW - 60),
        (rss_of(entry(title="Société")).decode().encode("utf-16"), "Société", NOW - 60),
        (b"\n\n  " + rss_of(entry()), "Bitcoin rises", NOW - 60),
        (rss_of(entry(title="Up & away <b")), "Up & away", NOW - 60),
        (rss_of(entry()).replace(b"</item></channel></rss>", b""), "Bitcoin rises", NOW - 60),
        (rss_of("<title>No date</title><link>https://a.test/1</link>"), "No date", NOW),
        (rss_of(entry(seconds_ago=-90_000)), "Bitcoin rises", NOW),
        (rss_of("<title>T</title><link>https://a.test/1</link><pubDate>gestern</pubDate>"), "T", NOW),
        (rss_of("<title>T</title><guid>https://a.test/1</guid>"), "T", NOW),
    ],
    ids=[
        "atom",
        "rss 1.0",
        "latin-1",
        "utf-16",
        "blank lines first",
        "bare ampersand",
        "cut",
        "no date",
        "date in the future",
        "date in words",
        "guid for a link",
    ],
)
def test_feed_of_any_version_has_its_article(body: bytes, title: str, published_at: float):
    """Every version, even with common defects, yields the article. An impossible date is replaced by the fetch time."""
    (item,) = parse(body).items
    assert (item.title, item.published_at) == (title, published_at)


LAUGHS = '<!DOCTYPE rss [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
BOMB = rss_of(entry(title="&b;"), head=LAUGHS)


@pytest.mark.parametrize(
    "body",
    [
        BOMB,
        BOMB.replace(b"ENTITY", b"Entity"),
        BOMB.decode().encode("utf-16"),
        BOMB.decode().encode("utf-16-be"),
        BOMB.decode().replace('"1.0"?>', '"1.0" encoding="utf-7"?>').encode("utf-7"),
        BOMB.decode().replace('"1.0"?>', '"1.0" encoding="cp037"?>').encode("cp037"),
        rss_of(entry(), head='<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
        b"<html><body>Will be right back</body></html>",
        b"{}",
        b"\x1f\x8b\x08garbage",
    ],
    ids=["bomb", "any case", "utf-16", "utf-16 without a mark", "utf-7", "ebcdic", "external", "html", "json", "bytes"],
)
def test_feed_with_entities_or_without_a_feed_is_malformed(body: bytes):
    """Entities in any encoding, and documents that are not feeds, are malformed."""
    with pytest.raises(MalformedError):
        parse(body)


def test_feed_with_a_doctype_is_read():
    """RSS 0.91 names its DTD. Nothing is expanded and nothing is fetched."""
    doctype = '<!DOCTYPE rss PUBLIC "-//Netscape//DTD RSS 0.91//EN" "http://my.netscape.test/rss-0.91.dtd">'
    assert len(parse(rss_of(entry(), head=doctype)).items) == 1


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 300))
def test_feed_with_any_bytes_is_read_or_refused(noise: bytes, at: int):
    """A feed with noise at any position is read, or refused with a provider error."""
    body = rss_of(entry())
    with contextlib.suppress(ProviderError):
        assert parse(body[:at] + noise + body[at:]).items is not None


def test_unusable_entry_is_quarantined():
    """An entry without a title, or with a link that is not an http URL, is recorded with the reason."""
    bad = "<title>T</title><link>javascript:alert(1)</link>"
    feed = parse(rss_of(entry(1), bad, "<link>https://a.test/2</link>"))
    assert len(feed.items) == 1
    assert ["javascript" in record.payload for record in feed.quarantined] == [True, False]
    assert all(record.reason.startswith("unusable: ") for record in feed.quarantined)


def test_feed_without_entries_is_not_found():
    """A feed without entries is an error, because it would otherwise hide a failure."""
    with pytest.raises(NotFoundError):
        parse(rss_of())


async def test_feed_without_news_for_two_weeks_is_stale_and_read():
    """After two weeks without a new article the source counts as failed, but its articles are still delivered."""
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
    """Total failure is reported feed by feed, and not only with the first error."""
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
    """A feed over 2 MB is refused, because feedparser would take seconds to parse it."""
    rss, upstream = reader(answer_with(b"<rss>" + b" " * 2_000_001))
    (error,) = (await rss.fetch_news(None, upstream.deadline)).failed.values()
    assert isinstance(error, MalformedError)
    assert "2000000" in error.detail


def test_feed_labels_are_unique_and_without_secrets():
    """Labels omit user, password and query, and duplicates are numbered."""
    feeds = ["https://u:p@www.a.test/x/?t=1", "https://a.test/x?t=2", "http://a.test:81/"]
    assert feed_labels(feeds) == ["a.test/x", "a.test/x#2", "a.test:81"]
