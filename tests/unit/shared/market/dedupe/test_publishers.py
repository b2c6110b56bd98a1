"""Tests of the removal of publishers, tags and sources from headlines."""

from dataclasses import replace

import pytest

from financehub_shared.market.dedupe.identity import identify
from financehub_shared.market.dedupe.publishers import bare_headline, publisher_names
from support.market_data import news

OIL = "Oil jumps on supply fears"


@pytest.mark.parametrize(
    "title",
    [
        *(f"{OIL} - Reuters", f"{OIL} | CNBC", f"{OIL} – The Wall Street Journal", f"{OIL} — WSJ"),
        *(
            f"{OIL} - Reuters - MSN",
            f"{OIL} | Yahoo Finance",
            f"{OIL} - reuters.com",
        ),
        *(
            f"UPDATE 1-{OIL}",
            f"UPDATE 12 - {OIL}",
            f"REFILE-UPDATE 2-{OIL}",
            f"Exclusive: {OIL}",
            f"🚨 BREAKING: {OIL}",
        ),
        *(f"[Video] {OIL}", f"WATCH | {OIL}", f"{OIL} - sources", f"{OIL}, sources say", f"{OIL} (Updated)"),
        *(f"Factbox: {OIL}", f"{OIL} : source - Reuters", OIL),
    ],
)
def test_bare_headline_removes_publishers_tags_and_sources(title: str) -> None:
    """N6: names and tags that publishers and agencies add are removed, even if they are added twice."""
    assert bare_headline(title, frozenset()) == OIL


@pytest.mark.parametrize(
    "title",
    [
        *("Vodafone Group Plc - Final Results", "Final Results - Vodafone Group Plc", "Trading Update | Next"),
        *(
            "Fed minutes: officials see cuts",
            "Update-driven rally",
            "Watch-maker Swatch falls",
            "Videos sell well - Sky",
        ),
        *(
            "Exclusive club of trillion-dollar firms grows",
            "Why Fortune favors banks - Fortune",
            "Reuters",
            "- Reuters",
        ),
        *("Ellison's next takeover: CNN", "Top pick for October : Morningstar", "The best of cable news (MSNBC)"),
        *("Breaking up Google", "Corrected earnings lift Acme", "Alert investors sell", "Live: Fed decision", ""),
    ],
)
def test_bare_headline_keeps_everything_else(title: str) -> None:
    """N6: a part of a headline that only looks like a suffix or a tag stays."""
    assert bare_headline(title, frozenset()) == title


@pytest.mark.parametrize(
    ("source", "url", "suffix", "expected"),
    [
        ("CoinDesk: Bitcoin, Ethereum, Crypto News and Price Data", "https://www.coindesk.com/a", "CoinDesk", True),
        ("MarketWatch.com - Top Stories", "https://feeds.dowjones.io/a", "MarketWatch", True),
        ("US Top News and Analysis", "https://www.thisismoney.co.uk/a", "This is Money", True),
        ("Schweizer Börsennews", "https://finanzen.ch/a", "Schweizer Börsennews", True),
        ("gulf.example", "https://business.gulf.example/a", "Gulf", True),
        ("Latest News", "https://investor.acme.com/a", "Acme", True),
        ("Latest News", "https://www.wire.com/a", "Vodafone", False),
        ("Latest News", "https://www.wire.com/a", "News", False),
        ("Latest News", "https://www.wire.co.uk/a", "Co", False),
    ],
)
def test_publisher_names_contain_the_feed_and_the_host(source: str, url: str, suffix: str, expected: bool) -> None:
    """N6: the feed's own title and the article's host are known publishers only for that item."""
    item = replace(news("1", f"{OIL} - {suffix}", source=source), url=url)
    assert (bare_headline(item.title, publisher_names(item)) == OIL) is expected
    assert bare_headline(item.title, frozenset()) == item.title or suffix in {"MarketWatch", "CoinDesk"}


@pytest.mark.parametrize(
    "tail",
    [
        *(
            ", company says",
            ", Bloomberg News reports",
            ", FT reports",
            ", sources tell Reuters",
            ", sources told the FT",
        ),
        *(" - source tells Reuters", ": the Wall Street Journal reported", ", the company said"),
    ],
)
def test_bare_headline_removes_who_reports_it(tail: str) -> None:
    """N5: the person or publisher that reports the story is not a part of it."""
    assert bare_headline(OIL + tail, frozenset()) == OIL


@pytest.mark.parametrize(
    "tail",
    [", Trump says", ", court says", ", New York Times reports", ", company denies", ", Morningstar says", ", FT"],
)
def test_bare_headline_keeps_who_says_it_otherwise(tail: str) -> None:
    """N5: a person, a court, and a publisher that may report its own results are parts of the story."""
    assert bare_headline(OIL + tail, frozenset()) == OIL + tail


@pytest.mark.parametrize("suffix", [": {}", " : {}", " ({})", " - {}", " | {}"])
@pytest.mark.parametrize("publisher", ["CNN", "Morningstar", "Gulf Wire"])
def test_bare_headline_removes_the_own_publisher_behind_any_separator(publisher: str, suffix: str) -> None:
    """N6: the item's own publisher is not the subject of its headline, not even behind a colon or in parentheses."""
    own = publisher_names(replace(news("1", OIL, source=publisher), url="https://wire.test/a"))
    assert bare_headline(OIL + suffix.format(publisher), own) == OIL


@pytest.mark.parametrize("subject", ["Ellison's next takeover{}", "Top wide-moat pick for October{}"])
@pytest.mark.parametrize(("before", "behind"), [(": ", ""), (" : ", ""), (" (", ")")])
def test_identify_of_a_publisher_as_the_subject_differs(subject: str, before: str, behind: str) -> None:
    """N6: headlines about two publishers and a headline that does not name a publisher are three stories."""
    names = [f"{before}{name}{behind}" for name in ("CNN", "CBS News", "Morningstar", "New York Times", "FT")]
    stories = {identify(news("1", subject.format(name), source="Newswire")).story for name in ["", *names]}
    assert len(stories) == 6


def test_identify_of_results_of_one_company_differs() -> None:
    """N6: final results and a profit warning of one company are two stories."""
    titles = ("Vodafone Group Plc - Final Results of 2026", "Vodafone Group Plc - Profit Warning of 2026")
    assert len({identify(news(title, title)).words for title in titles}) == 2


@pytest.mark.parametrize("title", ["- " * 150, "a: " * 100, "(" * 300, "Update: " * 40, "🚨" * 300, "a - b " * 50])
def test_bare_headline_of_a_strange_title_returns_a_part_of_it(title: str) -> None:
    """A headline that consists of separators is not an error."""
    assert bare_headline(title, frozenset({"b"})) in title
