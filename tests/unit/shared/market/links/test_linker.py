"""Tests of the links from headlines to assets."""

import time
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.market.links.linker import AssetLinker


def stock(symbol: str, name: str = "", *, aliases: Iterable[str] = (), exchanges: Iterable[str] = ()) -> Asset:
    """Return a stock, a fund or an index."""
    return Asset(symbol, AssetType.STOCK, name, aliases=tuple(aliases), exchanges=tuple(exchanges))


def coin(base: str, name: str = "") -> Asset:
    """Return a coin."""
    return Asset(f"{base}-USD", AssetType.CRYPTO, name)


ASSETS = [
    stock("AAPL", "Apple Inc."),
    stock("META", "Meta Platforms, Inc."),
    stock("V", "Visa Inc."),
    stock("TGT", "Target Corporation"),
    stock("WMT", "Walmart Inc."),
    stock("BRK-B", "Berkshire Hathaway Inc."),
    stock("VOD.L", "Vodafone Group Public Limited Company"),
    stock("NXT.L", "Next plc"),
    stock("AMZN", "Amazon.com, Inc."),
    stock("ALL", "The Allstate Corporation"),
    stock("ON", "ON Semiconductor Corporation"),
    stock("CAT", "Caterpillar Inc."),
    stock("GAP", "The Gap, Inc."),
    stock("F", "Ford Motor Company"),
    stock("JPM", "JPMorgan Chase & Co."),
    stock("NVDA", "NVIDIA Corporation"),
    stock("MSFT", "Microsoft Corporation"),
    stock("GOOG", "Alphabet Inc. Class C"),
    stock("GOOGL", "Alphabet Inc. Class A"),
    stock("NESN.SW", "Nestlé S.A."),
    stock("SAP.DE", "SAP SE"),
    stock("SPY", "SPDR S&P 500 ETF Trust"),
    stock("^GSPC", "S&P 500"),
    stock("^DJI", "Dow Jones Industrial Average"),
    stock("DOW", "Dow Inc."),
    stock("EURUSD=X", "EUR/USD"),
    stock("GC=F", "Gold Futures"),
    stock("KVLT", "Kolvatek Group plc", aliases=["Kolva Labs", "cold fusion"], exchanges=["LSE"]),
    coin("BTC", "Bitcoin"),
    coin("ETH", "Ethereum"),
    coin("BCH", "Bitcoin Cash"),
    coin("LTC", "Litecoin"),
    coin("SOL", "Solana"),
    coin("XLM", "Stellar"),
    coin("NEAR", "NEAR Protocol"),
    coin("LINK", "Chainlink"),
    coin("DOT", "Polkadot"),
]
LINKER = AssetLinker(ASSETS)
SYMBOLS = {asset.symbol for asset in ASSETS}

#: N2, rows L7 to L11: in Title Case and in all capitals, a capital letter is not evidence.
CAPITALS = [
    ("Stocks Rally On Fed Rate Cut Hopes", ""),
    ("STOCKS RALLY ON FED RATE CUT HOPES", ""),
    ("All Eyes On The Fed As Cat Bonds Near A Record", ""),
    ("ALL BETS ARE OFF", ""),
    ("Trade Gap Widens Near A Record", ""),
    ("What It All Means For You", ""),
    ("BREAKING NEWS: ALL STOCKS CRASH HARD", ""),
    ("The Missing Link In The Inflation Debate", ""),
    ("Connect the DOT", ""),
    ("End is NEAR for cheap money", ""),
    ("$ON Leads Chip Stocks Higher", "ON"),
    ("onsemi (NASDAQ: ON) Names New CFO", "ON"),
    ("ON Semiconductor Beats Estimates", "ON"),
    ("Caterpillar Raises Its Dividend", "CAT"),
    ("Gap Inc. Names New Chief Executive", "GAP"),
    ("APPLE TO OPEN A PLANT IN OHIO", "AAPL"),
    ("TARGET CUTS ITS PROFIT OUTLOOK", "TGT"),
    ("Why AAPL fell today", "AAPL"),
    ("NEAR token rallies", "NEAR-USD"),
    ("LINK Jumps 11% As Altcoins Rebound", "LINK-USD"),
    ("Near Protocol Token Slides", "NEAR-USD"),
]
#: N3, rows L6 to L8, L12 and L13: the exchange decides, and a name that is an ordinary word needs a second sign.
FALSE_LINKS = [
    ("LTC Properties (NYSE:LTC) declares a dividend", ""),
    ("Sasol (JSE:SOL) lifts output", ""),
    ("Sasol (SOL) lifts output", ""),
    ("Long-Term Care (LTC) insurance explained", ""),
    ("Retailer Posts Stellar Earnings", ""),
    ("Analysts expect stellar results", ""),
    ("H-1B Visa Posts Get Scarcer", ""),
    ("US Visa rules change for students", ""),
    ("Amazon rainforest shrinks", ""),
    ("An apple a day", ""),
    ("Apple orchards hit by frost", ""),
    ("Pineapple harvest fails", ""),
    ("Hackers target banks", ""),
    ("Target-date funds explained", ""),
    ("Price Target Raised At Broker", ""),
    ("Next week's earnings to watch", ""),
    ("Meta analysis questions diets", ""),
    ("Tom Ford opens a store", ""),
    ("Ford Foundation pledges $100 million", ""),
    ("Apple Hospitality REIT declares a dividend", ""),
    ("Meta Materials (NASDAQ: MMAT) halts trading", ""),
    ("SPDR Gold Shares see inflows", ""),
    ("Three SPDR funds cut fees", ""),
    ("Best S&P 500 ETFs for beginners", ""),
    ("Ethereum Classic, which is not kept here, forks", ""),
    ("Bitcoin Cash forks", "BCH-USD"),
    ("Visa and Walmart settle fee suit", "V WMT"),
    ("Visa posts record profit", "V"),
    ("Meta shares slide on spending plans", "META"),
    ("Target earnings beat estimates", "TGT"),
    ("Next raises its profit forecast", "NXT.L"),
    ("Stellar (XLM) network upgrade ships", "XLM-USD"),
    ("Dow drops 400 points", "^DJI"),
    ("Dow to cut 2,000 jobs", "DOW"),
    ("SPDR S&P 500 ETF hits a record", "SPY"),
    ("S&P 500 closes higher", "^GSPC"),
]
#: N4, row L5: names in all their forms.
FORMS = [
    ("Microsoft-backed lab seeks funds", "MSFT"),
    ("US STOCKS-Apple drags Wall Street lower", "AAPL"),
    ("UPDATE 2-Target to close stores", "TGT"),
    ("Amazon.com wins a patent case", "AMZN"),
    ("Amazon . com wins a patent case", "AMZN"),
    ("JP Morgan hires bankers", "JPM"),
    ("J.P. Morgan hires bankers", "JPM"),
    ("J . P . Morgan hires bankers", "JPM"),
    ("JPMorgan hires bankers", "JPM"),
    ("Google loses its appeal", "GOOG GOOGL"),
    ("Facebook pays publishers", "META"),
    ("Nestle lifts prices", "NESN.SW"),
    ("NESTLÉ LIFTS PRICES", "NESN.SW"),
    ("Apple’s margin shrinks", "AAPL"),
    ("Apple ' s margin shrinks", "AAPL"),
    ("$aapl breaks out", "AAPL"),
    ("$brk.b at a record", "BRK-B"),
    ("Buffett sells BRK.B", "BRK-B"),
    ("bitcoin slips as the dollar firms", "BTC-USD"),
    ("Bitcoin and ether slip", "BTC-USD ETH-USD"),
    ("BTC and ETH slip", "BTC-USD ETH-USD"),
    ("BTC/USD stalls", "BTC-USD"),
    ("ETHBTC at a low", "BTC-USD ETH-USD"),
    ("EUR/USD steady", "EURUSD=X"),
    ("gold prices hit a record", "GC=F"),
    ("Gold medal for Norway", ""),
    ("Appleが新型を発表", "AAPL"),
    ("Акции Apple растут", "AAPL"),
    ("Kolvatek wins a contract", "KVLT"),
    ("Kolva Labs opens in Leeds", "KVLT"),
    ("Is cold fusion real?", "KVLT"),
    ("Kolvatek (LON:KVLT) updates the market", "KVLT"),
]


@pytest.mark.parametrize(("title", "symbols"), [*CAPITALS, *FALSE_LINKS, *FORMS])
def test_link_of_a_headline_finds_the_named_assets(title: str, symbols: str):
    """N2, N3, N4, rows L5 to L13: names are linked, but not words, other companies and families of funds."""
    assert " ".join(LINKER.link(title)) == symbols


@pytest.mark.parametrize("text", ["$5", "$5B", "$1bn", "$m", "US$bn", "A$2.5b", "$1T"])
def test_link_of_an_amount_is_empty(text: str):
    """N4: an amount of money is not a cashtag, even if its unit is a ticker."""
    linker = AssetLinker([stock(symbol) for symbol in ("B", "BN", "M", "T")])
    assert linker.link(f"Firm raises {text} for factories") == ()


@pytest.mark.parametrize("symbol", ["NVDA", "JPM", "GOOGL", "NESN.SW", "BTC-USD", "^GSPC", "GC=F"])
def test_link_of_a_known_asset_without_a_name_uses_the_default_names(symbol: str):
    """N4: a plain entry `{symbol: NVDA, type: stock}` is linked under the names that headlines use."""
    titles = {
        "NVDA": "Nvidia unveils a chip",
        "JPM": "JP Morgan hires bankers",
        "GOOGL": "Google fined again",
        "NESN.SW": "Nestle lifts prices",
        "BTC-USD": "Bitcoin slips",
        "^GSPC": "S&P 500 closes higher",
        "GC=F": "Gold prices ease",
    }
    type = AssetType.CRYPTO if symbol == "BTC-USD" else AssetType.STOCK
    assert AssetLinker([Asset(symbol, type)]).link(titles[symbol]) == (symbol,)


@pytest.mark.parametrize(
    ("symbol", "title"),
    [
        ("^FTMC", "FTSE 250 slips as housebuilders fall"),
        ("^IBEX", "El Ibex 35 cierra en rojo"),
        ("FTSEMIB.MI", "FTSE MIB chiude in rialzo"),
        ("^MDAXI", "MDAX steigt auf Rekordhoch"),
        ("^SSMI", "SMI schliesst im Plus"),
        ("WIG20.WA", "WIG20 spada"),
        ("^BVSP", "Ibovespa fecha em alta"),
        ("^TWII", "Taiwan's TAIEX up 1%"),
        ("000001.SS", "Shanghai Composite falls 1%"),
        ("^NSEBANK", "Bank Nifty ends lower"),
        ("^STI", "Straits Times Index down"),
        ("DX-Y.NYB", "Dollar Index (DXY) eases"),
        ("^DJT", "Dow Jones Transportation Average slides"),
    ],
)
def test_link_of_a_well_known_index_uses_the_default_names(symbol: str, title: str):
    """N4: an index of any country is linked without an entry for its name, and never to a similar index."""
    similar = [stock(each) for each in ("^FTSE", "^GDAXI", "^NSEI", "^DJI", "^HSI")]
    assert AssetLinker([stock(symbol), *similar]).link(title) == (symbol,)
    assert AssetLinker(similar).link(title) == ()


def test_link_of_a_name_shared_by_many_assets_is_empty():
    """A name that nine assets share is linked to none of them."""
    linker = AssetLinker([stock(f"F{n}", "Vanguard Fund") for n in range(9)])
    assert linker.link("Vanguard Fund grows") == ()


@pytest.mark.parametrize(
    ("symbols", "name", "title"),
    [
        ("BTC-CHF BTC-EUR BTC-GBP BTC-JPY BTC-USD", "Bitcoin", "Bitcoin slips as traders wait"),
        ("NEAR-EUR NEAR-USD", "NEAR Protocol", "NEAR token jumps"),
        ("OC0.F OCDO.L OCDGF", "Ocado Group plc", "Ocado raises forecast"),
        ("BAYN.DE BAYRY", "Bayer AG", "Bayer cuts jobs"),
        ("LMNA LMNB", "Lumenta Holdings Inc", "Lumenta beats forecasts"),
    ],
)
def test_link_of_a_name_shared_by_listings_of_one_company_links_all(symbols: str, name: str, title: str):
    """N4: all listings, classes and currencies with one name are linked by the full name and by a part of it."""
    type = AssetType.CRYPTO if symbols.endswith("-USD") else AssetType.STOCK
    linker = AssetLinker([Asset(symbol, type, name) for symbol in symbols.split()])
    assert linker.link(title) == tuple(sorted(symbols.split()))
    assert linker.link("Vendor opens a shop") == ()


def test_link_of_a_name_with_a_notation_links_only_the_listing_in_it():
    """An exchange after a name that two listings share selects one of them."""
    linker = AssetLinker([stock("OCDO.L", "Ocado Group plc"), stock("0OC.F", "Ocado Group plc")])
    assert linker.link("Ocado (LON: OCDO) raises forecast") == ("OCDO.L",)


def test_link_of_a_part_of_two_different_names_is_empty():
    """The first word of two companies names neither of them."""
    linker = AssetLinker([stock("LMNA", "Lumenta Holdings Inc"), stock("LMB", "Lumenta Bancorp")])
    assert linker.link("Lumenta beats forecasts") == ()


@pytest.mark.parametrize(
    "gap", [". ", ".", "... ", "- ", "' ", '" ', "& ", "( ", "$ ", "^", ": ", "/ ", "\ufffd ", "\u0301", "U . S . "]
)
def test_link_of_a_headline_that_begins_with_punctuation_ignores_it(gap: str):
    """Characters before the first word do not change the links."""
    assert LINKER.link(f"{gap}Nvidia raises forecast") == ("NVDA",)


_PARTS = ". Apple apple Target TARGET Visa Next Gap ON (NYSE: V) (SOL) $aapl BTC/USD and , : - ' 's shares rises The"
_TITLES = st.lists(st.sampled_from(_PARTS.split()) | st.text(max_size=6), max_size=12).map(" ".join)


@settings(max_examples=60)
@given(_TITLES)
def test_link_of_any_title_is_a_sorted_set_of_known_symbols(title: str):
    """No title leads to an exception, and the result contains only known assets, each once, in order."""
    symbols = LINKER.link(title)
    assert list(symbols) == sorted(set(symbols))
    assert set(symbols) <= SYMBOLS


_WITH_UNRELATED = AssetLinker([*ASSETS, stock("QQZZ", "Xylographix Industries")])


@settings(max_examples=60)
@given(_TITLES)
def test_link_is_the_same_with_an_unrelated_asset(title: str):
    """An asset whose name and ticker do not occur in a title does not change the links of the others."""
    assert _WITH_UNRELATED.link(title) == LINKER.link(title)


@settings(max_examples=40)
@given(
    st.sampled_from(["aapl", "v", "btc", "brk.b", "sol", "on", "gap"]), st.lists(st.booleans(), min_size=5, max_size=5)
)
def test_link_of_a_cashtag_is_the_same_in_any_case(ticker: str, capitals: list[bool]):
    """N4: the case of a cashtag does not matter."""
    mixed = "".join(char.upper() if capital else char for char, capital in zip(ticker, capitals, strict=False))
    expected = LINKER.link(f"Why ${ticker.upper()} moved today")
    assert len(expected) == 1
    assert LINKER.link(f"Why ${mixed} moved today") == expected


@pytest.mark.parametrize(
    "word", ["Target and ", "Target, ", "(", "(NYSE: ", "$A", "U.S. ", "É", "Visa-", "^", "A:", "\ufdfa"]
)
def test_link_of_a_long_title_takes_linear_time(word: str):
    """A title of 100,000 characters takes as long as one of 2,000, which is the limit: a few milliseconds."""
    started = time.process_time()
    LINKER.link(word * 20_000)
    assert time.process_time() - started < 1
