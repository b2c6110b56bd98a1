"""Tests of quote validation: which quotes are good, corrected or quarantined, and why."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Quality, Quarantined, Quote
from financehub_shared.market.quality.quotes import jump_limit, validate_quote, weekday_seconds
from support.memory_store import MemoryStore

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


def validate(asset: Asset, price: str, previous: Quote | None = None, **others: object) -> Quote | Quarantined:
    """Validate a quote of an asset at `NOW`."""
    return validate_quote(asset, quote(asset, price, **others), previous, NOW)


@pytest.mark.parametrize("price", ["0", "-0.01", "NaN", "sNaN", "Infinity", "-Infinity", "1e308", "1e-308"])
def test_quote_with_an_impossible_price_is_quarantined(price: str):
    """Non-positive, non-finite and absurdly large or small prices are quarantined."""
    result = validate(BTC, price)
    assert isinstance(result, Quarantined)
    assert result.reason.startswith("price: ")
    assert json.loads(result.payload)["price"] == str(Decimal(price))


def test_good_quote_is_returned_unchanged():
    """A good quote is returned unchanged, with or without a stored quote."""
    good = quote(AAPL, "245.1", volume=Decimal(100), change_percent=Decimal("-1.2"))
    assert validate_quote(AAPL, good, None, NOW) == good
    assert validate_quote(AAPL, good, quote(AAPL, "244", age=HOUR), NOW) == good


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
    result = validate(asset, price, currency=unit)
    assert isinstance(result, Quote)
    assert (result.price, result.currency, result.quality) == (Decimal(stored), asset.currency, Quality.CORRECTED)
    assert result.note == f"unit: {unit} to {asset.currency}"


@pytest.mark.parametrize("currency", ["USD", "EUR", "gbp", "", "ZAc"])
def test_quote_in_another_currency_is_quarantined(currency: str):
    """A price in a currency other than the asset's is quarantined."""
    result = validate(OCDO, "3.1", currency=currency)
    assert isinstance(result, Quarantined)
    assert result.reason == f"currency: {currency} instead of GBP"


@pytest.mark.parametrize(
    ("asset", "before", "price", "outcome"),
    [
        (OCDO, "3.1", "308.8", "jump: ×100"),
        (AAPL, "245", "24500", "jump: ×100"),
        (BTC, "96000", "9600000", "jump: ×100"),
        (AAPL, "245", "2.45", "jump: ÷100"),
        (OCDO, "3.1", "0.031", "jump: ÷100"),
        (BTC, "96000", "135000", "jump: +40.62 %"),
        (BTC, "96000", "134000", "good"),
        (BTC, "96000", "68000", "jump: -29.17 %"),
        (BTC, "96000", "69000", "good"),
        (AAPL, "245", "350", "jump: +42.86 %"),
        (Asset("PNNY", AssetType.STOCK), "0.0001", "0.0003", "good"),
        (Asset("PNNY", AssetType.STOCK), "0.0001", "0.0004", "jump"),
        (Asset("MEME-USD", AssetType.CRYPTO), "0.0001", "0.0003", "jump"),
    ],
)
def test_quote_that_jumps_is_quarantined(asset: Asset, before: str, price: str, outcome: str):
    """A quote beyond ×1.4 or ÷1.4 of the stored one is quarantined, except for a penny stock's normal price step."""
    result = validate(asset, price, quote(asset, before, age=HOUR))
    if isinstance(result, Quarantined):
        assert result.reason.startswith(outcome)
    else:
        assert (result.quality, result.price) == (outcome, Decimal(price))


@pytest.mark.parametrize(
    ("before", "price", "change", "accepted"),
    [
        ("2450", "245", "0.5", True),
        ("100", "67", "0.4", True),
        ("1.02", "20.4", "-1", True),
        ("2450", "245", "-90", False),
        ("2450", "245", None, False),
        ("2450", "24.5", "0.5", False),
        ("2450", "180", "0.5", False),
    ],
    ids=["10:1", "3:2", "1:20", "a real fall", "no change given", "÷100 is a unit error", "no known ratio"],
)
def test_quote_after_a_split_is_good(before: str, price: str, change: str | None, accepted: bool):
    """A stock whose previous close is the stored price divided by a split ratio is good, with a note."""
    result = validate(AAPL, price, quote(AAPL, before, age=HOUR), change_percent=change and Decimal(change))
    assert isinstance(result, Quote) is accepted
    if isinstance(result, Quote):
        assert result.note.startswith("split: ")


def test_jump_against_an_old_quote_is_good():
    """A rise by 60 % is a jump within a day, but is accepted against a price that is three days old."""
    assert isinstance(validate(AAPL, "392", quote(AAPL, "245", age=DAY)), Quarantined)
    assert isinstance(validate(AAPL, "392", quote(AAPL, "245", age=3 * DAY)), Quote)


@pytest.mark.parametrize("factor", ["100", "0.01", "50", "0.02", "2", "0.4"])
@pytest.mark.parametrize("asset", [AAPL, OCDO, BTC], ids=lambda asset: asset.symbol)
def test_wrong_stored_price_is_replaced_within_the_retention(asset: Asset, factor: str):
    """No matter how wrong a stored price is, a correct price replaces it by the eighth daily cleanup."""
    store, right_price, retention = MemoryStore(), Decimal(70), 7 * DAY
    store.put_quotes([quote(asset, str(right_price * Decimal(factor)), age=0)])
    for hour in range(8 * 24 + 2):
        now = NOW + hour * HOUR
        new_quote = Quote(asset.symbol, right_price, asset.currency, now, now, "yahoo")
        result = validate_quote(asset, new_quote, store.quotes().get(asset.symbol), now)
        if isinstance(result, Quote):
            store.put_quotes([result])
        if hour % 24 == 0:
            store.drop_older(quotes_before=now - retention, bars_before_day=0, news_before=0, dry_run=False)
    assert store.quotes()[asset.symbol].price == right_price


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_jump_limit_grows_with_the_age_of_the_quote(first: float, second: float):
    """The older the stored price, the larger the accepted change."""
    assert jump_limit(min(first, second)) <= jump_limit(max(first, second))


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
        (AAPL, "2025-02-19T15:04", "good"),
        (AAPL, "2025-02-19T16:00", "future"),
        (BTC, "2055-02-19T16:00", "future"),
        (BTC, "1970-01-01T00:00", "stale"),
    ],
)
def test_quote_age_counts_the_time_when_the_market_was_open(asset: Asset, upstream_time: str, outcome: str):
    """A crypto quote is stale after an hour, and a stock quote after more weekdays than its market ever closes."""
    at = datetime.fromisoformat(upstream_time).replace(tzinfo=UTC).timestamp()
    result = validate(asset, "100", upstream_at=at)
    assert ("good" if isinstance(result, Quote) else result.reason.split(":")[0]) == outcome


def test_quote_older_than_the_stored_one_is_stale():
    """A quote that is hours older than the stored one is stale, but a quote from a delayed feed is not."""
    previous = quote(AAPL, "245", age=60)
    assert isinstance(validate(AAPL, "245", previous, age=1_200.0), Quote)
    result = validate(AAPL, "245", previous, age=2 * HOUR)
    assert isinstance(result, Quarantined)
    assert result.reason == "stale: 2.0 h older than the stored quote"


def test_quote_after_a_stored_time_in_the_future_is_good():
    """A stored timestamp in the future does not make later quotes stale."""
    assert isinstance(validate(AAPL, "245", quote(AAPL, "245", age=-30 * DAY)), Quote)


def test_quote_without_a_time_is_good():
    """A quote without a timestamp is validated only by its price, because not every upstream reports one."""
    assert isinstance(validate(BTC, "100", upstream_at=None), Quote)


def test_live_quote_after_a_simulated_one_is_good():
    """After a change from the simulator to live upstreams, the first live price is not a jump."""
    simulated = quote(BTC, "100", age=HOUR, provider="simulated/yahoo")
    assert isinstance(validate(BTC, "96000", simulated), Quote)


@pytest.mark.parametrize(
    ("volume", "change"), [("-5", "1"), ("NaN", "1"), ("5", "NaN"), ("5", "-100"), ("Infinity", "-Infinity")]
)
def test_quote_with_an_impossible_volume_or_change_is_corrected(volume: str, change: str):
    """An impossible volume or change is removed from the quote, and the note says so."""
    result = validate(AAPL, "245", volume=Decimal(volume), change_percent=Decimal(change))
    assert isinstance(result, Quote)
    assert result.quality is Quality.CORRECTED
    assert result.note.startswith("dropped: ")
    kept = [figure for figure in (result.volume, result.change_percent) if figure is not None]
    assert kept == [Decimal(text) for text in (volume, change) if text in {"1", "5"}]


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
    result = validate_quote(OCDO, new_quote, quote(OCDO, str(before)), NOW)
    if isinstance(result, Quote):
        assert result.price.is_finite()
        assert result.price > 0
        assert result.currency == "GBP"
    else:
        assert result.reason
        assert len(result.payload) <= 2_000


@given(st.floats(0, 2e9), st.floats(0, 30 * DAY), st.floats(0, 30 * DAY))
def test_weekday_seconds_are_additive(start: float, first: float, second: float):
    """The weekday seconds of two adjacent spans add up to those of the whole span, and a week has five days."""
    middle, end = start + first, start + first + second
    whole = weekday_seconds(start, end)
    assert whole == pytest.approx(weekday_seconds(start, middle) + weekday_seconds(middle, end), abs=1e-3)
    assert weekday_seconds(start, start + 7 * DAY) == pytest.approx(5 * DAY)
