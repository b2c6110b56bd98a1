"""Tests of the simulated prices: a pure, bounded random walk with consistent bars and quotes."""

import math
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_simulator.market import Market
from financehub_simulator.sessions import session_of, trading_day
from financehub_simulator.universe import bench_coins, bench_stocks

SYMBOLS = st.sampled_from(
    [
        *("BTC-USD", "ETH-USD", "SHIB-USD", "USDT-USD", "BTC-EUR", "AAPL", "VOD.L", "7203.T", "^GSPC", "EURUSD=X"),
        *("^N225", "JPY=X", "GC=F", "VFIAX", "M&M.NS"),
        *bench_coins(20),
        *bench_stocks(20),
    ]
)
#: From 2015 to 2038. This period contains block boundaries, at which random walks return to the base price.
MOMENTS = st.floats(min_value=1_420_070_400, max_value=2_145_916_800)
MARKET = Market(7)


@given(SYMBOLS, MOMENTS)
def test_price_depends_only_on_seed_symbol_and_time(symbol: str, now: float):
    """Two markets with the same seed agree on the price at any time, regardless of what they computed before."""
    fresh = Market(7)
    fresh.current_day("MSFT", now - 1_000_000)
    assert fresh.current_day(symbol, now) == MARKET.current_day(symbol, now)


def test_market_with_another_seed_has_other_prices():
    """The seed determines the prices."""
    now = 1_795_000_000.0
    assert Market(8).current_day("BTC-USD", now).close != MARKET.current_day("BTC-USD", now).close


@given(SYMBOLS, MOMENTS)
def test_current_price_lies_within_the_complete_bar_of_its_day(symbol: str, now: float):
    """No price of a day lies outside the day's high and low, which include its open and close."""
    current = MARKET.current_day(symbol, now)
    index = MARKET.current_index(symbol, now)
    (complete,) = MARKET.history(symbol, index, index, now + 30 * 86_400)
    assert complete.low <= current.low <= current.close <= current.high <= complete.high
    assert complete.low <= min(complete.open, complete.close)
    assert max(complete.open, complete.close) <= complete.high
    assert current.open == complete.open


@given(SYMBOLS, MOMENTS)
def test_price_after_the_close_equals_the_close_of_the_bar(symbol: str, now: float):
    """From the last second of a day on, its price is the close of its bar and the previous close of the next bar."""
    index = MARKET.current_index(symbol, now)
    (complete,) = MARKET.history(symbol, index, index, now + 30 * 86_400)
    following = MARKET.history(symbol, index + 1, index + 1, now + 30 * 86_400)[0]
    assert following.previous_close == complete.close
    if not MARKET.instrument(symbol).exchange.continuous:
        assert MARKET.current_day(symbol, complete.end + 30).close == complete.close
    else:
        assert MARKET.current_day(symbol, complete.end).close == complete.close


@given(SYMBOLS, MOMENTS)
def test_close_moves_at_most_4_2_volatilities_per_day(symbol: str, now: float):
    """Closes never jump as far as errors that validation must detect."""
    instrument = MARKET.instrument(symbol)
    index = MARKET.current_index(symbol, now)
    before, after = MARKET.history(symbol, index - 1, index, now + 30 * 86_400)
    tick = 2 * 10**-instrument.digits / before.close
    assert abs(math.log(after.close / before.close)) < 4.2 * instrument.volatility + tick


def test_daily_returns_have_the_volatility_of_the_instrument():
    """The standard deviation of daily log returns is within 10 % of the instrument's volatility."""
    now = 1_795_000_000.0
    index = MARKET.current_index("BTC-USD", now)
    closes = [bar.close for bar in MARKET.history("BTC-USD", index - 2_000, index, now)]
    returns = [math.log(after / before) for before, after in pairwise(closes)]
    deviation = math.sqrt(sum(value * value for value in returns) / len(returns))
    assert deviation == pytest.approx(MARKET.instrument("BTC-USD").volatility, rel=0.1)


@given(SYMBOLS, MOMENTS, st.integers(0, 40), st.integers(0, 40))
def test_history_of_a_shorter_period_is_part_of_a_longer_one(symbol: str, now: float, skip: int, length: int):
    """A bar does not depend on the requested period."""
    index = MARKET.current_index(symbol, now)
    longer_history = MARKET.history(symbol, index - 80, index, now)
    first = index - 80 + skip
    assert MARKET.history(symbol, first, first + length, now) == longer_history[skip : skip + length + 1]


@given(st.sampled_from(["BTC-USD", "SIM0001-USD"]), MOMENTS)
def test_last_24_hours_start_at_the_price_of_yesterday(symbol: str, now: float):
    """The 24-hour change is relative to the price of 24 hours ago, and high and low include both prices."""
    window = MARKET.last_24_hours(symbol, now)
    assert window.open == MARKET.current_day(symbol, now - 86_400).close
    assert window.low <= min(window.open, window.close) <= max(window.open, window.close) <= window.high


def test_coin_prices_in_two_currencies_differ_by_a_constant():
    """BTC-EUR and BTC-USD differ by a constant factor."""
    ratios = {
        round(MARKET.current_day("BTC-USD", now).close / MARKET.current_day("BTC-EUR", now).close, 3)
        for now in (1.7e9, 1.75e9, 1.8e9)
    }
    assert ratios == {1.08}


@pytest.mark.parametrize(
    "symbol", ["NOPE", "NOPE-USD", "NOPE.L", "DELISTED", "AAPL.XX", "", "a b", "TOOLONGSYMBOLNAME"]
)
def test_price_of_an_unknown_symbol_raises_key_error(symbol: str):
    """A symbol that no upstream knows has no price."""
    with pytest.raises(KeyError):
        MARKET.current_day(symbol, 1.8e9)


def test_stock_history_contains_only_weekdays():
    """Ten trading days of a stock span two weeks, and those of a coin span ten days."""
    now = 1_795_000_000.0
    spans = {}
    for symbol in ("AAPL", "BTC-USD"):
        index = MARKET.current_index(symbol, now)
        bars = MARKET.history(symbol, index - 10, index, now)
        spans[symbol] = bars[-1].day - bars[0].day
        exchange = MARKET.instrument(symbol).exchange
        assert [bar.time for bar in bars] == [
            session_of(exchange, trading_day(exchange, trading_index)).open
            for trading_index in range(index - 10, index + 1)
        ]
    assert spans == {"AAPL": 14, "BTC-USD": 10}


def test_every_kind_of_instrument_has_its_type_currency_and_trading_days():
    """Indices have the currency of their country, and currencies and futures are not traded on weekends (D14)."""
    saturday = 1_796_472_000.0  # 2026-12-05T12:00Z
    expected = {
        "^GSPC": ("INDEX", "USD", 4),
        "^FTSE": ("INDEX", "GBP", 4),
        "^N225": ("INDEX", "JPY", 4),
        "JPY=X": ("CURRENCY", "JPY", 4),
        "EURGBP=X": ("CURRENCY", "GBP", 4),
        "GC=F": ("FUTURE", "USD", 4),
        "VFIAX": ("MUTUALFUND", "USD", 4),
        "SPY": ("ETF", "USD", 4),
        "M&M.NS": ("EQUITY", "INR", 4),
        "VOD.L": ("EQUITY", "GBp", 4),
        "BTC-USD": ("CRYPTOCURRENCY", "USD", 5),
    }
    found = {}
    for symbol in expected:
        instrument = MARKET.instrument(symbol)
        weekday = date.fromordinal(date(1970, 1, 1).toordinal() + MARKET.current_day(symbol, saturday).day).weekday()
        found[symbol] = (instrument.kind, instrument.currency, weekday)
    assert found == expected
