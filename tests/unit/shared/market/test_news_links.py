"""Tests of the links from headlines to assets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.market.news_links import AssetLinker


def stock(symbol: str, name: str) -> Asset:
    """Return a stock with a name."""
    return Asset(symbol, AssetType.STOCK, name)


def coin(base: str, name: str) -> Asset:
    """Return a coin with a name."""
    return Asset(f"{base}-USD", AssetType.CRYPTO, name)


LINKER = AssetLinker(
    [
        stock("AAPL", "Apple Inc."),
        stock("META", "Meta Platforms, Inc."),
        stock("V", "Visa Inc."),
        stock("TGT", "Target Corporation"),
        stock("BRK-B", "Berkshire Hathaway Inc."),
        stock("VOD.L", "Vodafone Group Public Limited Company"),
        stock("AMZN", "Amazon.com, Inc."),
        stock("ALL", "The Allstate Corporation"),
        stock("JPM", "JPMorgan Chase & Co."),
        stock("NVDA", "NVIDIA Corporation"),
        stock("^GSPC", "S&P 500"),
        coin("BTC", "Bitcoin"),
        coin("ETH", "Ethereum"),
        coin("BCH", "Bitcoin Cash"),
        coin("NEAR", "NEAR Protocol"),
        coin("DOT", "Polkadot"),
    ]
)


@pytest.mark.parametrize(
    ("title", "symbols"),
    [
        ("Apple unveils a cheaper phone", "AAPL"),
        ("Apple's margin shrinks", "AAPL"),
        ("Why AAPL fell today", "AAPL"),
        ("An apple a day", ""),
        ("Pineapple harvest fails", ""),
        ("$META jumps after the bell", "META"),
        ("Court fines Facebook owner (NASDAQ: META)", "META"),
        ("Meta platforms of the left", "META"),
        ("A meta analysis of diets", ""),
        ("Meta analysis questions diets", ""),
        ("Meta shares slide on spending plans", "META"),
        ("US Visa rules change for students", ""),
        ("Visa posts record profit", "V"),
        ("Hackers target banks", ""),
        ("Target date funds explained", ""),
        ("Target earnings beat estimates", "TGT"),
        ("Berkshire Hathaway buys a railway", "BRK-B"),
        ("Buffett sells BRK.B", "BRK-B"),
        ("Vodafone cuts jobs", "VOD.L"),
        ("Amazon opens a store", "AMZN"),
        ("ALL bets are off", ""),
        ("Allstate raises premiums", "ALL"),
        ("JPMorgan Chase hires", "JPM"),
        ("JPMorgan hires", "JPM"),
        ("Nvidia and Bitcoin lead the rally", "BTC-USD NVDA"),
        ("Bitcoin Cash forks", "BCH-USD"),
        ("Ethereum Classic, which is not kept here, forks", ""),
        ("BTC and ETH slip", "BTC-USD ETH-USD"),
        ("BTC-USD at a record", "BTC-USD"),
        ("Ethereum (ETH) upgrade ships", "ETH-USD"),
        ("End is NEAR for cheap money", ""),
        ("NEAR token rallies", "NEAR-USD"),
        ("S&P 500 closes higher", "^GSPC"),
        ("BREAKING NEWS: BTC AND ALL STOCKS CRASH HARD", ""),
        ("BREAKING NEWS: $BTC CRASHES HARD TODAY", "BTC-USD"),
        ("Connect the DOT", ""),
        ("", ""),
    ],
)
def test_link_of_a_headline_finds_the_named_assets(title: str, symbols: str):
    """Names and tickers are linked. Ordinary English words, verbs and words in all caps are not."""
    assert " ".join(LINKER.link(title)) == symbols


@given(st.text(max_size=200))
def test_link_of_any_title_has_known_assets_only(title: str):
    """For any title, the result is a sorted set of known symbols."""
    symbols = LINKER.link(title)
    assert list(symbols) == sorted(set(symbols))


def test_link_of_a_name_shared_by_many_assets_is_empty():
    """A name that four assets share is linked to none of them."""
    linker = AssetLinker([stock(f"F{n}", "Vanguard Fund") for n in range(4)])
    assert linker.link("Vanguard Fund grows") == ()
