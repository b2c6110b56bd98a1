"""Tests of the evidence of quotes, which consists of the other values of an answer about a price."""

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Quote, QuoteEvidence
from financehub_shared.providers.evidence import read_evidence
from financehub_simulator.upstreams.yahoo import crumb
from support.adapters import READ_QUOTES
from support.simulated_answers import simulated_answer

BTC = Asset("BTC-USD", AssetType.CRYPTO)
#: Upstream → a request for one asset, the asset, and the evidence that the upstream does not report.
REQUESTS: Mapping[str, tuple[str, Asset, set[str]]] = {
    "binance": ('/binance/api/v3/ticker/24hr?symbols=["BTCUSDT"]', BTC, {"market_state"}),
    "kraken": ("/kraken/0/public/Ticker?pair=XBTUSD", BTC, {"market_state"}),
    "coingecko": (
        "/coingecko/api/v3/coins/markets?vs_currency=usd&ids=bitcoin",
        BTC,
        {"bid", "ask", "trades", "market_state"},
    ),
    "finnhub": (
        "/finnhub/api/v1/quote?symbol=AAPL&token=key",
        Asset("AAPL", AssetType.STOCK),
        {"bid", "ask", "trades", "market_state"},
    ),
    "yahoo": (
        f"/yahoo/v7/finance/quote?symbols=VOD.L&crumb={crumb(7)}",
        Asset("VOD.L", AssetType.STOCK, currency="GBP"),
        {"trades"},
    ),
}
NAMES = ("previous_close", "low", "high", "bid", "ask", "trades", "market_state")
ALL = dict(zip(NAMES, NAMES, strict=True))


def quote_of(upstream: str, body: bytes, asset: Asset) -> Quote:
    return READ_QUOTES[upstream](body, [asset]).quotes[asset.symbol]


@pytest.mark.parametrize("upstream", REQUESTS)
async def test_evidence_of_a_simulated_answer_agrees_with_the_price(upstream: str):
    """All evidence of an upstream is delivered in the unit of the quote, and no value contradicts the price."""
    path, asset, unreported = REQUESTS[upstream]
    quote = quote_of(upstream, await simulated_answer(path), asset)
    found = quote.evidence
    assert {name for name in NAMES if not getattr(found, name)} == unreported
    assert found.low is not None
    assert found.high is not None
    assert found.previous_close is not None
    assert found.low <= quote.price <= found.high
    assert abs(quote.price / found.previous_close - 1) < Decimal("0.2")
    if found.bid is not None and found.ask is not None:
        assert found.bid <= quote.price <= found.ask


@pytest.mark.real_data
def test_evidence_of_the_recorded_kraken_ticker_is_of_24_hours(real_answers: Path):
    """The second value of each of Kraken's pairs is for the last 24 hours, and the open is for the day."""
    body = json.dumps(json.loads((real_answers / "kraken-ticker.json").read_text())["body"]).encode()
    asset = Asset("BTC-USDT", AssetType.CRYPTO, currency="USDT")
    prices = [Decimal(price) for price in ("71450.70000", "68666.00000", "73580.00000", "73380.60000", "73380.70000")]
    assert (quote_of("kraken", body, asset)).evidence == QuoteEvidence(*prices, trades=21_103)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=9) | st.sampled_from(["1", "0", "-1"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=3,
)


@settings(max_examples=50)
@given(st.fixed_dictionaries(dict.fromkeys(NAMES, json_values)), st.decimals(1, 2), json_values)
def test_damaged_evidence_is_none_and_never_an_error(values: dict[str, Any], price: Decimal, change: Any):
    """Any JSON value leads to a positive finite price, a non-negative offer, a count, a word, or None (I3)."""
    found = read_evidence(values, Decimal("0.01"), **ALL)
    computed = read_evidence({"change": change}, change=(price, "change")).previous_close
    for value in (found.previous_close, found.low, found.high, computed):
        assert value is None or (value.is_finite() and value > 0)
    for value in (found.bid, found.ask, found.trades):
        assert value is None or value >= 0
    assert not found.market_state or found.market_state.isalpha()


def test_absent_offers_differ_from_unreported_ones():
    """An offer of 0 means that nobody offers, and a missing offer means that the upstream does not report offers."""
    found = read_evidence({"bid": "0.0000", "ask": None}, **ALL)
    assert (found.bid, found.ask) == (0, None)
