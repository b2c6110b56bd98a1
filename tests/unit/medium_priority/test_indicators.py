"""Indicators against their oracle on real bars, and at the edges: short, constant and silent histories."""

import importlib
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

EPOCH = 719_163
ALL = 1_000_000
ENGINES: tuple[EngineName, ...] = ("talib", "ta")
#: Bars after which what an average started from no longer shows.
SETTLED = 260
#: Outputs whose definition differs between the engines; each difference has a test of its own.
DIFFERENT = {"obv", "psar"}
HISTORIES = ("sp500", "nasdaq", "GOOG")


def real_bars(name: str, newest: int = 1_500) -> Bars:
    """The newest bars of a real history that comes with a package."""
    if name == "GOOG":
        frame = importlib.import_module("backtesting.test").GOOG
    else:
        frame = importlib.import_module(f"arch.data.{name}").load()
    frame = frame.iloc[-newest:]
    days = array("i", (stamp.toordinal() - EPOCH for stamp in frame.index))
    columns = (array("d", frame[cell].astype(float)) for cell in ("Open", "High", "Low", "Close", "Volume"))
    return Bars(name, "test", days, *columns)


def made_up(count: int, *, close: float | None = None, volume: float = 100.0) -> Bars:
    """A seeded random walk, or a price that never moves."""
    random = np.random.default_rng(7)
    closes = np.full(count, close) if close else 100 * np.exp(np.cumsum(random.normal(0, 0.02, count)))
    spread = 0.0 if close else 0.01
    columns = (closes, closes * (1 + spread), closes * (1 - spread), closes, np.full(count, volume))
    return Bars("X", "test", array("i", range(count)), *(array("d", column) for column in columns))


def computed(bars: Bars, engine: EngineName = "talib", series: int = ALL) -> Indicators:
    return compute(bars, load_engine(engine), engine, series, 1_800_000_000.0)


def columns_of(bars: Bars, engine: EngineName) -> dict[str, np.ndarray]:
    return {name: np.array(values) for name, values in computed(bars, engine).series.items()}


@pytest.fixture(scope="module", params=HISTORIES)
def both(request: pytest.FixtureRequest) -> tuple[Bars, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Real bars, and the outputs of both engines."""
    bars = real_bars(request.param)
    return bars, columns_of(bars, "talib"), columns_of(bars, "ta")


Both = tuple[Bars, dict[str, np.ndarray], dict[str, np.ndarray]]


def test_the_engines_agree_on_real_bars(both: Both):
    """After 260 bars TA-Lib and `ta` agree within 1e-6 on every output whose definition is the same."""
    _, talib, ta = both
    for name in OUTPUTS.keys() - DIFFERENT:
        ours, oracle = talib[name][SETTLED:], ta[name][SETTLED:]
        assert np.isfinite(ours).all(), name
        # a histogram near zero has no relative accuracy: the scale is that of the output
        scale = np.maximum(np.abs(oracle), np.median(np.abs(oracle)))
        assert np.max(np.abs(ours - oracle) / scale) <= 1e-6, name


def test_both_engines_are_undefined_for_the_same_bars(both: Both):
    """An output's first value comes with the same bar from both engines, the one that `OUTPUTS` states."""
    _, talib, ta = both
    for name, first in OUTPUTS.items():
        for engine in (talib, ta):
            defined = np.isfinite(engine[name])
            assert not defined[: first - 1].any(), name
            assert defined[first - 1], name


def test_obv_differs_on_unchanged_closes_alone(both: Both):
    """`ta` adds the volume of a day whose close is unchanged, TA-Lib does not; all other days are the same."""
    bars, talib, ta = both
    unchanged = np.diff(np.array(bars.close)) == 0
    difference = np.diff(ta["obv"]) - np.diff(talib["obv"])
    assert np.allclose(difference[~unchanged], 0)
    assert np.allclose(difference[unchanged], np.array(bars.volume)[1:][unchanged])
    assert talib["obv"][0] == ta["obv"][0] == bars.volume[0]


def test_psar_differs_on_few_bars_and_heals(both: Both):
    """The engines differ on under 10 % of the bars and meet again: `ta` looks at one extreme where Wilder takes two."""
    _, talib, ta = both
    away = np.abs(talib["psar"] - ta["psar"])[SETTLED:] > 1e-6 * ta["psar"][SETTLED:]
    assert 0 < away.mean() < 0.10
    lengths = np.diff(np.flatnonzero(np.diff(np.concatenate(([0], away, [0])))))[::2]
    assert lengths.max() < 60


def test_ta_needs_a_range_index():
    """On a DatetimeIndex `ta`'s parabolic SAR is another, wrong one: the reason why the engine builds its own index."""
    import pandas as pd
    from ta.trend import PSARIndicator

    bars = real_bars("GOOG", 500)
    index = pd.date_range("2020-01-01", periods=len(bars))
    high, low, close = (pd.Series(column, index=index) for column in (bars.high, bars.low, bars.close))
    ours = columns_of(bars, "ta")["psar"]
    try:
        wrong = PSARIndicator(high, low, close).psar().to_numpy()
    except KeyError:
        return  # refused is as good a reason
    assert len(wrong) != len(ours) or not np.allclose(wrong[2:], ours[2:])


def test_values_by_hand():
    """Outputs whose formula fits a line are what the formula says, computed here in another way."""
    bars = real_bars("GOOG", 300)
    got = columns_of(bars, "talib")
    high, low, close, volume = (np.array(getattr(bars, name)) for name in ("high", "low", "close", "volume"))
    assert got["sma_20"][-1] == pytest.approx(close[-20:].mean())
    assert got["bollinger_upper"][-1] == pytest.approx(close[-20:].mean() + 2 * close[-20:].std())
    assert got["bollinger_width"][-1] == pytest.approx(400 * close[-20:].std() / close[-20:].mean())
    k = [
        100 * (close[i] - low[i - 13 : i + 1].min()) / np.ptp([high[i - 13 : i + 1].max(), low[i - 13 : i + 1].min()])
        for i in (297, 298, 299)
    ]
    assert got["stochastic_k"][-3:] == pytest.approx(k)
    assert got["stochastic_d"][-1] == pytest.approx(np.mean(k))
    typical = (high + low + close) / 3
    assert got["vwap_14"][-1] == pytest.approx((typical * volume)[-14:].sum() / volume[-14:].sum())
    assert got["ichimoku_conversion"][-1] == pytest.approx((high[-9:].max() + low[-9:].min()) / 2)
    assert got["ichimoku_span_a"][-1] == pytest.approx((got["ichimoku_conversion"][-1] + got["ichimoku_base"][-1]) / 2)
    assert got["ichimoku_span_b"][-1] == pytest.approx((high[-52:].max() + low[-52:].min()) / 2)
    assert got["macd"][-1] - got["macd_signal"][-1] == pytest.approx(got["macd_histogram"][-1])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("count", [1, 2, 3, 13, 14, 15, 27, 28, 33, 34, 60, 199, 200])
def test_a_short_history_gives_what_it_can(engine: EngineName, count: int):
    """Every output whose bars are there has a value, the others are NaN, and nothing raises."""
    found = computed(made_up(count), engine)
    defined = {name for name, values in found.series.items() if math.isfinite(values[-1])}
    assert defined == {name for name, first in OUTPUTS.items() if count >= first}
    assert {len(values) for values in found.series.values()} == {count}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_price_that_never_moves(engine: EngineName):
    """RSI and Stochastic of a constant price divide by nothing and are NaN; averages are the price, ranges are 0."""
    last = {name: values[-1] for name, values in computed(made_up(300, close=5.0), engine).series.items()}
    assert {name for name, value in last.items() if math.isnan(value)} == {"rsi_14", "stochastic_k", "stochastic_d"}
    for name in ("sma_200", "ema_26", "bollinger_upper", "vwap_14", "ichimoku_span_b", "psar"):
        assert last[name] == pytest.approx(5.0), name
    for name in ("macd", "atr_14", "adx_14", "bollinger_width"):
        assert last[name] == pytest.approx(0.0, abs=1e-9), name


@pytest.mark.parametrize("engine", ENGINES)
def test_a_close_outside_of_its_days_range_is_not_infinite(engine: EngineName):
    """Histories have closes a little outside of high and low; divided by a range of 0 that is absent, not infinite."""
    bars = made_up(60, close=5.0)
    bars.close[59] = 5.01
    assert math.isnan(computed(bars, engine).series["stochastic_k"][59])


@pytest.mark.parametrize("engine", ENGINES)
def test_no_volume_means_no_vwap(engine: EngineName):
    """VWAP is NaN for bars without volume around them, also after large volumes, and comes back with them."""
    bars = made_up(120)
    traded = array("d", [1e15 / 3] * 40 + [0.0] * 40 + [1e-3] * 40)
    vwap = np.array(computed(replace(bars, volume=traded), engine).series["vwap_14"])
    assert np.isnan(vwap[53:80]).all()
    assert np.isfinite(vwap[13:53]).all()
    typical = (np.array(bars.high) + np.array(bars.low) + np.array(bars.close)) / 3
    assert vwap[-1] == pytest.approx(typical[-14:].mean())


@pytest.mark.parametrize("engine", ENGINES)
def test_a_pause_does_not_silence_the_stochastic(engine: EngineName):
    """After 20 days without a move %K and %D are defined again."""
    bars = made_up(100)
    for name in ("open", "high", "low", "close"):
        getattr(bars, name)[40:60] = array("d", [77.0] * 20)
    found = computed(bars, engine).series
    assert math.isnan(found["stochastic_d"][58])
    assert np.isfinite(np.array(found["stochastic_d"])[62:]).all()


def test_the_record_says_what_went_in():
    """Engine, window, number of bars and time are recorded, and the newest values are kept, day by day."""
    bars = made_up(300)
    found = computed(bars, series=100)
    whole = computed(bars)
    assert (found.symbol, found.engine, found.computed_at) == ("X", "talib", 1_800_000_000.0)
    assert (found.first_day, found.last_day, found.bars) == (0, 299, 300)
    assert list(found.days) == list(range(200, 300))
    assert set(found.series) == set(OUTPUTS)
    assert len(OUTPUTS) == 24
    for name, values in found.series.items():
        np.testing.assert_array_equal(values, whole.series[name][-100:])


def test_no_bars_are_refused():
    """Nothing cannot be computed of nothing."""
    with pytest.raises(ValueError, match="X: no bars"):
        computed(made_up(0))


@given(
    st.lists(st.tuples(st.floats(1e-6, 1e9), st.floats(1, 1.2), st.floats(0, 1e12)), min_size=1, max_size=80),
    st.integers(1, 100),
)
def test_any_valid_bars_give_finite_values_or_nan(rows: list[tuple[float, float, float]], series: int):
    """For any valid bars each output is finite or NaN on each kept day, and RSI, Stochastic and ADX are in 0 to 100."""
    closes = array("d", (row[0] for row in rows))
    highs = array("d", (row[0] * row[1] for row in rows))
    lows = array("d", (row[0] / row[1] for row in rows))
    volumes = array("d", (row[2] for row in rows))
    found = computed(Bars("X", "t", array("i", range(len(rows))), closes, highs, lows, closes, volumes), series=series)
    for values in found.series.values():
        assert len(values) == len(found.days) == min(series, len(rows))
        assert not any(math.isinf(value) for value in values)
    for name in ("rsi_14", "stochastic_k", "stochastic_d", "adx_14"):
        assert all(math.isnan(value) or -1e-6 <= value <= 100 + 1e-6 for value in found.series[name]), name


def test_an_engine_is_imported_when_it_is_chosen():
    """Importing the task loads no engine, and the default engine does not load `ta`."""
    code = """
import sys
from financehub_medium_priority.indicators import task
assert not {"talib", "ta", "pandas"} & set(sys.modules)
task.load_engine("talib")
assert "ta" not in sys.modules
task.load_engine("ta")
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_every_output_is_documented():
    """docs/indicators.md lists exactly the outputs, each with its first bar."""
    page = (Path(__file__).parents[3] / "docs" / "indicators.md").read_text(encoding="utf-8")
    table = page.split("## How the engines differ", maxsplit=1)[0]
    documented = {name: int(first) for name, first in re.findall(r"^\| `(\w+)` \| (\d+) \|", table, re.MULTILINE)}
    assert documented == OUTPUTS
