"""Tests of the checks of a single quote, which correct or quarantine it without a comparison with other prices."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Quality, Quarantined, Quote, QuoteEvidence
from financehub_shared.market.quality.quotes import check_quote

#: A Wednesday, 15:00 UTC: New York and London are open.
NOW = datetime(2025, 2, 19, 15, tzinfo=UTC).timestamp()
HOUR, DAY = 3_600.0, 86_400.0
BTC = Asset("BTC-USD", AssetType.CRYPTO)
AAPL = Asset("AAPL", AssetType.STOCK)
OCDO = Asset("OCDO.L", AssetType.STOCK, currency="GBP")


def quote(asset: Asset, price: str, *, age: float = 60.0, **others: object) -> Quote:
    """Return a quote of an asset that was fetched `age` seconds ago."""
    default = Quote(asset.symbol, Decimal(price), asset.currency, NOW - age, NOW - age, "yahoo")
    return replace(default, **others)


def check(asset: Asset, price: str, previous: Quote | None = None, **others: object) -> Quote | Quarantined:
    """Check a quote of an asset at `NOW`."""
    return check_quote(asset, quote(asset, price, **others), previous, NOW)


@pytest.mark.parametrize("price", ["0", "-0.01", "NaN", "sNaN", "Infinity", "-Infinity", "1e308", "1e-308"])
def test_quote_with_an_impossible_price_is_quarantined(price: str):
    """Non-positive, non-finite and absurdly large or small prices are quarantined."""
    result = check(BTC, price)
    assert isinstance(result, Quarantined)
    assert result.reason.startswith("price: ")
    assert json.loads(result.payload)["price"] == str(Decimal(price))


def test_good_quote_is_returned_unchanged():
    """A good quote is returned unchanged, with or without a stored quote."""
    good = quote(AAPL, "245.1", volume=Decimal(100), change_percent=Decimal("-1.2"))
    assert check_quote(AAPL, good, None, NOW) == good
    assert check_quote(AAPL, good, quote(AAPL, "244", age=HOUR), NOW) == good


@pytest.mark.parametrize(
    ("unit", "asset", "price", "stored"),
    [
        ("GBp", OCDO, "308.8", "3.088"),
        ("GBX", OCDO, "308.8", "3.088"),
        ("ZAc", Asset("SSW.JO", AssetType.STOCK, currency="ZAR"), "3470", "34.7"),
        ("ILA", Asset("TEVA.TA", AssetType.STOCK, currency="ILS"), "6000", "60"),
        ("KWF", Asset("NBK.KW", AssetType.STOCK, currency="KWD"), "950", "0.95"),
    ],
)
def test_quote_in_a_minor_unit_is_corrected_to_the_major_unit(unit: str, asset: Asset, price: str, stored: str):
    """A price in a stated minor unit is converted to the major unit, marked as corrected and noted."""
    result = check(asset, price, currency=unit)
    assert isinstance(result, Quote)
    assert (result.price, result.currency, result.quality) == (Decimal(stored), asset.currency, Quality.CORRECTED)
    assert result.note == f"unit: {unit} to {asset.currency}"


def test_quote_in_a_minor_unit_has_its_evidence_in_the_major_unit():
    """The evidence is converted together with the price, and a value that is not a number is dropped."""
    evidence = QuoteEvidence(Decimal("315.2"), Decimal("308.2"), Decimal("315.4"), Decimal("308.5"), Decimal("sNaN"), 7)
    result = check(OCDO, "308.8", currency="GBp", evidence=evidence)
    assert isinstance(result, Quote)
    expected = QuoteEvidence(Decimal("3.152"), Decimal("3.082"), Decimal("3.154"), Decimal("3.085"), None, 7)
    assert result.evidence == expected


@pytest.mark.parametrize("currency", ["USD", "EUR", "gbp", "", "ZAc"])
def test_quote_in_another_currency_is_quarantined(currency: str):
    """A price in a currency other than the asset's is quarantined."""
    result = check(OCDO, "3.1", currency=currency)
    assert isinstance(result, Quarantined)
    assert result.reason.startswith(f"currency: {currency} instead of GBP; if ")


@pytest.mark.parametrize(
    ("asset", "upstream_time", "outcome"),
    [
        (BTC, "2025-02-19T14:30", "good"),
        (BTC, "2025-02-19T13:30", "stale"),
        (AAPL, "2025-02-18T21:00", "good"),
        (AAPL, "2025-02-17T12:00", "good"),
        (AAPL, "2025-02-12T21:00", "stale"),
        (OCDO, "2025-02-12T16:30", "good"),
        (OCDO, "2025-02-05T16:30", "stale"),
        (Asset("BRK-B", AssetType.STOCK), "2025-02-18T21:00", "good"),
        (Asset("EURUSD=X", AssetType.STOCK), "2025-02-17T14:00", "good"),
        (Asset("EURUSD=X", AssetType.STOCK), "2025-02-17T12:00", "stale"),
        (Asset("GC=F", AssetType.STOCK), "2025-02-17T12:00", "good"),
        (Asset("^GSPC", AssetType.STOCK), "2025-02-12T21:00", "stale"),
        (Asset("^N225", AssetType.STOCK, currency="JPY"), "2025-02-12T06:00", "good"),
        (AAPL, "2025-02-19T15:04", "good"),
        (AAPL, "2025-02-19T16:00", "future"),
        (BTC, "2055-02-19T16:00", "future"),
        (BTC, "1970-01-01T00:00", "stale"),
    ],
)
def test_quote_age_counts_the_time_when_the_market_was_open(asset: Asset, upstream_time: str, outcome: str):
    """A crypto quote is stale after an hour, and a stock quote after more weekdays than its market ever closes."""
    at = datetime.fromisoformat(upstream_time).replace(tzinfo=UTC).timestamp()
    result = check(asset, "100", upstream_at=at)
    assert ("good" if isinstance(result, Quote) else result.reason.split(":")[0]) == outcome


def test_quote_older_than_the_stored_one_is_stale():
    """A quote that is hours older than the stored one is stale, but a quote from a delayed feed is not."""
    previous = quote(AAPL, "245", age=60)
    assert isinstance(check(AAPL, "245", previous, age=1_200.0), Quote)
    result = check(AAPL, "245", previous, age=2 * HOUR)
    assert isinstance(result, Quarantined)
    assert result.reason == "stale: 2.0 h older than the stored quote"


def test_quote_after_a_stored_time_in_the_future_is_good():
    """A stored timestamp in the future does not make later quotes stale."""
    assert isinstance(check(AAPL, "245", quote(AAPL, "245", age=-30 * DAY)), Quote)


def test_quote_without_a_time_is_good():
    """A quote without a timestamp is validated only by its price, because not every upstream reports one."""
    assert isinstance(check(BTC, "100", upstream_at=None), Quote)


@pytest.mark.parametrize(
    ("volume", "change"),
    [("-5", "1"), ("NaN", "1"), ("5", "NaN"), ("5", "-100"), ("5", "1591666566"), ("Infinity", "-Infinity")],
)
def test_quote_with_an_impossible_volume_or_change_is_corrected(volume: str, change: str):
    """An impossible volume or change is removed from the quote, and the note says so."""
    result = check(AAPL, "245", volume=Decimal(volume), change_percent=Decimal(change))
    assert isinstance(result, Quote)
    assert result.quality is Quality.CORRECTED
    assert result.note.startswith("dropped: ")
    kept = [figure for figure in (result.volume, result.change_percent) if figure is not None]
    assert kept == [Decimal(text) for text in (volume, change) if text in {"1", "5"}]


@pytest.mark.parametrize(
    ("asset", "evidence", "volume", "is_stale"),
    [
        (BTC, QuoteEvidence(trades=0), None, True),
        (BTC, QuoteEvidence(trades=0, bid=Decimal(0), ask=Decimal(0)), "0", True),
        (BTC, QuoteEvidence(), "0", True),
        (BTC, QuoteEvidence(), None, False),
        (BTC, QuoteEvidence(trades=1), "0", False),
        (BTC, QuoteEvidence(trades=0, bid=Decimal(99)), "0", False),
        (BTC, QuoteEvidence(trades=0, ask=Decimal(101)), "0", False),
        (AAPL, QuoteEvidence(trades=0), "0", False),
    ],
)
@pytest.mark.parametrize("upstream_at", [None, NOW], ids=["without a time", "with a time"])
def test_coin_that_nobody_trades_is_stale(
    asset: Asset, evidence: QuoteEvidence, volume: str | None, is_stale: bool, upstream_at: float | None
):
    """D4: A coin with no trade in 24 h, no bid and no ask is stale at any time. A stock's exchange may be closed."""
    traded = None if volume is None else Decimal(volume)
    result = check(asset, "100", evidence=evidence, volume=traded, upstream_at=upstream_at)
    assert isinstance(result, Quarantined) is is_stale
    if isinstance(result, Quarantined):
        assert result.reason == "stale: no trade in 24 h, no bid and no ask"


def test_quarantined_quote_keeps_its_evidence():
    """The payload of a record contains all evidence that the answer has about the price."""
    result = check(BTC, "-1", evidence=QuoteEvidence(Decimal(90), Decimal(80), Decimal(99), trades=12))
    assert isinstance(result, Quarantined)
    payload = json.loads(result.payload)
    assert (payload["previous_close"], payload["low"], payload["high"], payload["trades"]) == ("90", "80", "99", 12)


@given(
    st.decimals(allow_nan=True, allow_infinity=True),
    st.decimals(min_value="1e-18", max_value="1e18"),
    st.sampled_from(["USD", "GBP", "GBp", ""]),
    st.none() | st.floats(-1e12, 1e12),
    st.none() | st.decimals(),
)
def test_validated_quote_is_positive_and_in_the_currency_of_the_asset(
    price: Decimal, before: Decimal, currency: str, upstream_time: float | None, change: Decimal | None
):
    """For any input, validation does not raise, and accepted prices are finite, positive and in the right currency."""
    new_quote = Quote("OCDO.L", price, currency, upstream_time, NOW, "yahoo", change_percent=change)
    result = check_quote(OCDO, new_quote, quote(OCDO, str(before)), NOW)
    if isinstance(result, Quote):
        assert result.price.is_finite()
        assert result.price > 0
        assert result.currency == "GBP"
    else:
        assert result.reason
        assert len(result.payload) <= 2_000
