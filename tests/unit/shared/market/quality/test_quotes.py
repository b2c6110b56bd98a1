"""Which quotes are stored, mended or quarantined, and why."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.models import Asset, AssetType, Quality, Quarantined, Quote
from financehub_shared.market.quality.quotes import jump_limit, validate_quote, weekday_seconds
from support.memory_store import MemoryStore

#: A Wednesday, 15:00 UTC: New York and London are open.
NOW = datetime(2025, 2, 19, 15, tzinfo=UTC).timestamp()
HOUR, DAY = 3_600.0, 86_400.0
BTC = Asset("BTC-USD", AssetType.CRYPTO)
AAPL = Asset("AAPL", AssetType.STOCK)
OCDO = Asset("OCDO.L", AssetType.STOCK, currency="GBP")


def quote(asset: Asset, price: str, *, age: float = 60.0, **others: object) -> Quote:
    made = Quote(asset.symbol, Decimal(price), asset.currency, NOW - age, NOW - age, "yahoo")
    return replace(made, **others)


def judge(asset: Asset, price: str, previous: Quote | None = None, **others: object) -> Quote | Quarantined:
    return validate_quote(asset, quote(asset, price, **others), previous, NOW)


@pytest.mark.parametrize("price", ["0", "-0.01", "NaN", "sNaN", "Infinity", "-Infinity", "1e308", "1e-308"])
def test_a_price_that_is_none_is_quarantined(price: str):
    """Non-positive, non-finite and absurdly large or small prices are never stored."""
    judged = judge(BTC, price)
    assert isinstance(judged, Quarantined)
    assert judged.reason.startswith("price: ")
    assert json.loads(judged.payload)["price"] == str(Decimal(price))


def test_a_plain_quote_is_stored_untouched():
    """A good quote comes back as it went in, first or not."""
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
def test_a_stated_minor_unit_becomes_the_major_one(unit: str, asset: Asset, price: str, stored: str):
    """A price in a stated minor unit is stored in the major unit, marked mended, and the note says so."""
    judged = judge(asset, price, currency=unit)
    assert isinstance(judged, Quote)
    assert (judged.price, judged.currency, judged.quality) == (Decimal(stored), asset.currency, Quality.CORRECTED)
    assert judged.note == f"unit: {unit} to {asset.currency}"


@pytest.mark.parametrize("currency", ["USD", "EUR", "gbp", "", "ZAc"])
def test_another_currency_is_quarantined(currency: str):
    """A price in a currency that is not the asset's is no price of it."""
    judged = judge(OCDO, "3.1", currency=currency)
    assert isinstance(judged, Quarantined)
    assert judged.reason == f"currency: {currency} instead of GBP"


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
def test_a_jump_is_quarantined_unless_its_cause_is_evident(asset: Asset, before: str, price: str, outcome: str):
    """Beyond ×1.4 or ÷1.4 a quote needs a cause: a penny stock's step is no jump, the rest waits."""
    judged = judge(asset, price, quote(asset, before, age=HOUR))
    if isinstance(judged, Quarantined):
        assert judged.reason.startswith(outcome)
    else:
        assert (judged.quality, judged.price) == (outcome, Decimal(price))


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
def test_a_split_is_no_jump(before: str, price: str, change: str | None, accepted: bool):
    """A stock whose own previous close is the stored price divided by a split's ratio is stored, with a note."""
    judged = judge(AAPL, price, quote(AAPL, before, age=HOUR), change_percent=change and Decimal(change))
    assert isinstance(judged, Quote) is accepted
    if isinstance(judged, Quote):
        assert judged.note.startswith("split: ")


def test_an_old_price_stops_to_forbid_the_present_one():
    """A rise by 60 % is a jump within a day and believed against a price that is three days old."""
    assert isinstance(judge(AAPL, "392", quote(AAPL, "245", age=DAY)), Quarantined)
    assert isinstance(judge(AAPL, "392", quote(AAPL, "245", age=3 * DAY)), Quote)


@pytest.mark.parametrize("factor", ["100", "0.01", "50", "0.02", "2", "0.4"])
@pytest.mark.parametrize("asset", [AAPL, OCDO, BTC], ids=lambda asset: asset.symbol)
def test_no_wrong_price_outlives_the_retention(asset: Asset, factor: str):
    """However wrong a stored price is, a single provider's right one has taken its place after the eighth clean-up."""
    store, right, retention = MemoryStore(), Decimal(70), 7 * DAY
    store.put_quotes([quote(asset, str(right * Decimal(factor)), age=0)])
    for hour in range(8 * 24 + 2):
        now = NOW + hour * HOUR
        arrived = Quote(asset.symbol, right, asset.currency, now, now, "yahoo")
        judged = validate_quote(asset, arrived, store.quotes().get(asset.symbol), now)
        if isinstance(judged, Quote):
            store.put_quotes([judged])
        if hour % 24 == 0:
            store.drop_older(quotes_before=now - retention, bars_before_day=0, news_before=0, dry_run=False)
    assert store.quotes()[asset.symbol].price == right


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_the_jump_limit_never_shrinks_with_time(one: float, other: float):
    """The older the stored price, the larger the change that is believed."""
    assert jump_limit(min(one, other)) <= jump_limit(max(one, other))


@pytest.mark.parametrize(
    ("asset", "made", "outcome"),
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
def test_age_is_judged_by_when_the_market_was_open(asset: Asset, made: str, outcome: str):
    """Crypto goes stale in an hour, a stock only after more weekdays without a price than its market ever closes."""
    at = datetime.fromisoformat(made).replace(tzinfo=UTC).timestamp()
    judged = judge(asset, "100", upstream_at=at)
    assert ("good" if isinstance(judged, Quote) else judged.reason.split(":")[0]) == outcome


def test_a_price_before_the_stored_one_is_stale():
    """An upstream that serves an old copy is found out by the newer price we hold; a delayed feed is not."""
    previous = quote(AAPL, "245", age=60)
    assert isinstance(judge(AAPL, "245", previous, age=1_200.0), Quote)
    judged = judge(AAPL, "245", previous, age=2 * HOUR)
    assert isinstance(judged, Quarantined)
    assert judged.reason == "stale: 2.0 h older than the stored quote"


def test_a_stored_time_in_the_future_locks_nothing_out():
    """A clock gone wrong once does not make every later quote stale."""
    assert isinstance(judge(AAPL, "245", quote(AAPL, "245", age=-30 * DAY)), Quote)


def test_a_quote_without_a_time_is_judged_by_its_price_alone():
    """Not every upstream says when a price was made."""
    assert isinstance(judge(BTC, "100", upstream_at=None), Quote)


def test_simulated_prices_say_nothing_about_the_market():
    """After a change from the simulator to a live upstream the first live price is no jump."""
    simulated = quote(BTC, "100", age=HOUR, provider="simulated/yahoo")
    assert isinstance(judge(BTC, "96000", simulated), Quote)


@pytest.mark.parametrize(
    ("volume", "change"), [("-5", "1"), ("NaN", "1"), ("5", "NaN"), ("5", "-100"), ("Infinity", "-Infinity")]
)
def test_a_wrong_volume_or_change_is_dropped_and_noted(volume: str, change: str):
    """What cannot be a volume or a change is left out of the stored quote, and the note says so."""
    judged = judge(AAPL, "245", volume=Decimal(volume), change_percent=Decimal(change))
    assert isinstance(judged, Quote)
    assert judged.quality is Quality.CORRECTED
    assert judged.note.startswith("dropped: ")
    kept = [figure for figure in (judged.volume, judged.change_percent) if figure is not None]
    assert kept == [Decimal(text) for text in (volume, change) if text in {"1", "5"}]


@given(
    st.decimals(allow_nan=True, allow_infinity=True),
    st.decimals(min_value="1e-18", max_value="1e18"),
    st.sampled_from(["USD", "GBP", "GBp", ""]),
    st.none() | st.floats(-1e12, 1e12),
    st.none() | st.decimals(),
)
def test_what_is_stored_is_always_a_positive_price_in_the_due_currency(
    price: Decimal, before: Decimal, currency: str, made: float | None, change: Decimal | None
):
    """Whatever arrives, judging never raises; what it lets through is finite, positive and in the asset's currency."""
    arrived = Quote("OCDO.L", price, currency, made, NOW, "yahoo", change_percent=change)
    judged = validate_quote(OCDO, arrived, quote(OCDO, str(before)), NOW)
    if isinstance(judged, Quote):
        assert judged.price.is_finite()
        assert judged.price > 0
        assert judged.currency == "GBP"
    else:
        assert judged.reason
        assert len(judged.payload) <= 2_000


@given(st.floats(0, 2e9), st.floats(0, 30 * DAY), st.floats(0, 30 * DAY))
def test_weekday_seconds_add_up(start: float, one: float, other: float):
    """The weekday seconds of two adjoining spans are those of the whole, and five days a week."""
    middle, end = start + one, start + one + other
    whole = weekday_seconds(start, end)
    assert whole == pytest.approx(weekday_seconds(start, middle) + weekday_seconds(middle, end), abs=1e-3)
    assert weekday_seconds(start, start + 7 * DAY) == pytest.approx(5 * DAY)
