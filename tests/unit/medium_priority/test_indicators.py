"""Tests of the indicators against the second engine on real bars, and on short, constant and zero-volume histories."""

import math
import re
import subprocess
import sys
from array import array
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_medium_priority.indicators.compute import compute
from financehub_medium_priority.indicators.engines import EngineName, load_engine
from financehub_medium_priority.indicators.outputs import OUTPUTS
from financehub_shared.core.models import Bars, Indicators
from support.real_bars import newest, real_bars

#: More values than any history has.
ALL = 1_000_000
ENGINES: tuple[EngineName, ...] = ("talib", "ta")
#: Number of bars after which an average's start value no longer has an effect.
SETTLED = 260
#: Outputs whose definitions differ between the engines. Each difference has its own test.
DIFFERENT = {"obv", "psar"}
HISTORIES = ("sp500", "nasdaq", "GOOG")


def generated_bars(count: int, *, close: float | None = None, volume: float = 100.0) -> Bars:
    """Return bars of a seeded random walk, or of a constant price if `close` is given."""
    random = np.random.default_rng(7)
    closes = np.full(count, close) if close else 100 * np.exp(np.cumsum(random.normal(0, 0.02, count)))
    spread = 0.0 if close else 0.01
    columns = (closes, closes * (1 + spread), closes * (1 - spread), closes, np.full(count, volume))
    return Bars("X", "test", array("i", range(count)), *(array("d", column) for column in columns))


def compute_all(bars: Bars, engine: EngineName = "talib", series: int = ALL) -> Indicators:
    """Compute the indicators of bars, keeping all values by default."""
    return compute(bars, load_engine(engine), engine, series, 1_800_000_000.0)


def columns_of(bars: Bars, engine: EngineName) -> dict[str, np.ndarray]:
    """Return one engine's computed series by output."""
    return {name: np.array(values) for name, values in compute_all(bars, engine).series.items()}


@pytest.fixture(scope="module", params=HISTORIES)
def both_engines(request: pytest.FixtureRequest) -> tuple[Bars, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Real bars and the outputs of both engines."""
    bars = newest(real_bars(request.param), 1_500)
    return bars, columns_of(bars, "talib"), columns_of(bars, "ta")


BothEngines = tuple[Bars, dict[str, np.ndarray], dict[str, np.ndarray]]


def test_engines_agree_on_real_bars(both_engines: BothEngines):
    """After 260 bars, TA-Lib and `ta` agree within 1e-6 on every output with the same definition."""
    _, talib, ta = both_engines
    for name in OUTPUTS.keys() - DIFFERENT:
        actual, expected = talib[name][SETTLED:], ta[name][SETTLED:]
        assert np.isfinite(actual).all(), name
        # A histogram near zero has no relative accuracy, so the output's scale is used.
        scale = np.maximum(np.abs(expected), np.median(np.abs(expected)))
        assert np.max(np.abs(actual - expected) / scale) <= 1e-6, name


def test_engines_define_outputs_from_the_same_bar(both_engines: BothEngines):
    """Both engines yield an output's first value at the bar that `OUTPUTS` states."""
    _, talib, ta = both_engines
    for name, first in OUTPUTS.items():
        for engine in (talib, ta):
            defined = np.isfinite(engine[name])
            assert not defined[: first - 1].any(), name
            assert defined[first - 1], name


def test_obv_of_the_engines_differs_only_on_unchanged_closes(both_engines: BothEngines):
    """`ta` adds the volume of a day with an unchanged close, and TA-Lib does not. All other days are equal."""
    bars, talib, ta = both_engines
    unchanged = np.diff(np.array(bars.close)) == 0
    difference = np.diff(ta["obv"]) - np.diff(talib["obv"])
    assert np.allclose(difference[~unchanged], 0)
    assert np.allclose(difference[unchanged], np.array(bars.volume)[1:][unchanged])
    assert talib["obv"][0] == ta["obv"][0] == bars.volume[0]


def test_psar_of_the_engines_differs_on_few_bars_only(both_engines: BothEngines):
    """The engines differ on less than 10 % of the bars, because `ta` uses one extreme where Wilder uses two."""
    _, talib, ta = both_engines
    differs = np.abs(talib["psar"] - ta["psar"])[SETTLED:] > 1e-6 * ta["psar"][SETTLED:]
    assert 0 < differs.mean() < 0.10
    lengths = np.diff(np.flatnonzero(np.diff(np.concatenate(([0], differs, [0])))))[::2]
    assert lengths.max() < 60


def test_ta_with_a_datetime_index_gives_a_wrong_psar():
    """With a DatetimeIndex, the parabolic SAR of `ta` is wrong, which is why the engine builds its own index."""
    import pandas as pd
    from ta.trend import PSARIndicator

    bars = newest(real_bars("GOOG"), 500)
    index = pd.date_range("2020-01-01", periods=len(bars))
    high, low, close = (pd.Series(column, index=index) for column in (bars.high, bars.low, bars.close))
    correct = columns_of(bars, "ta")["psar"]
    try:
        wrong = PSARIndicator(high, low, close).psar().to_numpy()
    except KeyError:
        return  # An error justifies the engine's own index as well as a wrong value does.
    assert len(wrong) != len(correct) or not np.allclose(wrong[2:], correct[2:])


def test_outputs_with_short_formulas_equal_their_formulas():
    """Outputs with short formulas equal the results of their formulas."""
    bars = newest(real_bars("GOOG"), 300)
    outputs = columns_of(bars, "talib")
    high, low, close, volume = (np.array(getattr(bars, name)) for name in ("high", "low", "close", "volume"))
    assert outputs["sma_20"][-1] == pytest.approx(close[-20:].mean())
    assert outputs["bollinger_upper"][-1] == pytest.approx(close[-20:].mean() + 2 * close[-20:].std())
    assert outputs["bollinger_width"][-1] == pytest.approx(400 * close[-20:].std() / close[-20:].mean())
    k = [
        100 * (close[i] - low[i - 13 : i + 1].min()) / np.ptp([high[i - 13 : i + 1].max(), low[i - 13 : i + 1].min()])
        for i in (297, 298, 299)
    ]
    assert outputs["stochastic_k"][-3:] == pytest.approx(k)
    assert outputs["stochastic_d"][-1] == pytest.approx(np.mean(k))
    typical = (high + low + close) / 3
    assert outputs["vwap_14"][-1] == pytest.approx((typical * volume)[-14:].sum() / volume[-14:].sum())
    assert outputs["ichimoku_conversion"][-1] == pytest.approx((high[-9:].max() + low[-9:].min()) / 2)
    assert outputs["ichimoku_span_a"][-1] == pytest.approx(
        (outputs["ichimoku_conversion"][-1] + outputs["ichimoku_base"][-1]) / 2
    )
    assert outputs["ichimoku_span_b"][-1] == pytest.approx((high[-52:].max() + low[-52:].min()) / 2)
    assert outputs["macd"][-1] - outputs["macd_signal"][-1] == pytest.approx(outputs["macd_histogram"][-1])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("count", [1, 2, 3, 13, 14, 15, 27, 28, 33, 34, 60, 199, 200])
def test_compute_of_a_short_history_defines_outputs_with_enough_bars(engine: EngineName, count: int):
    """Every output with enough bars has a value, the others are NaN, and nothing raises."""
    indicators = compute_all(generated_bars(count), engine)
    defined = {name for name, values in indicators.series.items() if math.isfinite(values[-1])}
    assert defined == {name for name, first in OUTPUTS.items() if count >= first}
    assert {len(values) for values in indicators.series.values()} == {count}


@pytest.mark.parametrize("engine", ENGINES)
def test_compute_of_a_constant_price_has_nan_oscillators(engine: EngineName):
    """RSI and Stochastic of a constant price are NaN, averages equal the price, and ranges are 0."""
    last = {name: values[-1] for name, values in compute_all(generated_bars(300, close=5.0), engine).series.items()}
    assert {name for name, value in last.items() if math.isnan(value)} == {"rsi_14", "stochastic_k", "stochastic_d"}
    for name in ("sma_200", "ema_26", "bollinger_upper", "vwap_14", "ichimoku_span_b", "psar"):
        assert last[name] == pytest.approx(5.0), name
    for name in ("macd", "atr_14", "adx_14", "bollinger_width"):
        assert last[name] == pytest.approx(0.0, abs=1e-9), name


@pytest.mark.parametrize("engine", ENGINES)
def test_compute_with_a_close_outside_its_range_extends_the_range(engine: EngineName):
    """N12: the range of a bar includes its close, so %K of a close above every high is 100 and not more."""
    bars = generated_bars(60, close=5.0)
    bars.close[59] = 5.01
    assert compute_all(bars, engine).series["stochastic_k"][59] == 100


@pytest.mark.parametrize("engine", ENGINES)
def test_vwap_without_volume_is_nan(engine: EngineName):
    """VWAP is NaN for a window without volume, even after large volumes, and is defined again once there is volume."""
    bars = generated_bars(120)
    traded = array("d", [1e15 / 3] * 40 + [0.0] * 40 + [1e-3] * 40)
    vwap = np.array(compute_all(replace(bars, volume=traded), engine).series["vwap_14"])
    assert np.isnan(vwap[53:80]).all()
    assert np.isfinite(vwap[13:53]).all()
    typical = (np.array(bars.high) + np.array(bars.low) + np.array(bars.close)) / 3
    assert vwap[-1] == pytest.approx(typical[-14:].mean())


@pytest.mark.parametrize("engine", ENGINES)
def test_stochastic_after_a_constant_period_is_defined_again(engine: EngineName):
    """After 20 days with a constant price, %K and %D are defined again."""
    bars = generated_bars(100)
    for name in ("open", "high", "low", "close"):
        getattr(bars, name)[40:60] = array("d", [77.0] * 20)
    indicators = compute_all(bars, engine).series
    assert math.isnan(indicators["stochastic_d"][58])
    assert np.isfinite(np.array(indicators["stochastic_d"])[62:]).all()


def test_compute_records_its_inputs_and_the_newest_values():
    """The record contains the engine, days, number of bars, timestamp, and newest values of each output."""
    bars = generated_bars(300)
    indicators = compute_all(bars, series=100)
    complete = compute_all(bars)
    assert (indicators.symbol, indicators.engine, indicators.computed_at) == ("X", "talib", 1_800_000_000.0)
    assert (indicators.first_day, indicators.last_day, indicators.bars) == (0, 299, 300)
    assert list(indicators.days) == list(range(200, 300))
    assert set(indicators.series) == set(OUTPUTS)
    assert len(OUTPUTS) == 24
    for name, values in indicators.series.items():
        np.testing.assert_array_equal(values, complete.series[name][-100:])


def test_compute_of_no_bars_raises():
    """Computing indicators without bars raises an error."""
    with pytest.raises(ValueError, match="X: no bars"):
        compute_all(generated_bars(0))


@given(
    st.lists(st.tuples(st.floats(1e-6, 1e9), st.floats(1, 1.2), st.floats(0, 1e12)), min_size=1, max_size=80),
    st.integers(1, 100),
)
def test_compute_of_any_valid_bars_gives_finite_values_or_nan(rows: list[tuple[float, float, float]], series: int):
    """For any valid bars, each output is finite or NaN on each day, and RSI, Stochastic and ADX are within 0 to 100."""
    closes = array("d", (row[0] for row in rows))
    highs = array("d", (row[0] * row[1] for row in rows))
    lows = array("d", (row[0] / row[1] for row in rows))
    volumes = array("d", (row[2] for row in rows))
    indicators = compute_all(
        Bars("X", "t", array("i", range(len(rows))), closes, highs, lows, closes, volumes), series=series
    )
    for values in indicators.series.values():
        assert len(values) == len(indicators.days) == min(series, len(rows))
        assert not any(math.isinf(value) for value in values)
    for name in ("rsi_14", "stochastic_k", "stochastic_d", "adx_14"):
        assert all(math.isnan(value) or -1e-6 <= value <= 100 + 1e-6 for value in indicators.series[name]), name


def test_engines_are_imported_only_when_chosen():
    """Importing the task loads no engine, and the default engine does not load `ta`."""
    code = """
import sys
from financehub_medium_priority.indicators import task
assert not {"talib", "ta", "pandas"} & set(sys.modules)
task.load_engine("talib")
assert "ta" not in sys.modules
task.load_engine("ta")
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=180)


def test_indicators_page_lists_exactly_the_outputs():
    """docs/indicators.md lists exactly the outputs, each with its first bar."""
    page = (Path(__file__).parents[3] / "docs" / "indicators.md").read_text(encoding="utf-8")
    table = page.split("## Properties", maxsplit=1)[0]
    documented = {name: int(first) for name, first in re.findall(r"^\| `(\w+)` \| (\d+) \|", table, re.MULTILINE)}
    assert documented == OUTPUTS
