"""Tests of ampersands that do not begin a reference, and of references to characters that XML does not allow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.providers.rss.references import with_valid_references
from support.feeds import parse, rss_of

LINK = "<link>https://news.test/a</link>"


@pytest.mark.parametrize(
    ("markup", "title"),
    [
        ("AT&T, S&P 500 and P&G", "AT&T, S&P 500 and P&G"),
        ("AT&amp;T, S&P 500", "AT&T, S&P 500"),
        ("<![CDATA[AT&T, S&P 500]]>", "AT&T, S&P 500"),
        ("<![CDATA[R&D]]> & M&A", "R&D & M&A"),
        ("Q&A &mdash; R&D&nbsp;spending", "Q&A — R&D spending"),
        ("H&M&#8217;s R&#38;D", "H&M’s R&D"),
        ("&#xD83D;&#xDE80; Gold &#55357;&#56832;", "🚀 Gold 😀"),
        ("Gold &#xD83D; up&#0;&#x1F;&#x110000; &#x1F680;", "Gold up 🚀"),
        ("Gold &", "Gold &"),
    ],
)
def test_title_with_wrong_references_is_read_as_its_publisher_meant_it(markup: str, title: str):
    """An ampersand without a reference stays an ampersand, and the halves of a pair become one character."""
    feed = parse(rss_of(f"<title>{markup}</title>{LINK}"))
    assert [item.title for item in feed.items] == [title]


def test_parameter_of_a_link_is_not_taken_for_a_character():
    """HTML reads `&copy` without a semicolon as a character. In the link of a feed, it begins a parameter."""
    feed = parse(rss_of("<title>Gold</title><link>https://news.test/a?a=1&copy=2&para=3&region=us</link>"))
    assert feed.items[0].url == "https://news.test/a?a=1&copy=2&para=3&region=us"


@given(st.text(st.sampled_from("&#xX;0123dDfF8<![CDATA[]]>a "), max_size=60))
def test_references_are_valid_after_one_pass(text: str):
    """Text without ampersands is unchanged, and a second pass changes nothing."""
    once = with_valid_references(text)
    assert with_valid_references(once) == once
    assert "&" in text or once == text
