"""Tests of the notations of tickers in headlines."""

import pytest

from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.market.links.linker import AssetLinker

_STOCKS = (
    "AAPL MSFT V T ON BRK-B GOOG GOOGL VOD.L 0700.HK 7203.T SAP.DE ASML.AS ORA.PA NESN.SW NOVO-B.CO SHOP.TO BHP.AX "
    "005930.KS"
)
LINKER = AssetLinker(
    [
        *(Asset(symbol, AssetType.STOCK) for symbol in (*_STOCKS.split(), "M&M.NS", "EURUSD=X", "^VIX")),
        *(Asset(f"{base}-USD", AssetType.CRYPTO) for base in ("BTC", "ETH", "SOL", "LTC", "LINK", "NEAR")),
        Asset("BTC-EUR", AssetType.CRYPTO),
    ]
)


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("(NASDAQ: AAPL)", "AAPL"),
        ("(NASDAQ:AAPL)", "AAPL"),
        ("(Nasdaq: aapl)", "AAPL"),
        ("(NasdaqGS:AAPL)", "AAPL"),
        ("[NASDAQ:AAPL]", "AAPL"),
        ("NASDAQ:AAPL", "AAPL"),
        ("AAPL:NASDAQ slips", "AAPL"),
        ("(AAPL:NASDAQ)", "AAPL"),
        ("(AAPL:US)", "AAPL"),
        ("VOD:LSE", "VOD.L"),
        ("(VOD:LN)", "VOD.L"),
        ("(BTC:NYSE)", ""),
        ("NASDAQ: AAPL", "AAPL"),
        ("nasdaq:aapl", "AAPL"),
        ("(NASDAQ:AAPL, MSFT)", "AAPL MSFT"),
        ("(NASDAQ: GOOG; NASDAQ: GOOGL)", "GOOG GOOGL"),
        ("(NASDAQ: GOOG and GOOGL)", "GOOG GOOGL"),
        ("(NYSE: BRK.B)", "BRK-B"),
        ("(NYSE: BRK/B)", "BRK-B"),
        ("NYSE: BRK-B", "BRK-B"),
        ("(NYSE: V)", "V"),
        ("(LON:VOD)", "VOD.L"),
        ("LSE:VOD", "VOD.L"),
        ("(LSE: VOD) (NASDAQ: AAPL)", "AAPL VOD.L"),
        ("(HKG: 0700)", "0700.HK"),
        ("(SEHK: 00700)", "0700.HK"),
        ("(HKEX:700)", "0700.HK"),
        ("(TYO: 7203)", "7203.T"),
        ("(TSE: 7203)", "7203.T"),
        ("(ETR:SAP)", "SAP.DE"),
        ("[XETRA: SAP]", "SAP.DE"),
        ("(Euronext Amsterdam: ASML)", "ASML.AS"),
        ("(EPA:ORA)", "ORA.PA"),
        ("(Euronext: ORA)", "ORA.PA"),
        ("(SWX: NESN)", "NESN.SW"),
        ("(CPH:NOVO-B)", "NOVO-B.CO"),
        ("(TSX:SHOP)", "SHOP.TO"),
        ("(ASX:BHP)", "BHP.AX"),
        ("(NSE:M&M)", "M&M.NS"),
        ("(XTRA:SAP)", "SAP.DE"),
        ("(XTER:SAP)", "SAP.DE"),
        ("(ENXTPA:ORA)", "ORA.PA"),
        ("(ENXTAM:ASML)", "ASML.AS"),
        ("(HKSE:00700)", "0700.HK"),
        ("(Hong Kong: 0700)", "0700.HK"),
        ("(CPSE:NOVO B)", "NOVO-B.CO"),
        ("(OCSE:NOVO B)", "NOVO-B.CO"),
        ("(Nasdaq Copenhagen: NOVO B)", "NOVO-B.CO"),
        ("(London Stock Exchange: VOD)", "VOD.L"),
        ("(SIX Swiss Exchange: NESN)", "NESN.SW"),
        ("(Tokyo Stock Exchange: 7203)", "7203.T"),
        ("(KOSE:A005930)", "005930.KS"),
        ("(KRX: 005930)", "005930.KS"),
        ("$BTC.X", "BTC-EUR BTC-USD"),
        ("$sol.x", "SOL-USD"),
        ("(BTC-USD)", "BTC-USD"),
        ("(CRYPTO: BTC)", "BTC-EUR BTC-USD"),
        ("COINBASE:BTCUSD", "BTC-USD"),
        ("(BINANCE:SOLUSDT)", "SOL-USD"),
        ("AAPL.O", "AAPL"),
        ("<AAPL.O>", "AAPL"),
        ("BRKb.N", "BRK-B"),
        ("AAPL.US", "AAPL"),
        ("(AAPL.US)", "AAPL"),
        ("VOD.L", "VOD.L"),
        ("(VOD.L)", "VOD.L"),
        ("0700.HK", "0700.HK"),
        ("VOD LN", "VOD.L"),
        ("(VOD LN)", "VOD.L"),
        ("AAPL US Equity", "AAPL"),
        ("(AAPL US)", "AAPL"),
        ("ASML NA Equity", "ASML.AS"),
        ("^VIX", "^VIX"),
        ("$ON", "ON"),
        ("$on", "ON"),
        ("$BRK.B", "BRK-B"),
        ("($LINK)", "LINK-USD"),
        ("#BTC $LTC", "BTC-EUR BTC-USD LTC-USD"),
        ("BTC/USD", "BTC-USD"),
        ("btc/usd", "BTC-USD"),
        ("BTC-EUR", "BTC-EUR"),
        ("BTC/GBP", "BTC-EUR BTC-USD"),
        ("BTCUSDT", "BTC-USD"),
        ("XBT/USD", "BTC-USD"),
        ("BTC/EURC", "BTC-EUR"),
        ("BTCTRY", "BTC-EUR BTC-USD"),
        ("SOLUSDT", "SOL-USD"),
        ("ETH/BTC", "BTC-EUR BTC-USD ETH-USD"),
        ("EUR/USD", "EURUSD=X"),
        ("eur/usd", "EURUSD=X"),
        ("EURUSD", "EURUSD=X"),
    ],
)
def test_notation_of_an_asset_is_linked(text: str, symbols: str):
    """N3, N4, rows L1 and L3: each notation names its assets, even in Title Case and at either end of the headline."""
    for title in (f"Morning note on {text}", f"{text} In Early Trade", f"WHAT NOW FOR {text} HOLDERS"):
        assert " ".join(LINKER.link(title)) == symbols, title


@pytest.mark.parametrize(
    "text",
    [
        "(NYSE:LTC)",
        "(JSE:SOL)",
        "(JSE: SOL)",
        "(XTRA: V)",
        "(Borsa Italiana: SOL)",
        "(Nasdaq Stockholm: V B)",
        "$V.X",
        "NYSE: LTC",
        "(NYSE American: LINK)",
        "(NASDAQ: NEAR)",
        "(TSX: T)",
        "(TSXV:ON)",
        "(LON: V)",
        "(CSE: SOL)",
        "(PSE: LTC)",
        "(Bourse de Casablanca: SOL)",
        "[ASX:ON]",
        "(LSE: AAPL)",
        "SOL.JO",
        "T.TO",
        "LTC US Equity",
        "V LN",
        "(V AU)",
        "GBP/USD",
        "AUD/NZD",
        "and/or",
        "ON/OFF",
        "24/7",
        "(SEC)",
        "(2024)",
        "(see below)",
        "()",
        "$",
        "$$$",
        "$5",
        "US$5",
        "$1bn",
        "$T5",
    ],
)
def test_notation_of_another_exchange_or_of_none_is_not_linked(text: str):
    """N3, row L2: a ticker on an exchange where the asset is not listed names another company, known or not."""
    assert LINKER.link(f"Miner {text} lifts output") == ()


def test_notation_with_stated_exchanges_replaces_those_of_the_symbol():
    """N3: the exchanges in the assets file decide, under any spelling of the exchange."""
    linker = AssetLinker([Asset("KVLT", AssetType.STOCK, exchanges=("London", "Narnia"))])
    assert linker.link("Update (LSE: KVLT)") == ("KVLT",)
    assert linker.link("Update (NARNIA: KVLT)") == ("KVLT",)
    assert linker.link("Update (NYSE: KVLT)") == ()


@pytest.mark.parametrize(
    ("title", "symbols"),
    [
        ("Chipmaker (AAPL) rises", "AAPL"),
        ("Apple (AAPL) rises", "AAPL"),
        ("Visa (V) Q2 Earnings Beat", "V"),
        ("ON Semiconductor (ON) Slips", "ON"),
        ("Solana (SOL) Price Analysis", "SOL-USD"),
        ("Sasol (SOL) Price Analysis", ""),
        ("Long-Term Care (LTC) Costs Rise", ""),
        ("LTC Properties (LTC) Q2 FFO Beats", ""),
        ("Victory (V) Day Parade", ""),
    ],
)
def test_bare_ticker_counts_beside_the_name_of_its_asset(title: str, symbols: str):
    """N3, row L4: the words before a ticker without an exchange show which asset it means."""
    assert " ".join(LINKER.link(title)) == symbols


@pytest.mark.parametrize(
    ("title", "symbols"),
    [
        ("Exchange lists PENDLE/USDT", ()),
        ("1000SATS/USDT volume doubles", ()),
        ("PENDLE-USDC pool drained", ()),
        ("1INCH/USDT rallies", ("1INCH-USD",)),
        ("1INCHUSDT rallies", ("1INCH-USD",)),
        ("USDT/USD slips", ("USDT-USD",)),
        ("USDT supply grows", ("USDT-USD",)),
    ],
)
def test_link_of_a_pair_of_an_untracked_coin_leaves_out_the_stablecoin(title: str, symbols: tuple[str, ...]):
    """N3: a stablecoin after the slash is the currency of a pair, even if the coin before it is not tracked."""
    coins = [Asset("USDT-USD", AssetType.CRYPTO, "Tether"), Asset("USDC-USD", AssetType.CRYPTO, "USDC")]
    assert AssetLinker([*coins, Asset("1INCH-USD", AssetType.CRYPTO, "1inch")]).link(title) == symbols


def test_link_of_words_with_a_hyphen_in_a_headline_in_capitals_is_not_a_pair():
    """N3: in a headline in capitals, a company and a stablecoin that a hyphen joins are both linked."""
    assets = [Asset("COIN", AssetType.STOCK, "Coinbase Global, Inc."), Asset("USDC-USD", AssetType.CRYPTO, "USDC")]
    assert AssetLinker(assets).link("COINBASE-USDC DEAL ENDS") == ("COIN", "USDC-USD")
