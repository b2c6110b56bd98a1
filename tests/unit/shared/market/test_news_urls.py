"""Tests of canonical URLs and ids of news."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.market.news_urls import canonical_url, is_start_page, news_id


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("HTTPS://News.Example.COM/Story/1", "https://news.example.com/Story/1"),
        ("https://example.com/a?utm_source=rss&utm_medium=x", "https://example.com/a"),
        ("https://example.com/a?b=2&a=1&fbclid=zz", "https://example.com/a?a=1&b=2"),
        ("https://example.com/a/#comments", "https://example.com/a"),
        ("https://example.com:443/a", "https://example.com/a"),
        ("http://example.com:8080/a", "http://example.com:8080/a"),
        ("https://example.com", "https://example.com/"),
        ("https://example.com./a", "https://example.com/a"),
        ("https://user:secret@example.com/a", "https://example.com/a"),
        ("  https://example.com/a?q=%C3%A9&id=  ", "https://example.com/a?id=&q=%C3%A9"),
        ("https://finance.yahoo.com/news/x-1.html?.tsrc=rss", "https://finance.yahoo.com/news/x-1.html"),
        ("http://[2001:DB8::1]:80/a", "http://[2001:db8::1]/a"),
        ("https://example.com/a;jsessionid=0A1B2C3D?page=2", "https://example.com/a?page=2"),
        ("https://example.com/a?PHPSESSID=9f8e7d6c5b4a39281706", "https://example.com/a"),
        ("https://example.com/a?sessionid=f3b0c44298fc1c149afb", "https://example.com/a"),
        ("https://example.com/a?gbraid=1&_hsenc=p2&mkt_tok=x&twclid=3", "https://example.com/a"),
        ("https://example.com/a?a=1&amp;b=2&amp;utm_source=rss", "https://example.com/a?a=1&b=2"),
        ("https://münchen.test/börse 1", "https://xn--mnchen-3ya.test/b%C3%B6rse%201"),
        ("https://example.com/?12345", "https://example.com/?12345"),
        ("https://example.com/?12345&utm_source=rss", "https://example.com/?12345"),
        ("https://example.com/?id=&utm_source=rss", "https://example.com/?id="),
        ("https://example.com/a?t=%E9t%E9", "https://example.com/a?t=%E9t%E9"),
    ],
)
def test_canonical_url_is_equal_for_all_links_to_an_article(url: str, canonical: str):
    """Case of the host, tracking and session parameters, query order and default port do not change the result."""
    assert canonical_url(url) == canonical
    assert canonical_url(canonical) == canonical


@pytest.mark.parametrize(
    "fragment",
    [
        *("comments", "comment-1234", "rss", "utm_source=rss", "xtor=RSS-16", "ftag=RSSbaffb68", "tk.rss_all"),
        *(":~:text=oil", "Echobox=1737000000", "respond", "sthash.x1Y2.dpuf", ".Yx8Qa1bC2", ""),
    ],
)
def test_canonical_url_removes_a_fragment_that_selects_nothing(fragment: str):
    """N7: a fragment that tracks readers or names a part of the page does not change the result."""
    assert canonical_url(f"https://example.com/a#{fragment}") == "https://example.com/a"


@pytest.mark.parametrize("fragment", ["2027-01-15", "story-7", "!/news/5", "/news?id=5", "id=5", "v2.1", "p123"])
def test_canonical_url_keeps_a_fragment_that_may_select_the_article(fragment: str):
    """N7: links that differ in such a fragment are links to different articles of one page."""
    url = f"https://example.com/releases#{fragment}"
    assert canonical_url(url) == url
    assert news_id(url) != news_id("https://example.com/releases")


@pytest.mark.parametrize(
    "query",
    [
        "id=5f2b8c9d7e6a5b4c3d2e1f0a",
        "sid=1234",
        "sid=2027011500001234",
        "p=9",
        "session=4",
        "ref=1234",
        "mod=7",
        "id=%81",
    ],
)
def test_canonical_url_keeps_parameters_that_may_select_the_article(query: str):
    """N14: only a long random value of a parameter with the name of a session is removed. A number stays.

    A value in another encoding than UTF-8 stays as it is.
    """
    assert canonical_url(f"https://example.com/a?{query}") == f"https://example.com/a?{query}"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.test/", True),
        ("https://a.test/x", False),
        ("https://a.test/?p=1", False),
        ("https://a.test/#1", False),
    ],
)
def test_is_start_page_is_true_without_path_query_and_fragment(url: str, expected: bool):
    """N7: the start page of a site is not the address of an article."""
    assert is_start_page(canonical_url(url)) is expected


def test_news_id_of_a_shared_link_depends_on_the_title():
    """N7: articles with one link have different ids if their titles are passed."""
    assert len({news_id("https://a.test/"), news_id("https://a.test/", "One"), news_id("https://a.test/", "Two")}) == 3


@pytest.mark.parametrize(
    "url",
    [
        *("", "javascript:alert(1)", "/relative", "ftp://example.com/a", "https:///a", "http://a:x/"),
        f"https://{'a.' * 150}com/",
        *(f"https://example.com/{'a' * 2_000}", f"https://{'ö.' * 300}com/", f"https://example.com/{'ö' * 500}"),
    ],
    ids=lambda url: url[:30],
)
def test_canonical_url_of_an_invalid_address_raises(url: str):
    """F4: only http and https URLs with a host and of a usual length can be links to an article."""
    with pytest.raises(ValueError):
        canonical_url(url)


def test_news_id_ignores_scheme_and_tracking():
    """Links that differ only in scheme or tracking parameters have the same id. Other articles have different ids."""
    assert news_id("http://example.com/a?utm_campaign=1") == news_id("https://EXAMPLE.com/a")
    assert news_id("https://example.com/a") != news_id("https://example.com/b")
    assert len(news_id("https://example.com/a")) == 24


@given(st.text(st.sampled_from("/?#&=;:.%[]@ amp;utm_ref1öé\udce9"), max_size=40))
def test_canonical_url_of_a_canonical_url_is_itself(rest: str):
    """An id is the same whether it is computed from the link of the feed or from the stored link."""
    with contextlib.suppress(ValueError):
        canonical = canonical_url(f"https://a.test{rest}")
        assert canonical_url(canonical) == canonical
