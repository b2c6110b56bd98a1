"""Tests that the quick checks of headlines change no result: they only save searches that find nothing."""

import re
from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from financehub_shared.core.models import NewsItem
from financehub_shared.market.dedupe import publishers
from financehub_shared.market.dedupe.publishers import ENDINGS, publisher_names
from financehub_shared.market.dedupe.quick_checks import has_digit
from financehub_shared.market.dedupe.titles import RESPELLINGS

#: Parts of headlines that the patterns look for, in several spellings. The last line has letters that equal an ASCII
#: letter when case is ignored, and digits of other scripts.
PARTS = [
    *("won't", "Can't", "CANNOT", "don't", "they'll", "we've", "cannot", "U.S.", "A.", "b.c.", "3.5", "Rockwool A/S"),
    *("chip maker", "Drug-Makers", "first quarter", "SECOND-QUARTER", "3Q", "1Q.", "5 percent", "10 PCT", "2bn", "7k"),
    *("1,000", "US$5", "-3%", "$-", "-$4", "- sources", ": report", "(Reports say)", "sources said", "company says"),
    *(", Reuters reports", ": sources told Reuters", "(updated)", "[VIDEO]", "[corrected]", "- Source", "tells FT"),
    *("K", "ſ", "ı", "İ", "ma\u212aer", "ſourceſ", "report\u017f", "\u0661", "\u00b2", "sa\u0131d", "٣ percent"),
]
PARTS += ["X to buy Y", ": sources sa\u0131d", ", ſources ſay", "a dru\u0261-maker", "drug ma\u212aers", "\u00b21-2"]
RULES = [*((rule[0], rule[1]) for rule in RESPELLINGS), *ENDINGS]


@pytest.mark.parametrize(("check", "pattern"), RULES, ids=[rule[1].pattern[:24] for rule in RULES])
def test_quick_check_of_a_text_in_which_its_pattern_finds_something_is_true(
    check: Callable[[str], bool], pattern: re.Pattern[str]
) -> None:
    """A pattern that is skipped because of its quick check would not have found anything."""
    texts = {" ".join(separator.join(pair).split()) for pair in product(["", *PARTS], PARTS) for separator in ("", " ")}
    assert any(map(pattern.search, texts)), "no text contains what this pattern looks for; add one to PARTS"
    assert [text for text in texts if pattern.search(text) and not check(text)] == []


@given(st.text())
@example("\u00b2")
@example("rise of 5")
def test_has_digit_agrees_with_isdigit(text: str) -> None:
    """A text has a digit if one of its characters is one according to `str.isdigit`."""
    assert has_digit(text) is any(map(str.isdigit, text))


@pytest.mark.parametrize(
    "url",
    [
        "https://www.reuters.com/markets/a?b=https://cnn.com/#c",
        "https://news.bbc.co.uk?x=1",
        "http://user:password@Example.ORG:8080/a",
        "https://[2001:db8::1]/a",
        "https://reuters.com#top",
        "no-url",
        "",
    ],
)
def test_publisher_names_of_an_origin_equal_those_of_the_whole_url(url: str) -> None:
    """The names depend on the source and on the scheme and host of the URL only, so the origin alone yields them."""
    item = NewsItem("id", "Title", url, "The Wire - Markets", 0.0, 0.0, "rss", "", ())
    assert publisher_names(item) == publishers._names_of.__wrapped__("The Wire - Markets", url)
