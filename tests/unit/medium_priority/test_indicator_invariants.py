"""Tests of the properties of indicators for any bars: bounds, scale, causality and precision after a collapse."""

import math
from array import array
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_medium_priority.indicators.compute import compute
from financehub_medium_priority.indicators.engines import EngineName, load_engine
from financehub_medium_priority.indicators.outputs import OUTPUTS, PRICE_OUTPUTS, EngineError
from financehub_shared.core.models import Bars

ENGINES: tuple[EngineName, ...] = ("talib", "ta")
#: Largest relative error of a value whose formula does not subtract nearly equal numbers.
PRECISION = 1e-9
COLUMNS = ("open", "high", "low", "close")


def outputs_of(bars: Bars, engine: EngineName = "talib") -> Mapping[str, np.ndarray]:
    """Return all values of every output."""
    series = compute(bars, load_engine(engine), engine, len(bars), 0.0).series
    return {name: np.array(values) for name, values in series.items()}


def bars_of(closes: np.ndarray, seed: int = 3) -> Bars:
    """Return bars with these closes, seeded ranges around them and seeded volumes."""
    random = np.random.default_rng(seed)
    opens = closes * np.exp(random.normal(0, 0.01, len(closes)))
    high = np.maximum(opens, closes) * (1 + random.uniform(0, 0.03, len(closes)))
    low = np.minimum(opens, closes) / (1 + random.uniform(0, 0.03, len(closes)))
    volume = random.uniform(0, 1e9, len(closes)) * (random.uniform(0, 1, len(closes)) > 0.1)
    columns = (array("d", column) for column in (opens, high, low, closes, volume))
    return Bars("X", "test", array("i", range(len(closes))), *columns)


def walk(count: int = 300, seed: int = 5, spread: float = 0.03) -> np.ndarray:
    """Return the closes of a seeded random walk."""
    return 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, spread, count)))


def collapse(orders: int, days: int = 6) -> Bars:
    """Return a walk whose prices fall by `orders` powers of ten within `days` days, and stay there for 150 days."""
    factors = np.concatenate([np.ones(150), 10.0 ** -np.linspace(0, orders, days), np.full(150, 10.0**-orders)])
    return bars_of(walk(len(factors)) * factors)


def histories() -> st.SearchStrategy[Bars]:
    """Return valid histories: walks of any volatility, price level and number of bars, with repeated prices."""

    def build(count: int, level: int, spread: float, seed: int, repeat: int) -> Bars:
        closes = np.repeat(walk(count, seed, spread), repeat)[:count] * 10.0**level
        return bars_of(np.clip(closes, 1e-17, 1e17), seed)

    return st.builds(
        build,
        st.integers(1, 260),
        st.integers(-12, 9),
        st.sampled_from([0.0, 1e-9, 0.01, 0.1, 1.5]),
        st.integers(0, 99),
        st.sampled_from([1, 3, 30]),
    )


@given(histories())
@settings(max_examples=40)
def test_outputs_of_any_history_are_within_their_bounds(bars: Bars):
    """Oscillators are in 0..100, bands enclose the mean, averages are within the prices, and no value is infinite."""
    outputs = outputs_of(bars)
    with np.errstate(invalid="ignore"):
        for name in ("rsi_14", "stochastic_k", "stochastic_d", "adx_14"):
            values = outputs[name]
            assert not ((values < 0) | (values > 100)).any(), name
        lower, middle, upper = (outputs[f"bollinger_{band}"] for band in ("lower", "middle", "upper"))
        assert not ((lower > middle) | (middle > upper)).any()
        for name in ("bollinger_width", "atr_14"):
            assert not (outputs[name] < 0).any(), name
        lowest, highest = min(bars.low) * (1 - 1e-12), max(bars.high) * (1 + 1e-12)
        for name in PRICE_OUTPUTS - {name for name in OUTPUTS if name.startswith(("macd", "bollinger", "atr", "psar"))}:
            assert not ((outputs[name] < lowest) | (outputs[name] > highest)).any(), name
    for name, values in outputs.items():
        assert not np.isinf(values).any(), name


@given(histories(), st.integers(-20, 20))
@settings(max_examples=25)
def test_outputs_of_scaled_prices_are_the_scaled_outputs(bars: Bars, power: int):
    """Prices in another unit, such as 1e-8 USD, give the same oscillators, and the same averages in that unit."""
    factor = 2.0**power
    scaled = replace(bars, **{name: array("d", (value * factor for value in getattr(bars, name))) for name in COLUMNS})
    before, after = outputs_of(bars), outputs_of(scaled)
    for name in OUTPUTS:
        expected = before[name] * factor if name in PRICE_OUTPUTS else before[name]
        np.testing.assert_array_equal(after[name], expected, err_msg=name)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("level", [1e-12, 1e-7])
def test_bands_of_a_cheap_coin_do_not_collapse(engine: EngineName, level: float):
    """A coin at 1e-7 USD has the same RSI and relative bands as one at 100 USD."""
    expected, actual = outputs_of(bars_of(walk()), engine), outputs_of(bars_of(walk() * level), engine)
    for name in ("rsi_14", "bollinger_width", "adx_14", "stochastic_k"):
        np.testing.assert_allclose(actual[name], expected[name], rtol=1e-7, err_msg=name)


@given(histories(), st.integers(1, 259))
@settings(max_examples=25)
def test_outputs_of_the_first_bars_do_not_depend_on_later_bars(bars: Bars, count: int):
    """Indicators that are computed day by day equal those of the full history."""
    count = min(count, len(bars))
    columns = ("days", *COLUMNS, "volume")
    first = replace(bars, **{name: getattr(bars, name)[:count] for name in columns})
    full, partial = outputs_of(bars), outputs_of(first)
    for name in OUTPUTS:
        np.testing.assert_allclose(partial[name], full[name][:count], rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("orders", [2, 4, 8, 12])
def test_windows_after_a_collapse_are_exact(orders: int):
    """N13: means and deviations of the default engine have a relative error below 1e-9, however far prices fell."""
    bars = collapse(orders)
    outputs = outputs_of(bars)
    closes = list(map(Fraction, bars.close))
    for place in range(199, len(bars), 9):
        for name, length in (("sma_20", 20), ("sma_50", 50), ("sma_200", 200)):
            mean = sum(closes[place - length + 1 : place + 1]) / length
            assert outputs[name][place] == pytest.approx(float(mean), rel=PRECISION), (name, place)
        window = closes[place - 19 : place + 1]
        mean = sum(window) / 20
        deviation = math.sqrt(sum((close - mean) ** 2 for close in window) / 20)
        for name, sign in (("bollinger_upper", 2), ("bollinger_lower", -2)):
            assert outputs[name][place] - float(mean) == pytest.approx(sign * deviation, rel=PRECISION), (name, place)


@pytest.mark.parametrize("orders", [0, 1, 2])
def test_ta_after_a_fall_is_exact(orders: int):
    """N13: windows of the engine `ta` have a relative error below 4e-9 after a fall by two orders of magnitude."""
    bars = collapse(orders)
    outputs, exact = outputs_of(bars, "ta"), outputs_of(bars)
    for name in ("sma_20", "sma_200", "bollinger_upper", "bollinger_lower", "vwap_14"):
        np.testing.assert_allclose(outputs[name], exact[name], rtol=4 * PRECISION, err_msg=name)


@pytest.mark.parametrize("orders", [8, 10, 12])
def test_ta_after_a_collapse_is_refused(orders: int):
    """N13: if the running sums of `ta` lost their precision, it raises an error that names the other engine."""
    with pytest.raises(EngineError, match="FINANCEHUB_INDICATOR_ENGINE=talib"):
        outputs_of(collapse(orders), "ta")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("distance", [0.95, 0.5, 1.05, 3.0])
def test_stochastic_with_closes_outside_their_ranges_stays_in_bounds(engine: EngineName, distance: float):
    """N12: a close 5 % outside its day's range, as earlier releases stored it, does not lead to a %K of 181 or −107."""
    bars = bars_of(walk())
    for place in range(20, 300, 7):
        bars.close[place] = bars.close[place] * distance
    values = outputs_of(bars, engine)["stochastic_k"]
    assert np.nanmin(values) >= 0
    assert np.nanmax(values) <= 100


@pytest.mark.parametrize("engine", ENGINES)
def test_macd_of_every_bar_is_the_difference_of_its_averages(engine: EngineName):
    """MACD is `ema_12` − `ema_26` and the histogram is MACD − signal on every bar, including the first bars."""
    outputs = outputs_of(bars_of(walk()), engine)
    np.testing.assert_allclose(outputs["macd"][33:], (outputs["ema_12"] - outputs["ema_26"])[33:], rtol=1e-9)
    np.testing.assert_allclose(outputs["macd_histogram"], outputs["macd"] - outputs["macd_signal"], rtol=1e-7)


def test_macd_signal_begins_with_the_mean_of_nine_values():
    """The first signal is the mean of the MACD of the bars 26 to 34, and each average begins with a mean."""
    closes = walk()
    outputs = outputs_of(bars_of(closes))

    def average(values: np.ndarray, length: int) -> np.ndarray:
        result = np.full(len(values), np.nan)
        result[length - 1] = values[:length].mean()
        for place in range(length, len(values)):
            result[place] = result[place - 1] + 2 / (length + 1) * (values[place] - result[place - 1])
        return result

    macd = average(closes, 12) - average(closes, 26)
    signal = np.concatenate([np.full(25, np.nan), average(macd[25:], 9)])
    np.testing.assert_allclose(outputs["macd"][33:], macd[33:], rtol=1e-9)
    np.testing.assert_allclose(outputs["macd_signal"][33:], signal[33:], rtol=1e-9)
