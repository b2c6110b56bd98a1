"""Tests of recorded and damaged Yahoo quotes."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from financehub_shared.core.errors import NotFoundError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Quote, QuoteEvidence
from financehub_shared.providers.yahoo.quotes import FIELDS, read_quotes

#: Time in Unix seconds at which the quotes were recorded.
NOW = datetime(2025, 2, 17, 10, 54, 51, tzinfo=UTC).timestamp()


def stock(symbol: str, currency: str = "USD") -> Asset:
    return Asset(symbol, AssetType.STOCK, currency=currency)


BTC = Asset("BTC-USD", AssetType.CRYPTO, provider_symbols={"yahoo": "BTC-USD"})

Recorded = Callable[[str], bytes]


@pytest.fixture(scope="session")
def recorded(real_answers: Path) -> Recorded:
    """Return the body of a recorded response by its file name."""

    def read(name: str) -> bytes:
        return json.dumps(json.loads((real_answers / "yahoo" / f"quote-{name}.json").read_bytes())["body"]).encode()

    return read


@pytest.mark.parametrize(("symbol", "answered"), [("USDJPY=X", "JPY=X"), ("JPY=X", "USDJPY=X"), ("JPY=X", "JPY=X")])
def test_quote_of_a_dollar_is_found_in_both_spellings(symbol: str, answered: str):
    """Yahoo answers a request for USDJPY=X or JPY=X with either symbol."""
    row = {"symbol": answered, "regularMarketPrice": 155.2, "currency": "JPY", "regularMarketTime": int(NOW)}
    body = json.dumps({"quoteResponse": {"result": [row]}}).encode()
    assert read_quotes("yahoo", [stock(symbol, "JPY")], body, NOW).quotes[symbol].price == Decimal("155.2")
    euro = read_quotes("yahoo", [stock("EURJPY=X", "JPY")], body, NOW)
    assert isinstance(euro.missing["EURJPY=X"], NotFoundError)


def read_one(body: bytes, asset: Asset) -> Quote:
    return read_quotes("yahoo", [asset], body, NOW).quotes[asset.symbol]


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("file", "asset", "price", "currency", "change", "volume", "made_at"),
    [
        ("OCDO.L", stock("OCDO.L", "GBP"), "3.088", "GBP", "-2.0304644", "113925", 1739788724),
        ("AAPL", stock("AAPL"), "244.6", "USD", "1.2710667", "40896227", 1739566800),
        ("QQQ", stock("QQQ"), "538.15", "USD", "0.41985443", "17862572", 1739566801),
        ("0P000071W8.TO", stock("0P000071W8.TO", "CAD"), "152.63", "CAD", "-0.072018206", None, 1739563200),
        ("EURUSD_X", stock("EURUSD=X"), "1.0489877", "USD", "-0.052457344", "0", 1739789683),
        ("ORSTED.CO", stock("ORSTED.CO", "DKK"), "299.7", "DKK", "-0.36568338", "47779", 1739789655),
        ("WSKT.JK", stock("WSKT.JK", "IDR"), "202", "IDR", "0", "0", 1721764800),
    ],
)
def test_recorded_quotes_have_the_recorded_figures(
    recorded: Recorded,
    file: str,
    asset: Asset,
    price: str,
    currency: str,
    change: str,
    volume: str | None,
    made_at: int,
):
    """Recorded quotes of several types have price (in the major unit), currency, change, volume and timestamp."""
    quote = read_one(recorded(file), asset)
    assert (quote.price, quote.currency, quote.upstream_at) == (Decimal(price), currency, made_at)
    assert quote.change_percent == Decimal(change)
    assert quote.volume == (volume and Decimal(volume))


def evidence(*prices: str | None, state: str) -> QuoteEvidence:
    return QuoteEvidence(*(None if price is None else Decimal(price) for price in prices), market_state=state)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("file", "asset", "expected"),
    [
        ("OCDO.L", stock("OCDO.L", "GBP"), evidence("3.152", "3.082", "3.154158", "3.085", "3.088", state="REGULAR")),
        ("AAPL", stock("AAPL"), evidence("241.53", "241", "245.41", "244.44", "253.37", state="CLOSED")),
        ("0P000071W8.TO", stock("0P000071W8.TO", "CAD"), evidence("152.74", None, None, None, None, state="CLOSED")),
        ("WSKT.JK", stock("WSKT.JK", "IDR"), evidence("202", "202", "202", "0", "0", state="POSTPOST")),
        ("BTC-USD", BTC, evidence("97303.3406", "95934.96", "96581.79", None, None, state="REGULAR")),
    ],
)
def test_recorded_quotes_have_the_recorded_evidence(
    recorded: Recorded, file: str, asset: Asset, expected: QuoteEvidence
):
    """Evidence is in the major unit, and None where Yahoo does not report it. A coin's change is for 24 hours."""
    assert read_one(recorded(file), asset).evidence == expected


@pytest.mark.real_data
def test_requested_fields_exist_in_a_recorded_quote(recorded: Recorded):
    """The name of every requested field is spelled as in Yahoo's answers."""
    (row,) = json.loads(recorded("AAPL"))["quoteResponse"]["result"]
    assert set(FIELDS.split(",")) - row.keys() == set()


@pytest.mark.real_data
def test_quote_of_a_coin_has_its_volume_in_coins(recorded: Recorded):
    """Yahoo returns a coin's turnover in dollars. 21,228,961,792 at 96,077.45 are 220,956 coins."""
    quote = read_one(recorded("BTC-USD"), BTC)
    assert quote.price == Decimal("96077.45")
    assert float(quote.volume or 0) == pytest.approx(220_956.7, abs=0.1)


@pytest.mark.real_data
def test_batch_maps_each_symbol_to_its_row(recorded: Recorded):
    """Each symbol of a batch gets its own row."""
    quotes = read_quotes("yahoo", [stock("AAPL"), stock("BABA")], recorded("AAPL-BABA"), NOW).quotes
    assert {symbol: str(quote.price) for symbol, quote in quotes.items()} == {"AAPL": "244.6", "BABA": "124.73"}


@pytest.mark.real_data
@pytest.mark.parametrize("symbol", ["SI", "SIX", "APS.AX"])
def test_delisted_and_unknown_symbols_are_not_found(recorded: Recorded, symbol: str):
    """A row without a price and an empty result both mean 'not found', which the breaker does not count."""
    error = read_quotes("yahoo", [stock(symbol)], recorded(symbol), NOW).missing[symbol]
    assert isinstance(error, NotFoundError)
    assert not error.trips_breaker
