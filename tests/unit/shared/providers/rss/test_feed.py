"""Tests of the content of feeds: versions, dangerous and damaged feeds, links, dates and the keys of articles."""

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
    """Every version, even with common defects, yields the article. The fetch time replaces an impossible date."""
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
    """Entities in any encoding, and documents that are not feeds, are malformed (F6)."""
    with pytest.raises(MalformedError):
        parse(body)


def test_feed_with_a_doctype_is_read():
    """RSS 0.91 names its DTD. The DTD is not fetched, and entities are not expanded."""
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
    """An entry without a title, or with a link that is not an http URL, is recorded with the reason (F3)."""
    bad = "<title>T</title><link>javascript:alert(1)</link>"
    feed = parse(rss_of(entry(1), bad, "<link>https://a.test/2</link>"))
    assert len(feed.items) == 1
    assert ["javascript" in record.payload for record in feed.quarantined] == [True, False]
    assert all(record.reason.startswith("unusable: ") for record in feed.quarantined)


def test_feed_without_entries_is_not_found():
    """A feed without entries is an error, because it would otherwise hide a failure."""
    with pytest.raises(NotFoundError):
        parse(rss_of())


ATOM_BASE = """<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://blog.test/en/"><title>A</title>
<entry xml:base="2027/"><title>T</title><id>urn:1</id><link href="{link}"/></entry></feed>"""


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("/article/1", "https://news.test/article/1"),
        ("article?id=1", "https://news.test/feeds/article?id=1"),
        ("../article", "https://news.test/article"),
        ("//other.test/x", "https://other.test/x"),
        ("?id=1", "https://news.test/feeds/rss?id=1"),
        ("#story-1", "https://news.test/feeds/rss#story-1"),
        ("\n  /article/1\n", "https://news.test/article/1"),
        ("www.other.test/x", "https://www.other.test/x"),
        ("HTTPS://Other.test/x", "https://other.test/x"),
    ],
)
def test_relative_link_is_resolved_against_the_address_of_the_feed(link: str, url: str):
    """N8: relative links of every form are resolved against the address after redirects, without its query.

    The query may contain a token.
    """
    (item,) = parse(rss_of(f"<title>T</title><link>{link}</link>")).items
    assert item.url == url


def test_relative_link_is_resolved_against_the_base_of_its_element():
    """N8: `xml:base` of the feed and of an entry take precedence, and may be relative themselves (F8)."""
    (item,) = parse(ATOM_BASE.format(link="a.html").encode()).items
    assert item.url == "https://blog.test/en/2027/a.html"
    relative = rss_of("<title>T</title><link>a.html</link>", root=' xml:base="/blog/"')
    assert parse(relative).items[0].url == "https://news.test/blog/a.html"


@pytest.mark.parametrize(
    "link",
    ["javascript:alert(1)", "mailto:a@b.test", "ftp://a.test/1", "data:text/html,x", "https:/a", "tag:a"],
)
def test_link_that_is_not_http_is_refused_alone(link: str):
    """N8: only the entry with such a link is quarantined (F9)."""
    feed = parse(rss_of(f"<title>T</title><link>{link}</link>", entry(2)))
    assert [item.url for item in feed.items] == ["https://news.test/a2?a=1&b=2"]
    assert [record.reason.partition(":")[0] for record in feed.quarantined] == ["unusable"]


@pytest.mark.parametrize("guid", ["<guid>g1</guid>", "<guid isPermaLink='false'>/g1</guid>", "<guid>urn:1</guid>"])
def test_guid_that_is_not_an_address_does_not_become_a_link(guid: str):
    """N8: an entry without a link is refused, unless its guid is an address (F9)."""
    assert parse(rss_of(f"<title>T</title>{guid}", entry(2))).quarantined[0].reason.startswith("unusable: no link")
    assert parse(rss_of("<title>T</title><guid>/article/1</guid>")).items[0].url == "https://news.test/article/1"


def test_guid_that_repeats_within_an_answer_does_not_identify_entries():
    """N7: a guid that several entries of a feed share does not identify any of them, and other guids still do (F14)."""
    same = [entry(number, title=f"T{number}").replace(f"g{number}", "same") for number in (1, 2, 3)]
    assert [item.guid for item in parse(rss_of(*same, entry(4))).items] == ["", "", "", "news.test/rss g4"]


def test_guid_contains_the_address_of_its_feed():
    """N7: two feeds with the same title have different keys for the same guid."""
    assert parse(rss_of(entry())).items[0].guid == "news.test/rss g1"


def test_link_of_several_articles_identifies_none_of_them():
    """N7: articles that share a link, or whose links differ only in the fragment, have different ids."""
    page = "<title>{title}</title><link>https://news.test/page{fragment}</link>"
    shared = parse(rss_of(*(page.format(title=title, fragment="") for title in ("A", "B", "B")))).items
    assert len({item.id for item in shared}) == 2
    parts = parse(rss_of(*(page.format(title="T", fragment=f"#q{number}") for number in (1, 2)))).items
    assert len({item.id for item in parts}) == 2


@pytest.mark.parametrize(
    ("seconds_ahead", "published_at"), [(0, NOW), (1, NOW), (3_600, NOW), (7_200, NOW), (-60, NOW - 60)]
)
def test_date_is_never_later_than_the_fetch(seconds_ahead: float, published_at: float):
    """N10: a date in the future becomes the time of the fetch (F12)."""
    assert parse(rss_of(entry(seconds_ago=-seconds_ahead))).items[0].published_at == published_at


def test_second_date_counts_if_the_first_is_impossible():
    """An impossible date does not hide a valid one (F13)."""
    dates = "<pubDate>Fri, 15 Jan 2999 07:00:00 GMT</pubDate><dc:date>2027-01-15T06:00:00Z</dc:date>"
    dc = ' xmlns:dc="http://purl.org/dc/elements/1.1/"'
    (item,) = parse(rss_of(f"<title>T</title><link>https://a.test/1</link>{dates}", root=dc)).items
    assert item.published_at == SIX


def test_element_that_is_too_long_costs_only_itself():
    """N1: a title or link of more than 4,000 characters is left out. Its entry is refused with the reason."""
    feed = parse(
        rss_of(entry(1, title="x" * 5_000), entry(2), f"<title>T</title><link>https://a.test/{'x' * 3_000}</link>")
    )
    assert [item.url for item in feed.items] == ["https://news.test/a2?a=1&b=2"]
    assert [record.reason for record in feed.quarantined] == [
        "unusable: no title, or one of more than 4000 characters",
        "unusable: the link has more than 2000 characters",
    ]


def test_entity_declaration_inside_an_entry_is_text():
    """Only a declaration before the feed could have an effect. An article about XML that contains one is read."""
    feed = parse(rss_of(entry(1), f"{entry(2)}<description><![CDATA[<!DOCTYPE x [<!ENTITY a 'b'>]>]]></description>"))
    assert len(feed.items) == 2


def test_entry_without_a_start_tag_is_quarantined():
    """The rest of an entry without a start tag is not lost silently, and a superfluous end tag is not an entry."""
    feed = parse(rss_of(entry(1), entry(2), entry(3)).replace(b"<item><title>Bitcoin", b"<title>Bitcoin", 2))
    assert [item.guid for item in feed.items] == ["news.test/rss g3"]
    assert [record.reason for record in feed.quarantined] == ["unusable: the entry cannot be parsed"] * 2
    assert "https://News.test/a2" in feed.quarantined[1].payload
    assert not parse(rss_of(entry(1)).replace(b"</item>", b"</item></item>")).quarantined


def test_end_of_a_feed_that_is_missing_does_not_shorten_a_value():
    """F1: an entry that was cut is complete or rejected. A shortened title or link is not stored."""
    last = entry(2, title="Oil up 5 percent").encode()
    whole = rss_of(entry(1, title="Gold"), last.decode())
    start = whole.index(last)
    for length in range(start, len(whole), 13):
        first, *cut = parse(whole[:length]).items
        assert first.title == "Gold"
        assert [(item.title, item.url) for item in cut] in ([], [("Oil up 5 percent", "https://news.test/a2?a=1&b=2")])


@pytest.mark.parametrize("text", ["<!-- <entry> -->", "<title><![CDATA[An <entry> a day]]></title>"])
def test_name_of_an_entry_in_a_comment_or_cdata_is_not_the_name_of_entries(text: str):
    """A comment or a description that mentions another kind of entry does not hide the entries."""
    body = f"<rss version='2.0'><channel>{text}<item>{entry(1)}</item><item>{entry(2)}</item></channel></rss>"
    assert len(parse(body.encode()).items) == 2


def test_comments_that_mention_entries_do_not_hide_the_text_between_them():
    """The title of the feed is read although it is between two comments that contain the tag of an entry."""
    hidden = "<!-- <item> -->"
    body = f"<rss version='2.0'><channel>{hidden}<title>The Wire</title>{hidden}<item>{entry(1)}</item></channel></rss>"
    assert [item.source for item in parse(body.encode()).items] == ["The Wire"]


@pytest.mark.parametrize(
    "wrong",
    ["Thu, 01 Jan 1970 01:00:00 +0000", "1980-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00"],
)
def test_date_from_before_the_web_counts_as_missing(wrong: str):
    """A program without a date writes its zero. The date makes neither the news item nor the feed old."""
    feed = parse(rss_of(f"<title>Gold</title><link>https://news.test/a</link><pubDate>{wrong}</pubDate>"))
    assert (feed.items[0].published_at, feed.newest_at) == (NOW, None)
