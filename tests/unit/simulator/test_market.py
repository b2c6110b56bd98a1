"""Prices: a pure, bounded random walk whose bars and quotes agree."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_simulator.market import Market
from financehub_simulator.sessions import session, trading_day
from financehub_simulator.universe import bench_coins, bench_stocks

SYMBOLS = st.sampled_from(
    [
        *("BTC-USD", "ETH-USD", "SHIB-USD", "USDT-USD", "BTC-EUR", "AAPL", "VOD.L", "7203.T", "^GSPC", "EURUSD=X"),
        *bench_coins(20),
        *bench_stocks(20),
    ]
)
#: 2015 to 2038: walks begin anew at the ends of their blocks, which lie within.
MOMENTS = st.floats(min_value=1_420_070_400, max_value=2_145_916_800)
MARKET = Market(7)


@given(SYMBOLS, MOMENTS)
def test_price_depends_on_seed_symbol_and_time_alone(symbol: str, now: float):
    """Two simulators with one seed agree about every moment, whatever they were asked before."""
    fresh = Market(7)
    fresh.today("MSFT", now - 1_000_000)
    assert fresh.today(symbol, now) == MARKET.today(symbol, now)


def test_another_seed_is_another_market():
    """The seed decides the prices."""
    now = 1_795_000_000.0
    assert Market(8).today("BTC-USD", now).close != MARKET.today("BTC-USD", now).close


@given(SYMBOLS, MOMENTS)
def test_quote_lies_within_the_complete_bar_of_its_day(symbol: str, now: float):
    """No price of a day is outside the day's high and low, which include its open and close."""
    running = MARKET.today(symbol, now)
    index = MARKET.index(symbol, now)
    (complete,) = MARKET.history(symbol, index, index, now + 30 * 86_400)
    assert complete.low <= running.low <= running.close <= running.high <= complete.high
    assert complete.low <= min(complete.open, complete.close)
    assert max(complete.open, complete.close) <= complete.high
    assert running.open == complete.open


@given(SYMBOLS, MOMENTS)
def test_quote_after_the_close_is_the_bars_close(symbol: str, now: float):
    """From its last second on, a day's price is what its bar keeps as the close."""
    index = MARKET.index(symbol, now)
    (complete,) = MARKET.history(symbol, index, index, now + 30 * 86_400)
    following = MARKET.history(symbol, index + 1, index + 1, now + 30 * 86_400)[0]
    assert following.previous_close == complete.close
    if not MARKET.instrument(symbol).exchange.continuous:
        assert MARKET.today(symbol, complete.end + 60).close == complete.close
    else:
        assert MARKET.today(symbol, complete.end).close == complete.close


@given(SYMBOLS, MOMENTS)
def test_day_moves_at_most_4_2_volatilities(symbol: str, now: float):
    """Closes never jump like the errors that validation must find."""
    instrument = MARKET.instrument(symbol)
    index = MARKET.index(symbol, now)
    before, after = MARKET.history(symbol, index - 1, index, now + 30 * 86_400)
    tick = 2 * 10**-instrument.digits / before.close
    assert abs(math.log(after.close / before.close)) < 4.2 * instrument.sigma + tick


def test_returns_have_the_instruments_volatility():
    """The standard deviation of daily log returns is that of the instrument, within 10 %."""
    now = 1_795_000_000.0
    index = MARKET.index("BTC-USD", now)
    closes = [bar.close for bar in MARKET.history("BTC-USD", index - 2_000, index, now)]
    returns = [math.log(after / before) for before, after in pairwise(closes)]
    deviation = math.sqrt(sum(value * value for value in returns) / len(returns))
    assert deviation == pytest.approx(MARKET.instrument("BTC-USD").sigma, rel=0.1)


@given(SYMBOLS, MOMENTS, st.integers(0, 40), st.integers(0, 40))
def test_history_of_a_part_is_part_of_the_history(symbol: str, now: float, skip: int, length: int):
    """A bar does not depend on which bars are asked for with it."""
    index = MARKET.index(symbol, now)
    whole = MARKET.history(symbol, index - 80, index, now)
    first = index - 80 + skip
    assert MARKET.history(symbol, first, first + length, now) == whole[skip : skip + length + 1]


@given(st.sampled_from(["BTC-USD", "SIM0001-USD"]), MOMENTS)
def test_window_of_24_hours_begins_at_yesterdays_price(symbol: str, now: float):
    """The 24-hour change is measured against the quote of 24 hours ago, and high and low hold both."""
    window = MARKET.window(symbol, now)
    assert window.open == MARKET.today(symbol, now - 86_400).close
    assert window.low <= min(window.open, window.close) <= max(window.open, window.close) <= window.high


def test_one_coin_is_one_walk_in_every_currency():
    """BTC-EUR and BTC-USD differ by a constant factor."""
    ratios = {
        round(MARKET.today("BTC-USD", now).close / MARKET.today("BTC-EUR", now).close, 3)
        for now in (1.7e9, 1.75e9, 1.8e9)
    }
    assert ratios == {1.08}


@pytest.mark.parametrize(
    "symbol", ["NOPE", "NOPE-USD", "NOPE.L", "DELISTED", "AAPL.XX", "", "a b", "TOOLONGSYMBOLNAME"]
)
def test_unknown_symbol_has_no_price(symbol: str):
    """What no upstream knows has no price, rather than an invented one."""
    with pytest.raises(KeyError):
        MARKET.today(symbol, 1.8e9)


def test_stock_bars_are_of_weekdays_only():
    """Ten trading days of a stock span two weeks; those of a coin ten days."""
    now = 1_795_000_000.0
    spans = {}
    for symbol in ("AAPL", "BTC-USD"):
        index = MARKET.index(symbol, now)
        bars = MARKET.history(symbol, index - 10, index, now)
        spans[symbol] = bars[-1].day - bars[0].day
        exchange = MARKET.instrument(symbol).exchange
        assert [bar.time for bar in bars] == [
            session(exchange, trading_day(exchange, number)).open for number in range(index - 10, index + 1)
        ]
    assert spans == {"AAPL": 14, "BTC-USD": 10}
