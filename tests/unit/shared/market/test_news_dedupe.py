"""Tests of news deduplication."""

from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.models import NewsItem
from financehub_shared.market.news_dedupe import TITLE_WINDOW, KnownNews, guid_key
from financehub_shared.market.news_text import near_equal, normalize_title
from support.market_data import T0, news

SENTENCE = [
    "the",
    "fed",
    "holds",
    "rates",
    "steady",
    "again",
    "as",
    "banks",
    "cut",
    "their",
    "outlook",
    "for",
    "growth",
]
#: A sentence with up to three words removed and up to one number added. Some of these titles are nearly equal.
TITLES = st.builds(
    lambda dropped, number: [word for index, word in enumerate(SENTENCE) if index not in dropped] + number,
    st.sets(st.integers(0, len(SENTENCE) - 1), max_size=3),
    st.sampled_from([[], ["5%"], ["6%"]]),
)
ITEMS = st.builds(
    lambda path, title, days, guid: news(str(path), " ".join(title), T0 + days * 86_400, guid=guid),
    st.integers(0, 8),
    TITLES,
    st.integers(0, 20),
    st.sampled_from(["", "g1", "g2"]),
)


def accepted(items: list[NewsItem]) -> list[NewsItem]:
    """Return the items that are new if no items are known."""
    known = KnownNews((), (), ())
    return [item for item in items if known.accept(item)]


def same_story(a: NewsItem, b: NewsItem) -> bool:
    """Compare two items by the definition of a duplicate, without an index."""
    titles = near_equal(normalize_title(a.title), normalize_title(b.title))
    near = abs(a.published_at - b.published_at) <= TITLE_WINDOW
    return a.id == b.id or (bool(a.guid) and guid_key(a) == guid_key(b)) or (titles and near)


@given(st.lists(ITEMS, max_size=25))
def test_known_news_finds_the_same_duplicates_as_comparing_all_pairs(items: list[NewsItem]):
    """The index finds exactly the duplicates that a comparison of all pairs finds."""
    expected: list[NewsItem] = []
    for item in items:
        if not any(same_story(item, other) for other in expected):
            expected.append(item)
    assert accepted(items) == expected


@given(st.lists(ITEMS, max_size=25))
def test_known_news_is_idempotent(items: list[NewsItem]):
    """Accepted items are accepted again by an empty index, and offering all items twice finds nothing new."""
    once = accepted(items)
    assert accepted(once) == once
    assert accepted([*items, *items]) == once
