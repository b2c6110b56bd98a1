"""The content of feeds: any version, dangerous and damaged feeds, links, dates and what identifies an article."""

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_shared.core.errors import MalformedError, NotFoundError, ProviderError
from support.feeds import NOW, entry, parse, rss_of


def test_item_becomes_an_article():
    """An article has a plain-text title, a canonical URL, the publisher's name, Unix seconds and the feed's guid."""
    (item,) = parse(rss_of(entry(title="AT&amp;amp;T &lt;b&gt;up&lt;/b&gt;"), title="The &amp; Wire")).items
    assert (item.title, item.source, item.guid) == ("AT&T up", "The & Wire", "news.test/rss g1")
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
