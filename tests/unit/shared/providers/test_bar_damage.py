"""Tests that a damaged value of an answer with bars costs only its own bar, for every value and every damage (D9)."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import MalformedError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, BarAnswer, Bars
from financehub_shared.providers.bar_rows import COLUMNS, BarRows
from financehub_shared.providers.binance.klines import DAY_MS, add_klines
from financehub_shared.providers.kraken_candles import read_candles
from financehub_shared.providers.transport import strict_json
from financehub_shared.providers.yahoo.chart import read_chart
from support import mutations
from support.mutations import Mutation, encode
from support.simulated_answers import simulated_answer

NOW = 1_900_000_000.0
CHART = ("chart", "result", 0)


def read_yahoo(symbol: str, currency: str = "USD") -> Callable[[bytes], BarAnswer]:
    asset = Asset(symbol, AssetType.STOCK, currency=currency)
    return lambda body: read_chart("yahoo", asset, body, 0, NOW)


def read_binance(body: bytes) -> BarAnswer:
    rows = BarRows("binance")
    add_klines(rows, strict_json.load_figures("binance", body))
    return BarAnswer(rows.bars("BTC-USD", 0, 40_000), problems=tuple(rows.problems))


def read_kraken(body: bytes) -> BarAnswer:
    rows = read_candles("kraken", "XBTUSD", strict_json.load_figures("kraken", body)["result"]["XXBTZUSD"])
    return BarAnswer(rows.bars("BTC-USD", 0, 40_000), problems=tuple(rows.problems))


#: Name → (request to the simulator or recorded file, how the answer is read, how its cells are found).
ANSWERS: Mapping[str, tuple[str, Callable[[bytes], BarAnswer]]] = {
    "binance": (
        "/binance/api/v3/klines?symbol=BTCUSDT&interval=1d&startTime=1738800000000&endTime=1739318399999&limit=1000",
        read_binance,
    ),
    "binance, recorded": ("binance-klines", read_binance),
    "kraken": ("/kraken/0/public/OHLC?pair=XBTUSD&interval=1440&since=1739318400", read_kraken),
    "kraken, recorded": ("kraken-ohlc", read_kraken),
    "yahoo, recorded shares": ("yahoo/chart-WSU.DE-2023-08-04-to-2023-08-09", read_yahoo("WSU.DE", "EUR")),
    "yahoo, recorded pence": ("yahoo/chart-OCDO.L-2020-01-01-to-2020-01-03", read_yahoo("OCDO.L", "GBP")),
    "yahoo, recorded coin": (
        "yahoo/chart-BTC-USD-2020-01-01-to-2020-01-03",
        lambda body: read_chart("yahoo", Asset("BTC-USD", AssetType.CRYPTO), body, 0, NOW),
    ),
    "yahoo, recorded split": ("yahoo/chart-AAPL-2020-08-31-to-2020-11-07", read_yahoo("AAPL")),
}
ALL_ANSWERS = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.real_data) if "recorded" in name else name for name in ANSWERS]
)


@pytest.fixture
async def document(name: str, request: pytest.FixtureRequest) -> Any:
    source, _ = ANSWERS[name]
    if source.startswith("/"):
        return json.loads(await simulated_answer(source))
    folder: Path = request.getfixturevalue("real_answers")
    recorded = json.loads((folder / f"{source}.json").read_text())["body"]
    if name == "kraken, recorded":
        # The recorded bars are hourly, and the test needs one bar per day.
        for place, candle in enumerate(recorded["result"]["XXBTZUSD"]):
            candle[0] += place * DAY_SECONDS
    return recorded


def cells(name: str, document: Any, days: list[int]) -> Iterator[tuple[mutations.Path, int]]:
    """Yield (path, day) of every value of some bars: the first, one in the middle and the last."""
    if name.startswith("yahoo"):
        for place in sorted({0, len(days) // 2, len(days) - 1}):
            yield (*CHART, "timestamp", place), days[place]
            for column in COLUMNS:
                yield (*CHART, "indicators", "quote", 0, column, place), days[place]
        return
    is_binance = name.startswith("binance")
    rows = document if is_binance else document["result"]["XXBTZUSD"]
    for place in sorted({0, len(rows) // 2, len(rows) - 1}):
        day = rows[place][0] // (DAY_MS if is_binance else DAY_SECONDS)
        for cell in range(7):
            yield ((place, cell) if is_binance else ("result", "XXBTZUSD", place, cell)), day


def as_rows(bars: Bars) -> dict[int, tuple[float, ...]]:
    columns = zip(*(getattr(bars, name) for name in COLUMNS), strict=True)
    return dict(zip(bars.days, columns, strict=True))


def is_json(mutation: Mutation) -> bool:
    """Whether the damaged document is JSON, apart from NaN and Infinity."""
    try:
        json.loads(mutation.body, parse_int=float)
    except (ValueError, RecursionError):
        return False
    return True


@ALL_ANSWERS
def test_damaged_value_costs_only_its_own_bar(name: str, document: Any):
    """D9: all other bars are as before. The damaged bar is missing, and a sentence says so, or it has the volume 0."""
    _, read = ANSWERS[name]
    before = read(encode(document))
    known = as_rows(before.bars)
    for path, day in cells(name, document, sorted(known)):
        for mutation in mutations.value_mutations(document, path):
            if is_json(mutation):
                check(read, mutation, known, day, is_time=path[-1] == 0 or "timestamp" in path)


def check(
    read: Callable[[bytes], BarAnswer], mutation: Mutation, known: Mapping[int, Any], day: int, *, is_time: bool
) -> None:
    context = f"{mutation.name} at {mutation.path}"
    try:
        answer = read(mutation.body)
    except MalformedError:
        # The damaged bar was the only one of the answer.
        assert len(known) == 1, context
        return
    found = as_rows(answer.bars)
    for other, row in known.items():
        if other != day:
            assert found.get(other) == row, context
    if found.get(day) != known[day] and not mutation.is_number and not is_time:
        is_volume_lost = day in found and found[day][:4] == known[day][:4] and found[day][4] == 0
        assert is_volume_lost or day not in found, context
        assert answer.problems or mutation.name == "null", context
    assert all(len(problem) < 300 and problem.isprintable() for problem in answer.problems), context
    assert all(math.isfinite(cell) for row in found.values() for cell in row), context


@pytest.mark.real_data
def test_damaged_event_or_metadata_costs_no_bar(real_answers: Path):
    """D9: damaged dividends, splits, prices and hours of a chart cost no bars. Only a damaged currency does."""
    name = "chart-AAPL-2020-08-31-to-2020-11-07"
    document = json.loads((real_answers / "yahoo" / f"{name}.json").read_text())["body"]
    result = document["chart"]["result"][0]
    result["timestamp"] = result["timestamp"][:3]
    (quote,) = result["indicators"]["quote"]
    quote.update({column: quote[column][:3] for column in COLUMNS})
    read = read_yahoo("AAPL")
    known = as_rows(read(encode(document)).bars)
    paths = [
        *((*CHART, "events", *path) for path in mutations.paths_in(result["events"])),
        *((*CHART, "meta", *path) for path in mutations.paths_in({key: result["meta"][key] for key in USED})),
    ]
    for path in paths:
        for mutation in mutations.value_mutations(document, path):
            if is_json(mutation):
                found = as_rows(read(mutation.body).bars)
                expected = known if path[-1] != "exchangeTimezoneName" else found
                assert found == expected, f"{mutation.name} at {path}"


#: Fields of the metadata that the adapter reads, apart from the currency.
USED = ("regularMarketPrice", "regularMarketTime", "gmtoffset", "currentTradingPeriod", "exchangeTimezoneName")


KLINE = ["1", "2", "0.5", "1.5", "10"]


@pytest.mark.parametrize("per_second", [1, 0], ids=["seconds", "zero"])
def test_bars_with_times_in_another_unit_are_malformed(per_second: int):
    """Bars before the requested days are not taken for an answer without bars: their times are wrong (D9)."""
    days, rows = range(20_000, 20_003), BarRows("binance")
    add_klines(rows, [[day * DAY_SECONDS * per_second, *KLINE] for day in days])
    with pytest.raises(MalformedError, match=r"rows with a wrong time: 3 .* but the first requested day is 2024-10-04"):
        rows.bars("BTC-USD", 20_000, 20_003)


def test_bar_with_a_time_in_another_unit_is_named():
    """One wrong time costs only its own bar, and a sentence reports the loss (D9, I16)."""
    rows = BarRows("binance")
    add_klines(rows, [[day * (DAY_SECONDS if day == 20_001 else DAY_MS), *KLINE] for day in range(20_000, 20_003)])
    assert list(rows.bars("BTC-USD", 20_000, 20_003).days) == [20_000, 20_002]
    assert "rows with a wrong time: 1" in rows.problems[0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"timestamp": None}, "timestamp is null; expected an array of 1 or more"),
        ({"timestamp": {}}, "timestamp is an object"),
        ({"timestamp": ""}, "timestamp is ''"),
        ({"meta": {"currency": "USD", "symbol": "MSFT"}}, "the chart is of 'MSFT'; expected AAPL"),
    ],
)
def test_chart_without_times_or_of_another_symbol_is_malformed(change: dict[str, Any], sentence: str):
    """Prices without times are not an empty answer, and no asset gets the bars of another one (D9, I17)."""
    columns = {name: [1.5] for name in COLUMNS}
    chart = {
        "meta": {"currency": "USD", "symbol": "AAPL"},
        "timestamp": [1_760_000_000.0],
        "indicators": {"quote": [columns]},
    }
    read = read_yahoo("AAPL")
    assert len(read(encode({"chart": {"result": [chart]}})).bars) == 1
    with pytest.raises(MalformedError, match=sentence):
        read(encode({"chart": {"result": [chart | change]}}))


@pytest.mark.parametrize(("symbol", "answered"), [("USDJPY=X", "JPY=X"), ("JPY=X", "USDJPY=X")])
def test_chart_of_a_dollar_is_read_in_both_spellings(symbol: str, answered: str):
    """Yahoo answers a request for USDJPY=X or JPY=X with either symbol. The chart is that of the asset."""
    columns = {name: [155.2] for name in COLUMNS}
    meta = {"currency": "JPY", "symbol": answered}
    chart = {"meta": meta, "timestamp": [1_760_000_000.0], "indicators": {"quote": [columns]}}
    assert len(read_yahoo(symbol, "JPY")(encode({"chart": {"result": [chart]}})).bars) == 1


@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                ["1", "1.5", "-2e3", "1_0", " 1", "٣", "1\u00b2", "nan", "inf", "1e999", "", "0x1", ".", "1e308"]
            ),
            st.sampled_from([None, True, 1, 1.5, math.nan, math.inf, -math.inf, 1e308, 10**400, [], "1,5"]),
        ),
        max_size=4,
    )
)
def test_rows_read_together_equal_the_rows_read_one_by_one(cells: list[Any]) -> None:
    """Columns that are converted at once yield the rows that each value yields alone, whatever the values are."""
    together, alone = BarRows("binance"), BarRows("binance")
    together.add(range(len(cells)), [cells] * len(COLUMNS))
    for day, cell in enumerate(cells):
        alone.add([day], [[cell]] * len(COLUMNS))
    assert together == alone
