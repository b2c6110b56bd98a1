"""Tests of the canonical spelling of symbols that users write in the notation of another source (D11)."""

import re
from collections.abc import Iterable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from financehub_shared.core.kinds import AssetKind, AssetType
from financehub_shared.core.symbols.coins import COIN_NAMES, KNOWN_COINS
from financehub_shared.core.symbols.currencies import COIN_CURRENCIES, CURRENCIES, METALS, STABLECOINS
from financehub_shared.core.symbols.exchanges import BY_BLOOMBERG_CODE, EXCHANGES, Exchange
from financehub_shared.core.symbols.indices import INDEX_CURRENCIES, INDEX_NAMES
from financehub_shared.core.symbols.pattern import SYMBOL_PATTERN
from financehub_shared.core.symbols.spelling import find_spellings, suggest_symbols

CRYPTO, STOCK = AssetType.CRYPTO, AssetType.STOCK


def symbols(text: str, type: AssetType, kind: AssetKind | None = None) -> list[str]:
    """Return the spellings of the stated type."""
    return [spelling.symbol for spelling in find_spellings(text, type, kind) if spelling.type is type]


PAIR_NOTATIONS = [
    *("BTC/USD", "BTC-USD", "BTC_USD", "BTC USD", "BTC.USD", "BTC:USD", "BTC|USD", "BTCUSD", "btcusd", "Btc/Usd"),
    *("BTC/USDT", "BTC-USDT", "BTC_USDT", "BTCUSDT", "BTCUSDC", "BTCFDUSD", "BTCBUSD", "XBT/USD", "XBTUSD", "XBT-USD"),
    *("XXBTZUSD", "tBTCUSD", "X:BTCUSD", "BINANCE:BTCUSDT", "COINBASE:BTC-USD", "BTC-USD.CC", "BTCUSD.P"),
    *(
        "BTC/USDT:USDT",
        "BTC-USD-SWAP",
        "BTC-PERP",
        "BTCUSDT_PERP",
        "USD-BTC",
        "USDT_BTC",
        "BTC",
        "XBT",
        "$BTC",
        "#btc",
        "bitcoin",
    ),
    *(
        "tBTCUST",
        "BITFINEX:BTCUST",
        "BTCUSD_240628",
        "BTCUSDT240628",
        "BTC-27DEC24",
        "BTC.X",
        "BTCUSD=X",
        "BTC=",
        "BTC-",
    ),
    *(" BTC-USD ", "BTC-USD,", "'BTC-USD'", "(BTC)", "BTC–USD", "ＢＴＣ-ＵＳＤ", "BTC -USD", "BTC\u00a0USD"),
]


def read_all(texts: Iterable[str], type: AssetType, kind: AssetKind | None = None) -> dict[str, list[str]]:
    """Return text → spellings of the stated type."""
    return {text: symbols(text, type, kind) for text in texts}


NAMES_OF_COINS = {
    "bitcoin cash": "BCH-USD",
    "bitcoin-cash": "BCH-USD",
    "Shiba Inu": "SHIB-USD",
    "binancecoin": "BNB-USD",
    "USDt": "USDT-USD",
}


def test_name_of_a_coin_is_read():
    """The names of well-known coins are read, including names of several words."""
    assert read_all(NAMES_OF_COINS, CRYPTO) == {name: [symbol] for name, symbol in NAMES_OF_COINS.items()}


def test_coin_in_any_notation_is_the_pair_with_dollars():
    """Every notation of Bitcoin in dollars, or in a dollar stablecoin, means BTC-USD."""
    assert read_all(PAIR_NOTATIONS, CRYPTO) == {text: ["BTC-USD"] for text in PAIR_NOTATIONS}


@given(
    st.sampled_from(sorted(KNOWN_COINS)),
    st.sampled_from(sorted(COIN_CURRENCIES | set(STABLECOINS))),
    st.sampled_from(["", "-", "/", "_", ":", ".", " "]),
)
def test_pair_of_a_known_coin_is_split_correctly(coin: str, quote: str, separator: str):
    """A known coin with any currency or stablecoin is read correctly, with and without a separator."""
    currency = STABLECOINS.get(quote, quote)
    if coin != quote:
        assert symbols(f"{coin}{separator}{quote}", CRYPTO) == [f"{coin}-{currency}"]


@settings(max_examples=50)
@given(st.text("ABCTXUSDRE019", min_size=1, max_size=6), st.sampled_from(["USD", "EUR", "KRW"]))
def test_canonical_pair_is_accepted_unless_its_base_is_a_currency_or_another_name(base: str, currency: str):
    """An unknown coin is accepted in the canonical spelling: a list of all coins would soon be out of date."""
    if base not in COIN_CURRENCIES and base not in COIN_NAMES and base not in METALS:
        assert symbols(f"{base}-{currency}", CRYPTO) == [f"{base}-{currency}"]


OTHER_KINDS = {
    "EUR/USD": "EURUSD=X",
    "EURUSD": "EURUSD=X",
    "eur-usd": "EURUSD=X",
    "FX:EURUSD": "EURUSD=X",
    "CURRENCY:EURUSD": "EURUSD=X",
    "EURUSD.FOREX": "EURUSD=X",
    "EURUSD:CUR": "EURUSD=X",
    "EURUSD Curncy": "EURUSD=X",
    "EUR=": "EURUSD=X",
    "JPY=": "USDJPY=X",
    "USD/KZT": "USDKZT=X",
    "XAU/USD": "GC=F",
    "DXY": "DX-Y.NYB",
    "SPX": "^GSPC",
    "S&P500": "^GSPC",
    "S&P 500": "^GSPC",
    ".SPX": "^GSPC",
    "SPX Index": "^GSPC",
    "I:SPX": "^GSPC",
    "INDEXSP:.INX": "^GSPC",
    "GSPC.INDX": "^GSPC",
    "DAX": "^GDAXI",
    "^DAX": "^GDAXI",
    "nikkei 225": "^N225",
    "CBOE:VIX": "^VIX",
    ".DJT": "^DJT",
    "EURJPY=": "EURJPY=X",
    "EURGBP=R": "EURGBP=X",
    "XAU=": "GC=F",
    "EURUSDm": "EURUSD=X",
    "EURUSD.pro": "EURUSD=X",
    "JPY": "USDJPY=X",
    "SPX500USD": "^GSPC",
    "OANDA:DE30_EUR": "^GDAXI",
    "NYA Index": "^NYA",
    "TSX": "^GSPTSE",
    "ES1!": "ES=F",
    "CLc1": "CL=F",
    "ICEEUR:BRN1!": "BZ=F",
    "ESZ6": "ES=F",
    "GCG6 Comdty": "GC=F",
    "GCA Comdty": "GC=F",
    "C 1 Comdty": "ZC=F",
    "CO1 Comdty": "BZ=F",
    "ES1 Index": "ES=F",
    "TVC:GOLD": "GC=F",
    "SILVER": "SI=F",
    "CME_MINI:ES1!": "ES=F",
    "CL1 Comdty": "CL=F",
    "/ES": "ES=F",
}


def test_currency_pair_index_or_future_in_another_notation_is_read():
    """Currency pairs, indices and futures of other sources have Yahoo's symbol."""
    assert read_all(OTHER_KINDS, STOCK) == {text: [symbol] for text, symbol in OTHER_KINDS.items()}


SHARES = {
    "BRK.B": "BRK-B",
    "BRK/B": "BRK-B",
    "BRK B": "BRK-B",
    "BF.B": "BF-B",
    "HEI.A": "HEI-A",
    "NYSE:BRK.B": "BRK-B",
    "BRK.B.US": "BRK-B",
    "BRK.B-US": "BRK-B",
    "BAC.PRL": "BAC-PL",
    "BAC.PR.L": "BAC-PL",
    "BAC^L": "BAC-PL",
    "BAC/PL": "BAC-PL",
    "BACpL": "BAC-PL",
    "BRKb": "BRK-B",
    "BRKb.N": "BRK-B",
    "BRKB": "BRK-B",
    "VOLVb.ST": "VOLV-B.ST",
    "SPY.P": "SPY",
    "UBER.K": "UBER",
    "US.AAPL": "AAPL",
    "AAPL-": "AAPL",
    "AACT.U": "AACT-UN",
    "SPCE.WS": "SPCE-WT",
    "AAPL.US": "AAPL",
    "AAPL US Equity": "AAPL",
    "AAPL.O": "AAPL",
    "AAPL.OQ": "AAPL",
    "NASDAQ:AAPL": "AAPL",
    "(NASDAQ: AAPL)": "AAPL",
    "NYSE Arca: SPY": "SPY",
    "TSX-V: ABC": "ABC.V",
    "$aapl": "AAPL",
    "LON:VOD": "VOD.L",
    "LON:SPX": "SPX.L",
    "FRA:AEX": "AEX.F",
    "LSE:BP.": "BP.L",
    "VOD.LN": "VOD.L",
    "VOD LN": "VOD.L",
    "VOD:LN": "VOD.L",
    "VOD-GB": "VOD.L",
    "VOD.LON": "VOD.L",
    "LSE:VOD.L": "VOD.L",
    "BT/A LN": "BT-A.L",
    "7203.JP": "7203.T",
    "TSE:7203": "7203.T",
    "TSE:RY": "RY.TO",
    "BHP.AU": "BHP.AX",
    "700.HK": "0700.HK",
    "00700.HK": "0700.HK",
    "700 HK": "0700.HK",
    "5930.KS": "005930.KS",
    "600519.SH": "600519.SS",
    "SH600519": "600519.SS",
    "SZ.000858": "000858.SZ",
    "HK.00700": "0700.HK",
    "00700": "0700.HK",
    "130A": "130A.T",
    "KRX:A005930": "005930.KS",
    "NSE:M&M": "M&M.NS",
    "RELIANCE-EQ": "RELIANCE.NS",
    "TSX:RCI.B": "RCI-B.TO",
    "REI.UN.TO": "REI-UN.TO",
    "STO:VOLV-B": "VOLV-B.ST",
    "WALMEX*": "WALMEX.MX",
    "XETR:SAP": "SAP.DE",
    "NESN.S": "NESN.SW",
    "JPM.PD": "JPM-PD",
    "PETR4": "PETR4.SA",
    "TAEE11": "TAEE11.SA",
    "\u0410\u0410\u0420L": "AAPL",
    "BRK\u200b-B": "BRK-B",
    "https://finance.yahoo.com/quote/BRK-B/?p=BRK-B": "BRK-B",
    "https://www.google.com/finance/quote/VOD:LON": "VOD.L",
    "%5EGSPC": "^GSPC",
    "M&amp;M.NS": "M&M.NS",
    "VIX.X": "^VIX",
}


def test_share_in_another_notation_is_read():
    """Shares in the notations of Bloomberg, Reuters, Google, TradingView and others have Yahoo's symbol."""
    assert read_all(SHARES, STOCK) == {text: [symbol] for text, symbol in SHARES.items()}


SEVERAL = {
    "7203": ["7203.SR", "7203.T", "7203.HK", "7203.TW", "7203.TWO", "7203.KL"],
    "600519": ["600519.SS", "600519.SZ", "600519.KS", "600519.KQ", "600519.BO"],
    "A005930": ["005930.KS", "005930.KQ"],
    "REI.UN": ["REI-UN", "REI-UN.TO"],
    "ESH26": ["ESH26.CME", "ES=F"],
    "CME:ESH2026": ["ESH26.CME", "ES=F"],
    "/GCG26": ["GCG26.CMX", "GC=F"],
}


def test_symbol_that_fits_several_exchanges_leads_to_all_of_them():
    """A number without an exchange, a unit, or a single month of a future leads to several spellings, best first."""
    assert read_all(SEVERAL, STOCK) == SEVERAL


CANONICAL = [
    *("AAPL", "T", "X", "BRK-B", "BAC-PL", "AACT-UN", "VOD.L", "BT-A.L", "7203.T", "0700.HK", "80700.HK"),
    *("005930.KS", "00088K.KS", "M&M.NS", "BAJAJ-AUTO.NS", "NIFTY_FIN_SERVICE.NS", "00878.TW", "0050.TW"),
    *("RCI-B.TO", "REI-UN.TO", "PETR4.SA", "130A.T", "3IN.L", "4BB.F", "0P000071W8.TO", "VFIAX", "DJT", "CAC"),
    *("^GSPC", "^SPX", "^N225", "^990100-USD-STRD", "^UNKNOWN", "000001.SS", "DX-Y.NYB", "TA35.TA"),
    *("EURUSD=X", "JPY=X", "GC=F", "6E=F", "ESZ26.CME", "IE00B4L5Y983.SG", "ABC.ZZ"),
]


def test_canonical_stock_symbol_is_accepted_as_it_is():
    """A symbol that Yahoo lists is never changed."""
    assert read_all(CANONICAL, STOCK) == {symbol: [symbol] for symbol in CANONICAL}


def share_of(exchange: Exchange) -> str:
    """Return a code that has the form of this exchange's codes."""
    return "123456"[: exchange.digits] or "ABCD"


def symbol_of(exchange: Exchange) -> str:
    """Return Yahoo's symbol of that share."""
    return f"{share_of(exchange)}.{exchange.suffix}".rstrip(".")


def test_symbol_with_the_suffix_of_any_exchange_is_accepted():
    """A code with Yahoo's suffix is canonical, even if the suffix is also a code of another source."""
    canonical = [symbol_of(exchange) for exchange in EXCHANGES]
    assert read_all(canonical, STOCK) == {symbol: [symbol] for symbol in canonical}


def test_bloomberg_code_of_any_exchange_is_read():
    """A share with Bloomberg's code after a space, and with or without the sector, has the suffix of that exchange."""
    expected = {}
    for code, (exchange,) in BY_BLOOMBERG_CODE.items():
        for text in (f"{share_of(exchange)} {code}", f"{share_of(exchange)} {code} Equity"):
            expected[text] = [symbol_of(exchange)]
    assert read_all(expected, STOCK) == expected


def test_names_of_any_exchange_are_read_before_and_after_the_code():
    """The names of an exchange are read before and after a code. Names of several exchanges lead to all of them."""
    for exchange in EXCHANGES:
        for name in exchange.codes.split():
            share = share_of(exchange)
            assert symbol_of(exchange) in symbols(f"{name}:{share}", STOCK), name
            assert symbol_of(exchange) in symbols(f"{share}:{name}", STOCK), name


def test_name_of_an_index_is_read_unless_the_kind_says_otherwise():
    """The name of an index means the index, but it is a ticker if the user states that it is a share or a fund."""
    assert read_all(INDEX_NAMES, STOCK) == {name: [symbol] for name, symbol in INDEX_NAMES.items()}
    tickers = [name for name in INDEX_NAMES if "/" not in name]
    assert read_all(tickers, STOCK, AssetKind.FUND) == {name: [name] for name in tickers}


def test_names_of_indices_are_unique_and_their_symbols_canonical():
    """No name of an index occurs twice, and every symbol and currency of the table is valid."""
    assert len(INDEX_CURRENCIES) > 80
    assert set(INDEX_CURRENCIES.values()) <= CURRENCIES
    assert read_all(INDEX_CURRENCIES, STOCK) == {symbol: [symbol] for symbol in INDEX_CURRENCIES}
    assert set(INDEX_NAMES.values()) <= INDEX_CURRENCIES.keys()


@pytest.mark.parametrize(
    ("text", "stated", "expected"),
    [
        ("BTC/USD", STOCK, "BTC-USD"),
        ("BTC-USD", STOCK, "BTC-USD"),
        ("NEWCOIN-USD", STOCK, "NEWCOIN-USD"),
        ("BINANCE:BTCUSDT", STOCK, "BTC-USD"),
        ("BTCUSD=X", STOCK, "BTC-USD"),
        ("BTC=", STOCK, "BTC-USD"),
        ("bitcoin", STOCK, "BTC-USD"),
        ("EUR/USD", CRYPTO, "EURUSD=X"),
        ("EURUSD=X", CRYPTO, "EURUSD=X"),
        ("^GSPC", CRYPTO, "^GSPC"),
        ("VOD.L", CRYPTO, "VOD.L"),
        ("NASDAQ:AAPL", CRYPTO, "AAPL"),
        ("AAPL:US", CRYPTO, "AAPL"),
        ("AAPL.O", CRYPTO, "AAPL"),
        ("BRK/B", CRYPTO, "BRK-B"),
        ("NOVOb.CO", CRYPTO, "NOVO-B.CO"),
        ("SH600519", CRYPTO, "600519.SS"),
        ("XAU/USD", CRYPTO, "GC=F"),
        ("^DAX", CRYPTO, "^GDAXI"),
        ("S&P 500", CRYPTO, "^GSPC"),
        ("EUR=", CRYPTO, "EURUSD=X"),
        ("1INCH", STOCK, "1INCH-USD"),
        ("USDT", STOCK, "USDT-USD"),
    ],
)
def test_symbol_of_the_other_type_is_recognized(text: str, stated: AssetType, expected: str):
    """The right type of a coin that is stated as a stock, or of a stock that is stated as a coin, is recognized."""
    (spelling,) = find_spellings(text, stated)
    assert (spelling.symbol, spelling.type) == (expected, STOCK if stated is CRYPTO else CRYPTO)


@given(st.text(max_size=24) | st.from_regex(r"[A-Za-z0-9.:/ =^&_-]{1,20}", fullmatch=True), st.sampled_from(AssetType))
@example("0/", AssetType.CRYPTO)
def test_proposal_for_any_text_is_canonical(text: str, type: AssetType):
    """No text leads to an exception, and a proposal that can be a symbol is not changed again."""
    for spelling in find_spellings(text, type):
        if re.fullmatch(SYMBOL_PATTERN, spelling.symbol) and spelling.symbol not in INDEX_NAMES:
            assert spelling in find_spellings(spelling.symbol, spelling.type)


def test_suggestion_is_a_known_symbol_of_either_type():
    """A text is matched against the known symbols of both types, and an unknown symbol is never suggested."""
    known = ["BTC-USD", "BRK-B", "^GSPC", "VOD.L"]
    assert [suggest_symbols(text, known) for text in ("btcusdt", "BRK.B", "SPX", "LON:VOD", "AAPL.US")] == [
        ["BTC-USD"],
        ["BRK-B"],
        ["^GSPC"],
        ["VOD.L"],
        [],
    ]
