"""Tests of what users read when they write a symbol in another notation (D11)."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_shared.core.kinds import AssetType
from financehub_shared.market.asset_entry import read_entry

CRYPTO, STOCK = AssetType.CRYPTO, AssetType.STOCK
NAMES = re.compile(r"(?:.*; )?write (\S+(?: or \S+)*) (?:instead of|and the type (\w+))", re.DOTALL)


def message(symbol: str, type: AssetType) -> str:
    """Return the message about a symbol, or an empty text if it is accepted."""
    _, problems = read_entry({"symbol": symbol, "type": type})
    return "; ".join(problem for _, problem in problems)


@pytest.mark.parametrize(
    ("symbol", "type", "expected"),
    [
        ("Apple", STOCK, "write AAPL instead of Apple"),
        ("Microsoft Corp.", STOCK, "write MSFT instead of Microsoft Corp."),
        ("GOOGLE", STOCK, "write GOOGL or GOOG instead of GOOGLE"),
        ("Tesla", CRYPTO, "Tesla is TSLA, an asset of the type stock"),
        ("NASDAQ", STOCK, "write ^IXIC instead of NASDAQ"),
        ("toyota", STOCK, "symbol 'toyota' is invalid: use capitals"),
        ("\u0410APL", STOCK, "write AAPL instead of '\u0410APL' ('\u0410' is CYRILLIC CAPITAL LETTER A)"),
        ("BTC\u200b-USD", CRYPTO, r"write BTC-USD instead of 'BTC\u200b-USD' ('\u200b' is ZERO WIDTH SPACE)"),
        (" AAPL", STOCK, "write AAPL instead of ' AAPL'"),
        ("\u82f9\u679c", STOCK, "CJK UNIFIED IDEOGRAPH"),
        ("GMEW", CRYPTO, "if you mean a share or a fund, set the type stock"),
        ("US0378331005", STOCK, "US0378331005 is not a symbol, but the ISIN of a security"),
        ("037833100", CRYPTO, "037833100 is not a symbol, but the CUSIP of a security"),
        ("1E5", STOCK, "1E5 is not a US ticker"),
        ("ERUUSD=X", STOCK, "ERUUSD=X is not a currency pair"),
        ("USDUSD=X", STOCK, "USDUSD=X is not a currency pair"),
        ("HP", STOCK, ""),
        ("STK0001", STOCK, ""),
    ],
)
def test_message_about_a_symbol_names_the_fix(symbol: str, type: AssetType, expected: str):
    """Names of companies, look-alikes, identifiers and impossible tickers have messages that say what to write."""
    found = message(symbol, type)
    assert expected in found if expected else not found


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(
        ["AAPL", "ABC", "BTC", "700", "600519", "VALE3", "Microsoft", "acme", "^dax", "JPM.PD", "EUR", "^"]
    ),
    st.sampled_from(["", ".L", ".XX", ".com", ".zz", "/USD", "=X", " LN", ":US", "-b", ".PD", "\u0410", "=F", " Inc"]),
    st.sampled_from(AssetType),
)
def test_proposed_symbol_is_accepted(base: str, tail: str, type: AssetType):
    """A user who writes exactly what a message proposes gets the asset, never a second refusal."""
    if proposal := NAMES.match(message(base + tail, type)):
        for symbol in proposal[1].split(" or "):
            assert message(symbol, AssetType(proposal[2] or type)) == "", (base + tail, symbol)
