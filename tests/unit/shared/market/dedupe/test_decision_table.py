"""Tests each row of the table of known news items in docs/data-quality.md."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from financehub_shared.core.durations import DAY_SECONDS, HOUR_SECONDS
from financehub_shared.core.models import NewsItem
from financehub_shared.market.dedupe.known_news import DroppedNews
from financehub_shared.market.news_urls import canonical_url, news_id
from support.market_data import T0
from support.memory_store import MemoryStore

PAGE = Path(__file__).parents[5] / "docs/data-quality.md"
STORY = "Regulator opens probe of Acme battery fires"
SHORT = "Gold hits record, tops $4,000"
FIGURES = "Dow falls 1%, Nasdaq drops 2% as bond yields rise"
OLDEST = T0 - 30 * DAY_SECONDS


def item(
    title: str = STORY, link: str = "a", hours: float = 0, guid: str = "", source: str = "Wire", *assets: str
) -> NewsItem:
    """Return an item that was published some hours after T0 and fetched an hour later."""
    url, at = canonical_url(f"https://{source.lower()}.test/{link}"), T0 + hours * HOUR_SECONDS
    return NewsItem(news_id(url), title, url, source, at, at + HOUR_SECONDS, "rss", guid, assets)


def undated(*arguments: object) -> NewsItem:
    """Return an item whose feed does not state a date."""
    dated = item(*arguments)  # type: ignore[arg-type]
    return replace(dated, published_at=dated.fetched_at)


#: (row, items that are known, next item, reason why it is dropped or "" if it is new)
ROWS: list[tuple[str, Sequence[NewsItem], NewsItem, str]] = [
    ("K1", [], item(hours=-30 * 24 - 1), "too-old"),
    ("K1", [], item(hours=-30 * 24), ""),
    ("K2", [item()], item("Edited: two more fires", "a?utm_source=rss", 5), "known-link"),
    ("K2", [item()], item("Edited: two more fires", "a;jsessionid=81F2#comments", 5), "known-link"),
    ("K2", [undated()], undated("Welcome", "a", 13 * 24), "known-link"),
    ("K3", [item(link="live#1")], item("Acme recalls all batteries", "live#2"), ""),
    ("K4", [item(guid="feed 1")], item("Fires at Acme spread to Ohio", "b", guid="feed 1"), "known-guid"),
    ("K4", [item(guid="feed 1")], item(link="b", hours=40, guid="feed 1"), "known-guid"),
    ("K5", [item(guid="feed 1")], item("Tin smelter in Peru halts output", "b", 1, "feed 1"), ""),
    ("K5", [item(guid="1")], item("Tin smelter in Peru halts output", "b", guid="1", source="Else"), ""),
    ("K6", [item()], item(STORY.upper(), "b", 18, source="Else"), "same-title"),
    (
        "K6",
        [item()],
        item("Regulator is opening a probe of Acme’s battery fires", "b", source="Else"),
        "near-equal-title",
    ),
    ("K7", [item()], item(STORY.replace("opens", "closes"), "b"), ""),
    ("K7", [item()], item(STORY.replace("Acme", "Zenith"), "b"), ""),
    ("K7", [item()], item(STORY, "b", 0, "", "Else", "ACM"), ""),
    ("K8", [item()], item(f"UPDATE 1-{STORY} - Reuters", "b"), "same-title"),
    ("K8", [item()], item(f"{STORY} | Else", "b", source="Else"), "same-title"),
    ("K9", [item("Why Ellison buys CNN: Reuters")], item("Why Ellison buys CNN", "b"), ""),
    ("K9", [item("Acme Mining Group - Final Results 2026")], item("Acme Mining Group - Profit Warning 2026", "b"), ""),
    ("K10", [item()], item(link="b", hours=18.1), ""),
    ("K10", [item(FIGURES)], item(FIGURES, "b", 4 * 24), ""),
    ("K11", [item("Net Asset Value(s)")], item("Net Asset Value(s)", "b"), ""),
    (
        "K11",
        [item("Acme Wood Paper ETFs - Net Asset Value(s)")],
        item("Acme Wood Paper ETFs - Net Asset Value(s)", "b"),
        "",
    ),
    ("K12", [item(SHORT)], item(SHORT, "b", 2, source="Else"), "same-title"),
    ("K12", [item(SHORT)], item(SHORT, "b", 2.1, source="Else"), ""),
    ("K13", [undated(STORY, "a?v=1"), undated(STORY, "a?v=2", 10)], undated(STORY, "a?v=3", 20), "same-title"),
    ("K13", [undated(STORY, "a"), undated(STORY, "a", 23)], undated(STORY, "b", 24), ""),
    ("K13", [undated(STORY, "a", 24 * 24)], undated(STORY, "b"), ""),  # the clock was ahead at the first fetch
]


@pytest.mark.parametrize(
    ("known", "following", "reason"), [row[1:] for row in ROWS], ids=[f"{row[0]}-{n}" for n, row in enumerate(ROWS)]
)
def test_news_item_is_decided_as_the_table_says(known: Sequence[NewsItem], following: NewsItem, reason: str) -> None:
    """N5, N6, N7, N14: each row of the table has this decision."""
    store, dropped = MemoryStore(), DroppedNews()
    for each in known:
        store.put_news([each])
    assert store.put_news([following], oldest=OLDEST, dropped=dropped) == int(not reason)
    assert list(dropped.counts) == [reason] * bool(reason)


def test_table_has_the_tested_rows() -> None:
    """The page has exactly the rows that are tested."""
    assert re.findall(r"^\| (K\d+) \|", PAGE.read_text("utf-8"), re.MULTILINE) == list(
        dict.fromkeys(r[0] for r in ROWS)
    )
