"""Parsing of recorded and constructed Yahoo responses."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from financehub_shared.core.errors import MalformedError, NotFoundError, ProviderError, RateLimitedError, UpstreamError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.providers.yahoo.chart import read_chart
from financehub_shared.providers.yahoo.parse import (
    NoDataInRangeError,
    error_of_answer,
    own_symbol,
)

#: When the quotes were recorded.
NOW = datetime(2025, 2, 17, 10, 54, 51, tzinfo=UTC).timestamp()
DAY = 86_400


def stock(symbol: str, currency: str = "USD") -> Asset:
    return Asset(symbol, AssetType.STOCK, currency=currency)


BTC = Asset("BTC-USD", AssetType.CRYPTO, provider_symbols={"yahoo": "BTC-USD"})


@pytest.fixture(scope="session")
def recorded(real_answers: Path) -> Callable[[str], bytes]:
    """Return the body of a recorded response by its file name."""

    def read(name: str) -> bytes:
        return json.dumps(json.loads((real_answers / "yahoo" / f"{name}.json").read_bytes())["body"]).encode()

    return read


def day_of(date: str) -> int:
    return datetime.fromisoformat(date).toordinal() - datetime(1970, 1, 1, tzinfo=UTC).toordinal()


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("file", "asset", "first", "last", "count", "first_close", "split"),
    [
        ("chart-AAPL", stock("AAPL"), None, None, None, None, False),
        ("chart-AAPL-2020-08-31-to-2020-11-07", stock("AAPL"), "2020-08-31", "2020-11-06", 49, 129.03999, True),
        ("chart-BTC-USD-2020-01-01-to-2020-01-03", BTC, "2020-01-01", None, None, None, False),
        ("chart-GOOG-2020-01-01-to-2020-01-03", stock("GOOG"), "2020-01-02", "2020-01-02", 1, None, False),
        ("chart-OCDO.L-2020-01-01-to-2020-01-03", stock("OCDO.L", "GBP"), "2020-01-02", "2020-01-02", 1, 12.595, False),
        ("chart-WSU.DE-2023-08-04-to-2023-08-09", stock("WSU.DE", "EUR"), "2023-08-04", "2023-08-08", 3, None, False),
    ],
)
def test_recorded_charts_have_the_recorded_bars(
    recorded: Callable[[str], bytes],
    file: str,
    asset: Asset,
    first: str | None,
    last: str | None,
    count: int | None,
    first_close: float | None,
    split: bool,
):
    """Daily bars have the exchange's date and the major unit, and a split in the range is detected."""
    body = recorded(file)
    chart = read_chart("yahoo", asset, body, 0, NOW)
    result = json.loads(body)["chart"]["result"][0]
    raw = [close for close in result["indicators"]["quote"][0]["close"] if close is not None]
    per_unit = 100 if result["meta"]["currency"] == "GBp" else 1
    assert list(chart.bars.close) == pytest.approx([close / per_unit for close in raw])
    assert list(chart.bars.days) == sorted(set(chart.bars.days))
    assert chart.has_split is split
    if first:
        assert chart.bars.days[0] == day_of(first)
    if last:
        assert chart.bars.days[-1] == day_of(last)
    if count:
        assert len(chart.bars) == count
    if first_close:
        assert chart.bars.close[0] == pytest.approx(first_close, rel=1e-6)


def chart_body(times: list[int], closes: list[Any], zone: str = "Europe/London", end: float = 0, **meta: Any) -> bytes:
    """Return a chart whose open, high and low equal its close. `end` is the end of the current session."""
    columns = dict.fromkeys(("open", "high", "low", "close"), closes)
    period = {"regular": {"start": end - 6 * 3_600, "end": end}} if end else None
    full = {"currency": "USD", "exchangeTimezoneName": zone, "gmtoffset": 0, "currentTradingPeriod": period, **meta}
    volume = [None if close is None else 100 for close in closes]
    result = {"meta": full, "timestamp": times, "indicators": {"quote": [{**columns, "volume": volume}]}}
    return json.dumps({"chart": {"result": [result], "error": None}}).encode()


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("zone", "time", "day"),
    [
        ("Europe/London", "2025-01-15T00:00", "2025-01-15"),
        ("Europe/London", "2024-07-14T23:00", "2024-07-15"),
        ("America/New_York", "2025-01-15T14:30", "2025-01-15"),
        ("Australia/Sydney", "2025-01-14T23:00", "2025-01-15"),
        ("Asia/Tokyo", "2025-01-15T00:00", "2025-01-15"),
        ("UTC", "2025-01-15T00:00", "2025-01-15"),
        ("Mars/Olympus", "2025-01-15T00:00", "2025-01-15"),
    ],
)
def test_bar_has_the_date_of_the_exchange(zone: str, time: str, day: str):
    """A session's start is converted to the exchange's time zone, including daylight saving time."""
    chart = read_chart("yahoo", stock("X"), chart_body([at(time)], [1.0], zone), 0, NOW)
    assert list(chart.bars.days) == [day_of(day)]


@pytest.mark.parametrize(
    ("now", "days"),
    [
        ("2025-01-15T15:59", ["2025-01-14"]),
        ("2025-01-15T16:30", ["2025-01-14", "2025-01-15"]),
        ("2025-01-16T03:00", ["2025-01-14", "2025-01-15"]),
    ],
)
def test_bar_of_a_running_session_is_left_out(now: str, days: list[str]):
    """A day's bar is returned once its session has ended, and not before."""
    body = chart_body([at("2025-01-14T08:00"), at("2025-01-15T08:00")], [1.0, 2.0], end=at("2025-01-15T16:30"))
    chart = read_chart("yahoo", stock("X"), body, 0, at(now))
    assert list(chart.bars.days) == [day_of(day) for day in days]


def test_bar_of_today_without_trading_hours_is_left_out():
    """Without trading hours, only days before today are complete."""
    body = chart_body([at("2025-01-14T08:00"), at("2025-01-15T08:00")], [1.0, 2.0])
    assert list(read_chart("yahoo", stock("X"), body, 0, at("2025-01-15T20:00")).bars.close) == [1.0]


def test_days_without_trading_and_before_the_first_are_left_out():
    """Rows with null, and days before the first requested one, are not returned."""
    times = [at(f"2025-01-{day}T08:00") for day in (13, 14, 15)]
    bars = read_chart("yahoo", stock("X"), chart_body(times, [1.0, None, 3.0]), day_of("2025-01-14"), NOW).bars
    assert (list(bars.days), list(bars.close), list(bars.volume)) == ([day_of("2025-01-15")], [3.0], [100.0])


def test_second_row_of_a_day_replaces_the_first():
    """After the close Yahoo adds a second, corrected row for the last day."""
    times = [at("2025-01-15T08:00"), at("2025-01-15T16:35")]
    assert list(read_chart("yahoo", stock("X"), chart_body(times, [1.0, 2.0]), 0, NOW).bars.close) == [2.0]


def test_announced_split_without_rescaled_bars_is_applied():
    """Older bars that are still in the old scale are rescaled, and the chart records the correction."""
    times = [at(f"2025-01-{day}T08:00") for day in range(13, 21)]
    body = json.loads(chart_body(times, [100.0] * 4 + [20.0] * 4))
    split = {"date": times[4], "numerator": 5, "denominator": 1, "splitRatio": "5:1"}
    body["chart"]["result"][0]["events"] = {"splits": {str(times[4]): split}}
    chart = read_chart("yahoo", stock("X"), json.dumps(body).encode(), 0, NOW)
    assert list(chart.bars.close) == [20.0] * 8
    assert list(chart.bars.volume) == [500.0] * 4 + [100.0] * 4
    assert chart.has_split
    assert chart.corrections == ["split 5:1 of day 20105 applied to the 4 bars before day 20105"]


def test_chart_without_timestamps_has_no_bars():
    """A range of only holidays yields a valid response without bars."""
    assert len(read_chart("yahoo", stock("X"), chart_body([], []), 0, NOW).bars) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"chart": null}',
        b'{"chart": {"result": [{}]}}',
        chart_body([1, 2], [1.0]),
        chart_body([1], ["a"]),
        chart_body([1], [{}]),
        chart_body([1], [1.0], currency=None),
        chart_body([1], [1.0], currency="EUR"),
        chart_body([-5], [1.0]),
        chart_body([10**13], [1.0]),
        chart_body([1], [1.0]).replace(b"1.0", b"NaN"),
        chart_body([1], [1.0]).replace(b"1.0", b"-Infinity"),
    ],
)
def test_invalid_chart_is_malformed(body: bytes):
    """A wrong shape, another currency, NaN and an invalid timestamp are refused and never yield bars."""
    with pytest.raises(MalformedError):
        read_chart("yahoo", stock("X"), body, 0, NOW)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, '{"chart":{"result":null,"error":{"code":"Not Found","description":"No data found"}}}', NotFoundError),
        (404, "<html>not here</html>", UpstreamError),
        (400, '{"chart":{"error":{"description":"Data doesn\'t exist for startDate = 1"}}}', NoDataInRangeError),
        (422, '{"chart":{"result":null,"error":{"description":"Invalid input - range=9"}}}', UpstreamError),
        (400, "[]", UpstreamError),
        (429, "Too Many Requests", RateLimitedError),
        (500, "", UpstreamError),
    ],
)
def test_error_status_has_its_error(status: int, body: str, error: type[ProviderError]):
    """A 404 means 'not found' only if Yahoo's JSON says so. A moved path must not look like delisted symbols."""
    found = error_of_answer("yahoo", status, {"retry-after": "7"}, body.encode(), NOW)
    assert type(found) is error
    if status == 429:
        assert found.retry_after == 7


@pytest.mark.parametrize(
    ("asset", "symbol"),
    [
        (stock("VOD.L"), "VOD.L"),
        (Asset("UNI-USD", AssetType.CRYPTO), None),
        (Asset("UNI-USD", AssetType.CRYPTO, provider_symbols={"yahoo": "UNI7083-USD"}), "UNI7083-USD"),
        (Asset("BRK.B", AssetType.STOCK, provider_symbols={"yahoo": "BRK-B"}), "BRK-B"),
    ],
)
def test_coin_is_served_only_with_an_explicit_symbol(asset: Asset, symbol: str | None):
    """Yahoo's coin symbols cannot be derived. For example, `UNI-USD` is another coin there."""
    assert own_symbol(asset) == symbol
