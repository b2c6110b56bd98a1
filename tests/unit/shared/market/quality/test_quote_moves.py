"""Tests of the comparison of two prices: the jump limit, and the evidence of an answer about a move."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Quote, QuoteEvidence
from financehub_shared.market.quality.quote_evidence import (
    explain_move,
    find_contradiction,
    previous_close,
    scale_change,
)
from financehub_shared.market.quality.quote_moves import (
    describe_move,
    is_jump,
    jump_limit,
    jumps_from,
    may_be_unit_error,
)
from support.market_data import T0, quote

HOUR, DAY = 3_600.0, 86_400.0
COIN = Asset("BTC-USD", AssetType.CRYPTO)
SHARE = Asset("AAPL", AssetType.STOCK)
INDEX = Asset("^VIX", AssetType.STOCK)
CURRENCY = Asset("USDARS=X", AssetType.STOCK, currency="ARS")
PRICES = st.decimals("1e-9", "1e9", allow_nan=False, places=12).filter(lambda price: price > 0)


def answer(price: str, close: str = "", low: str = "", high: str = "", **more: object) -> Quote:
    """Return a quote with evidence. An empty string stands for a value that is not reported."""
    values = {name: Decimal(text) for name, text in (("previous_close", close), ("low", low), ("high", high)) if text}
    return quote(price=price, fetched_at=T0, evidence=QuoteEvidence(**values), **more)  # type: ignore[arg-type]


def earlier(price: str, age: float = HOUR) -> Quote:
    """Return a stored quote."""
    return quote(price=price, fetched_at=T0 - age)


@given(PRICES, PRICES, st.floats(0, 30 * DAY))
def test_jump_limit_is_the_same_in_both_directions(price: Decimal, other: Decimal, seconds: float):
    """A move that is accepted without evidence can be undone without evidence."""
    assert is_jump(price, other, seconds) is is_jump(other, price, seconds)


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_jump_limit_grows_with_the_age_of_the_quote(first: float, second: float):
    """The accepted change grows with the age of the stored price."""
    assert jump_limit(min(first, second)) <= jump_limit(max(first, second))


@pytest.mark.parametrize(
    ("price", "is_refused"), [("60.01", False), ("59.99", True), ("166.6", False), ("166.7", True), ("66.1", False)]
)
def test_jump_limit_is_a_fall_by_40_percent_or_the_rise_that_undoes_it(price: str, is_refused: bool):
    """D5: The message names the limits that are enforced."""
    assert jumps_from(COIN, quote(price=price), earlier("100"), T0) is is_refused
    text = describe_move(Decimal(price), earlier("100"), T0)
    assert text.endswith(" against 100 (1.0 h earlier; the limit is -40 % or +66.7 %)")


def test_jump_limit_stops_growing_after_a_week():
    """A price that is months old does not make a wrong unit acceptable."""
    assert jump_limit(1_000 * DAY) == jump_limit(7 * DAY)
    assert is_jump(Decimal(100), Decimal(1), 1_000 * DAY)


def test_jump_limit_of_an_old_price_is_named_with_its_age():
    """D5: After four days, the limit is twice as large, and the message says so."""
    text = describe_move(Decimal(30), earlier("100", 4 * DAY), T0)
    assert text == "-70 % against 100 (96.0 h earlier; the limit is -64 % or +178 %)"


def test_jump_of_a_stock_by_two_price_steps_is_none():
    """A penny stock moves by steps of 0.0001."""
    assert not jumps_from(SHARE, quote(price="0.0003"), earlier("0.0001"), T0)
    assert jumps_from(SHARE, quote(price="0.0004"), earlier("0.0001"), T0)
    assert jumps_from(COIN, quote(price="0.0003"), earlier("0.0001"), T0)


@pytest.mark.parametrize(
    ("asset", "found", "before", "is_explained"),
    [
        (COIN, answer("40", low="39", high="101"), earlier("100"), True),
        (COIN, answer("300", low="99", high="310"), earlier("100"), True),
        (COIN, answer("40", "100", "39", "45"), earlier("100"), False),
        (COIN, answer("40", "100", "39", "45"), earlier("100", 2 * DAY), True),
        (COIN, answer("40", "100"), earlier("100"), False),
        (SHARE, answer("40", "100", "39", "45"), earlier("100", 18 * HOUR), True),
        (SHARE, answer("40", "80", "39", "45"), earlier("100", 18 * HOUR), True),
        (SHARE, answer("40", "40", "39", "45"), earlier("100", 18 * HOUR), False),
        (SHARE, answer("40", "100", "90", "110"), earlier("100", 18 * HOUR), False),
        (SHARE, answer("40", "100", "39", "45"), earlier("100", 2 * HOUR), False),
        (INDEX, answer("40", "100", "39", "45"), earlier("100", 2 * HOUR), False),
        (CURRENCY, answer("40", "100", "39", "45"), earlier("100", 2 * HOUR), True),
        (SHARE, answer("9", "100", "8", "101"), earlier("100"), False),
        (SHARE, answer("11", "100", "10", "101"), earlier("100"), True),
        (SHARE, answer("40", "100", "110", "39"), earlier("100"), False),
        (SHARE, answer("40", "100", "0", "101"), earlier("100"), False),
    ],
    ids=[
        "range contains both",
        "a rise",
        "a coin's day lacks the stored price",
        "a coin's price of the day before",
        "no range",
        "a gap over night",
        "the stored price is from the middle of the last session",
        "another scale",
        "outside of its range",
        "a session without the stored price",
        "an index without the stored price",
        "a currency around midnight",
        "more than a factor of 10",
        "nearly a factor of 10",
        "low above high",
        "low of zero",
    ],
)
def test_move_is_explained_by_the_answer_that_contains_both_prices(
    asset: Asset, found: Quote, before: Quote, is_explained: bool
):
    """D5: The range must contain the new price, and the range or the previous close the old one."""
    assert bool(explain_move(asset, found, before, T0)) is is_explained


@pytest.mark.parametrize(
    ("evidence", "part"),
    [
        (QuoteEvidence(), ""),
        (QuoteEvidence(Decimal(90), Decimal(80), Decimal(105)), ""),
        (QuoteEvidence(low=Decimal("0.8"), high=Decimal("1.05")), "outside of its own range"),
        (QuoteEvidence(low=Decimal(200), high=Decimal(300)), "outside of its own range"),
        (QuoteEvidence(Decimal("9.9")), "its own previous close"),
        (QuoteEvidence(Decimal(10_100)), "its own previous close"),
        (QuoteEvidence(bid=Decimal(10), ask=Decimal("10.5")), "its own bid 10 and ask 10.5"),
        (QuoteEvidence(bid=Decimal(10), ask=Decimal(99)), ""),
        (QuoteEvidence(bid=Decimal(10), ask=Decimal(9)), ""),
        (QuoteEvidence(bid=Decimal(0), ask=Decimal(0)), ""),
        (QuoteEvidence(bid=Decimal(10), ask=Decimal("10.5"), market_state="CLOSED"), ""),
        (QuoteEvidence(Decimal("NaN"), Decimal(-1), Decimal("sNaN"), Decimal("1e999999"), Decimal("1e-999999")), ""),
    ],
)
def test_answer_that_contradicts_its_price_is_recognized(evidence: QuoteEvidence, part: str):
    """The rest of the answer reveals a value in the wrong field or unit. Values that are not prices are ignored."""
    found = find_contradiction(quote(price="100", evidence=evidence))
    assert part in found
    assert bool(found) is bool(part)


def test_previous_close_follows_from_the_change_if_it_is_not_stated():
    """Providers without a previous close report the change in percent."""
    assert previous_close(quote(price="110", change_percent=Decimal(10))) == 100
    assert previous_close(answer("110", "99", change_percent=Decimal(10))) == 99
    assert previous_close(quote(price="110")) is None


@pytest.mark.parametrize(
    ("close", "low", "high", "is_damaged"),
    [
        ("0.0000012", "18.9", "20.2", True),
        ("3e15", "18.9", "20.2", True),
        ("0.0000012", "", "", False),
        ("0.0000012", "0.000001", "20.2", False),
        ("0.1273", "18.9", "20.2", False),
        ("1910", "18.9", "20.2", False),
    ],
)
def test_previous_close_near_zero_does_not_contradict_the_price_and_its_range(
    close: str, low: str, high: str, is_damaged: bool
):
    """D14: Yahoo reports a previous close near 0 for indices. A split or a wrong unit never has such a ratio."""
    assert (find_contradiction(answer("19.1", close, low, high)) == "") is is_damaged


@pytest.mark.parametrize("digits", [27, 28, 29, 60])
def test_change_of_almost_minus_100_percent_has_no_previous_close(digits: int):
    """A change that 28 digits cannot distinguish from -100 % does not end the task with a division by zero."""
    change = Decimal("-99." + "9" * digits)
    assert previous_close(quote(price="0.5", change_percent=change)) is None


@pytest.mark.parametrize(
    ("found", "before", "factor"),
    [
        (answer("105", "150"), earlier("1", 18 * HOUR), 150),
        (answer("10", "10.2"), earlier("102", 18 * HOUR), 0.1),
        (answer("60", "150", "55", "155"), earlier("1", 18 * HOUR), 150),
        (answer("60", "150"), earlier("1", 18 * HOUR), 0),
        (answer("105", "150"), earlier("1", HOUR), 0),
        (answer("105", "150", upstream_at=T0 - HOUR), earlier("1", HOUR), 0),
        (answer("105", "101"), earlier("100", 18 * HOUR), 0),
        (answer("40", "100"), earlier("100", 18 * HOUR), 0),
    ],
    ids=[
        "reverse split",
        "split",
        "with a fall",
        "with a fall out of nowhere",
        "same session",
        "same time",
        "no move",
        "a fall",
    ],
)
def test_scale_change_is_seen_in_the_previous_close(found: Quote, before: Quote, factor: float):
    """D2: The answer's own previous close is on the new scale, and a session lies between the two prices."""
    assert scale_change(SHARE, found, before) == pytest.approx(factor)
    assert scale_change(COIN, found, before) == 0
    assert scale_change(Asset("^GSPC", AssetType.STOCK), found, before) == 0


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [(100, True), (0.01, True), (1_000, True), (0.001, True), (109, True), (90, False), (112, False), (10, False)],
)
def test_unit_error_is_possible_near_the_factors_of_units(ratio: float, expected: bool):
    """D2: Pence and fils differ from the major unit by 100 and 1,000. 90 and 150 can only be ratios of splits."""
    assert may_be_unit_error(ratio) is expected


@settings(max_examples=50)
@given(PRICES, PRICES, st.lists(st.decimals() | st.none(), min_size=5, max_size=5), st.none() | st.decimals(-99, 1e9))
def test_no_evidence_raises_an_error(price: Decimal, before: Decimal, values: list, change: Decimal | None):
    """No value that an adapter can read leads to an exception."""
    found = replace(quote(), price=price, evidence=QuoteEvidence(*values), change_percent=change)
    stored = replace(quote(), price=before)
    for asset in (COIN, SHARE):
        assert isinstance(explain_move(asset, found, stored, T0) + find_contradiction(found), str)
        assert scale_change(asset, found, stored) >= 0
