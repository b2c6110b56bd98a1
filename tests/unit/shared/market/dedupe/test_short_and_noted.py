"""Tests of short headlines, and of headlines with tickers behind names."""

from itertools import permutations

import pytest

from financehub_shared.market.dedupe.tickers import without_tickers
from support.title_pairs import verdict

WINDOW = 2 * 3_600


def link_gold(title: str) -> tuple[str, ...]:
    return ("XAU-USD",) if "gold" in title.casefold() else ()


@pytest.mark.parametrize(
    "title", ["Gold hits record, tops $4,000", "Gold slips", "Gold prices rise again", "Oil climbs 2%"]
)
def test_equal_short_headline_is_known_for_two_hours(title: str) -> None:
    """N5: a headline of an asset or a figure with a verb identifies an event for two hours if its words are equal."""
    for later in (0, 60, WINDOW):
        assert verdict(title, f"{title} - Reuters", link_gold, later) is not None
    assert verdict(title, title, link_gold, WINDOW + 1) is None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Gold slips", "Gold is slipping"),
        ("Gold slips", "Gold slips?"),
        *(
            (title, title)
            for title in ("Will gold fall?", "Why gold fell today", "Gold today", "Stocks fall", "Market Wrap 2")
        ),
        *(
            (title, title)
            for title in ("Gold vs. silver: what to cut", "Gold plc - Form 8.3 raised", "Gold: net asset value rises")
        ),
    ],
)
def test_other_short_headlines_are_new(first: str, second: str) -> None:
    """N5: short headlines with other words, questions, explanations, routine events or no known subject are new."""
    assert verdict(first, second, link_gold, 60) is None


@pytest.mark.parametrize(
    ("title", "assets", "expected"),
    [
        ("Coinbase (COIN) to buy Deribit", ["COIN"], "Coinbase to buy Deribit"),
        ("Walmart (NYSE: WMT) moves, Target (TGT) too", ["WMT", "TGT"], "Walmart moves, Target too"),
        ("Apple Inc. (NASDAQ:AAPL) cuts jobs", ["AAPL"], "Apple Inc. cuts jobs"),
        ("Bitcoin (BTC) slips as Ether (ETH) gains", ["BTC-USD"], "Bitcoin slips as Ether (ETH) gains"),
    ],
)
def test_without_tickers_removes_those_of_linked_assets(title: str, assets: list[str], expected: str) -> None:
    """N5: a ticker behind the name of its asset does not add any information."""
    assert without_tickers(title, assets) == expected


@pytest.mark.parametrize(
    "title",
    [
        *("Acme (LSE: ABC) to pay dividend", "(ABC) sues Zenith over patents", "Zenith sues (ABC) over patents"),
        *(
            "Zenith (ABD) sues",
            "A sale (ABC) of notes",
            "Acme (abc) sale",
            "Acme ABC",
        ),
    ],
)
def test_without_tickers_keeps_the_others(title: str) -> None:
    """N5: a ticker of another exchange stays, and so does a ticker that is itself the name."""
    assert without_tickers(title, ["ABC"]) == title


def test_tickers_of_exchanged_roles_make_different_stories() -> None:
    """N5: the roles of two companies are part of the story, whether the headline has their names or tickers."""
    tickers = {"COIN", "HOOD"}

    def link(title: str) -> tuple[str, ...]:
        return tuple(sorted(tickers))

    for template in (
        "{} sues {} over clearing fees",
        "{} Sues {} Over Clearing Fees",
        "Judge backs {} and not {} in fee case",
    ):
        for names in (("(COIN)", "(HOOD)"), ("Coinbase (COIN)", "Robinhood (HOOD)"), ("$COIN", "$HOOD")):
            one, other = (template.format(*order) for order in permutations(names))
            assert verdict(one, other, link) is None
