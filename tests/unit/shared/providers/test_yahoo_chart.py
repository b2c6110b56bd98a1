"""Tests of Yahoo's charts: days, units, events and damaged elements (D3, D8, D9)."""

import json
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from financehub_shared.core.errors import MalformedError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.providers.yahoo.chart import read_chart

#: Time in Unix seconds at which the charts were recorded.
NOW = datetime(2025, 2, 17, 10, 54, 51, tzinfo=UTC).timestamp()
DAY = 86_400
EPOCH = date(1970, 1, 1)


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
        ("chart-AAPL", stock("AAPL"), None, None, None, None, {}),
        (
            "chart-AAPL-2020-08-31-to-2020-11-07",
            stock("AAPL"),
            "2020-08-31",
            "2020-11-06",
            49,
            129.03999,
            {18_505: 4.0},
        ),
        ("chart-BTC-USD-2020-01-01-to-2020-01-03", BTC, "2020-01-01", None, None, None, {}),
        ("chart-GOOG-2020-01-01-to-2020-01-03", stock("GOOG"), "2020-01-02", "2020-01-02", 1, None, {}),
        ("chart-OCDO.L-2020-01-01-to-2020-01-03", stock("OCDO.L", "GBP"), "2020-01-02", "2020-01-02", 1, 12.595, {}),
        ("chart-WSU.DE-2023-08-04-to-2023-08-09", stock("WSU.DE", "EUR"), "2023-08-04", "2023-08-08", 3, None, {}),
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
    split: dict[int, float],
):
    """Daily bars have the exchange's date and the major unit, and splits and dividends in the range are read."""
    body = recorded(file)
    chart = read_chart("yahoo", asset, body, 0, NOW)
    result = json.loads(body)["chart"]["result"][0]
    raw = [close for close in result["indicators"]["quote"][0]["close"] if close is not None]
    per_unit = 100 if result["meta"]["currency"] == "GBp" else 1
    assert list(chart.bars.close) == pytest.approx([close / per_unit for close in raw])
    assert list(chart.bars.days) == sorted(set(chart.bars.days))
    assert chart.splits == split
    assert chart.problems == ()
    assert chart.price == pytest.approx(result["meta"]["regularMarketPrice"] / per_unit)
    if first:
        assert chart.bars.days[0] == day_of(first)
    if last:
        assert chart.bars.days[-1] == day_of(last)
    if count:
        assert len(chart.bars) == count
    if first_close:
        assert chart.bars.close[0] == pytest.approx(first_close, rel=1e-5)


def chart_body(times: list[int], closes: list[Any], zone: str = "Europe/London", end: float = 0, **meta: Any) -> bytes:
    """Return a chart whose open, high and low equal its close. The session ends at `end` (Unix seconds)."""
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


@pytest.mark.parametrize(
    ("start", "end", "now", "newest"),
    [
        ("2025-01-14T08:00", "2025-01-14T16:30", "2025-01-15T10:00", 1.0),
        ("2025-01-14T00:00", "2025-01-15T00:00", "2025-01-15T10:00", 1.0),
        ("1970-01-02T00:00", "2099-01-01T00:00", "2025-01-15T10:00", 0.5),
        ("2025-01-15T00:00", "2025-01-15T23:59", "2025-01-15T10:00", 1.0),
        ("2025-01-16T08:00", "2025-01-16T16:30", "2025-01-15T20:00", 2.0),
        ("2025-01-15T08:00", "2025-01-15T16:30", "2025-01-15T16:31", 2.0),
    ],
    ids=["yesterday's", "yesterday's, until midnight", "without an end", "all day", "tomorrow's", "over"],
)
def test_bar_of_today_is_complete_only_if_its_own_session_has_ended(start: str, end: str, now: str, newest: float):
    """D6: trading hours of another day never make the bar of a running session a complete one."""
    times = [at(f"2025-01-{day}T08:00") for day in (13, 14, 15)]
    period = {"regular": {"start": at(start), "end": at(end)}}
    body = chart_body(times, [0.5, 1.0, 2.0], "UTC", currentTradingPeriod=period)
    assert read_chart("yahoo", stock("X"), body, 0, at(now)).bars.close[-1] == newest


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
    """After the close, Yahoo adds a second, corrected row for the newest day."""
    times = [at("2025-01-15T08:00"), at("2025-01-15T16:35")]
    assert list(read_chart("yahoo", stock("X"), chart_body(times, [1.0, 2.0]), 0, NOW).bars.close) == [2.0]


def test_chart_without_timestamps_has_no_bars():
    """A range that consists of holidays leads to a valid response without bars."""
    assert len(read_chart("yahoo", stock("X"), chart_body([], []), 0, NOW).bars) == 0


# --- events -----------------------------------------------------------------------------------------


def with_events(**events: Any) -> bytes:
    """Return a chart of two days with these events."""
    times = [at("2025-01-14T08:00"), at("2025-01-15T08:00")]
    body = json.loads(chart_body(times, [1.0, 2.0]))
    body["chart"]["result"][0]["events"] = events
    return json.dumps(body).encode()


def split(time: str, new: Any, old: Any) -> dict[str, Any]:
    return {"date": at(time), "numerator": new, "denominator": old, "splitRatio": f"{new}:{old}"}


def test_events_are_read_with_their_days_and_units():
    """D3: splits of one day are multiplied, and dividends are in the major unit."""
    body = with_events(
        splits={"1": split("2025-01-15T08:00", 1, 10), "2": split("2025-01-15T09:00", 3, 2)},
        dividends={"1": {"amount": 25, "date": at("2025-01-14T08:00")}},
    )
    body = body.replace(b'"USD"', b'"GBp"')
    answer = read_chart("yahoo", stock("X", "GBP"), body, 0, NOW)
    assert answer.splits == {day_of("2025-01-15"): pytest.approx(0.15)}
    assert answer.dividends == {day_of("2025-01-14"): 0.25}
    assert list(answer.bars.close) == [0.01, 0.02]


@pytest.mark.parametrize(
    "event",
    [None, 5, "x", [], {}, {"date": None}, {"date": 10**13, "numerator": 4, "denominator": 1}],
    ids=str,
)
def test_unreadable_split_costs_only_itself(event: Any):
    """D9: the bars and the other split stay, and a sentence says what is missing."""
    good = split("2025-01-14T08:00", 4, 1)
    answer = read_chart("yahoo", stock("X"), with_events(splits={"1": event, "2": good}), 0, NOW)
    assert (len(answer.bars), answer.splits) == (2, {day_of("2025-01-14"): 4.0})
    assert len(answer.problems) == 1


@pytest.mark.parametrize("ratio", [(None, 1), (4, 0), (-4, 1), ("x", 1), (float("nan"), 1), (1e300, 1e-300)])
def test_split_without_a_readable_ratio_is_announced_all_the_same(ratio: tuple[Any, Any]):
    """D2: the day of a split excludes a wrong unit, even if its ratio cannot be read."""
    answer = read_chart("yahoo", stock("X"), with_events(splits={"1": split("2025-01-15T08:00", *ratio)}), 0, NOW)
    assert answer.splits == {day_of("2025-01-15"): 1.0}
    assert answer.problems == ("the split of 2025-01-15 has no readable ratio",)


@pytest.mark.parametrize("events", ["x", 5, [1]])
def test_unreadable_events_cost_no_bars(events: Any):
    """D9: without readable events, the bars stay."""
    body = json.loads(with_events())
    body["chart"]["result"][0]["events"] = events
    answer = read_chart("yahoo", stock("X"), json.dumps(body).encode(), 0, NOW)
    assert (len(answer.bars), len(answer.problems)) == (2, 2)


# --- damage -----------------------------------------------------------------------------------------


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
def test_chart_without_any_readable_bar_is_malformed(body: bytes):
    """A wrong shape, another currency, and a chart without any readable bar are refused."""
    with pytest.raises(MalformedError):
        read_chart("yahoo", stock("X"), body, 0, NOW)


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        ("open", "the open of 2025-01-14 is null; expected a number"),
        ("volume", None),
    ],
)
def test_null_in_one_column_costs_the_bar_unless_it_is_the_volume(column: str, problem: str | None):
    """D9: a bar without an open cannot be used. A bar without a volume has the volume 0."""
    body = json.loads(chart_body([at(f"2025-01-{day}T08:00") for day in (13, 14, 15)], [1.0, 2.0, 3.0]))
    quote = body["chart"]["result"][0]["indicators"]["quote"][0]
    quote[column] = [quote[column][0], None, quote[column][2]]
    answer = read_chart("yahoo", stock("X"), json.dumps(body).encode(), 0, NOW)
    assert list(answer.bars.close) == ([1.0, 3.0] if problem else [1.0, 2.0, 3.0])
    assert answer.problems == ((problem,) if problem else ())


@pytest.mark.parametrize("volume", [None, "x", [1], {}])
def test_unreadable_volumes_cost_no_bars(volume: Any):
    """D9: if the whole column of volumes cannot be read, all volumes are 0, and a sentence says so."""
    body = json.loads(chart_body([at(f"2025-01-{day}T08:00") for day in (13, 14, 15)], [1.0, 2.0, 3.0]))
    body["chart"]["result"][0]["indicators"]["quote"][0]["volume"] = volume
    answer = read_chart("yahoo", stock("X"), json.dumps(body).encode(), 0, NOW)
    assert (list(answer.bars.close), list(answer.bars.volume)) == ([1.0, 2.0, 3.0], [0.0] * 3)
    assert "all volumes are 0" in answer.problems[0]


def test_rows_in_any_order_are_sorted():
    """D9: days in any order are sorted, and the last bar counts if a day was sent twice with nearly equal bars."""
    times = [at(f"2025-01-{day}T08:00") for day in (15, 13, 14, 13)]
    answer = read_chart("yahoo", stock("X"), chart_body(times, [3.0, 1.005, 2.0, 1.0]), 0, NOW)
    assert (list(answer.bars.close), answer.problems) == ([1.0, 2.0, 3.0], ())


def test_two_different_bars_of_one_day_cost_that_day():
    """D9: it is unknown which of two different bars is right, except for the newest day, whose last bar is complete."""
    times = [at(f"2025-01-{day}T08:00") for day in (13, 13, 14, 15, 15)]
    answer = read_chart("yahoo", stock("X"), chart_body(times, [9.0, 1.0, 2.0, 3.0, 3.5]), 0, NOW)
    assert list(answer.bars.close) == [2.0, 3.5]
    assert answer.problems == ("2025-01-13 has two different bars, and nothing shows which one is right",)


# --- clock changes at midnight (D8) -----------------------------------------------------------------


def transitions(name: str) -> Iterator[tuple[int, int, int]]:
    """Yield (Unix time, offset before, offset after) of all clock changes since 1970 in the package tzdata."""
    raw = files("tzdata.zoneinfo").joinpath(*name.split("/")).read_bytes()
    counts = struct.unpack(">6l", raw[20:44])
    utc, standard, leaps, times, types, characters = counts
    start = 44 + times * 5 + types * 6 + characters + leaps * 8 + standard + utc
    utc, standard, leaps, times, types, characters = struct.unpack(">6l", raw[start + 20 : start + 44])
    at_times = start + 44
    moments = struct.unpack(f">{times}q", raw[at_times : at_times + 8 * times])
    indexes = raw[at_times + 8 * times : at_times + 9 * times]
    table = at_times + 9 * times
    offsets = [struct.unpack(">l", raw[table + 6 * i : table + 6 * i + 4])[0] for i in range(types)]
    for place in range(1, times):
        if moments[place] > 2 * DAY:
            yield moments[place], offsets[indexes[place - 1]], offsets[indexes[place]]


def changes_at_midnight(name: str) -> list[tuple[int, int, int]]:
    """Return the clock changes of a zone around local midnight, by a multiple of 15 minutes up to two hours."""
    return [
        (moment, before, after)
        for moment, before, after in transitions(name)
        if 0 in {(moment + before) % DAY, (moment + after) % DAY}
        and before % 900 == after % 900 == 0
        and 0 < abs(after - before) <= 7_200
    ]


@cache
def zones() -> dict[str, list[tuple[int, int, int]]]:
    """Return the zones whose clocks ever changed at midnight, with these changes."""
    names = files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()
    found = {name: changes_at_midnight(name) for name in names}
    return {name: changes for name, changes in found.items() if changes}


def test_zones_that_change_at_midnight_are_found():
    """D8: the zones of this test include well-known zones that change their clocks at midnight."""
    assert {"America/Sao_Paulo", "America/Havana", "Asia/Beirut", "America/Asuncion", "Africa/Cairo"} <= zones().keys()
    assert len(zones()) > 80


@pytest.mark.parametrize("which", [0, 1], ids=["the offset before the change", "the offset after it"])
def test_bars_around_a_clock_change_at_midnight_have_their_own_dates(which: int):
    """D8: in every zone whose clocks ever changed at midnight, bars keep their dates, whichever offset was used.

    A midnight bar then has the local time 22:00, 23:00, 00:00, 01:00 or 02:00. Two bars never share a date.
    """
    for name, changes in zones().items():
        stamps: dict[int, int] = {}
        for moment, *offsets in changes:
            middle = datetime.fromtimestamp(moment, ZoneInfo(name)).date()
            for shift in range(-3, 4):
                day = (middle + timedelta(days=shift) - EPOCH).days
                stamps.setdefault(day, day * DAY - offsets[which])
        days = [day for day in sorted(stamps) if stamps[day] > 0]
        times = sorted(stamps[day] for day in days)
        answer = read_chart("yahoo", stock("X"), chart_body(times, [1.0] * len(times), name), 0, 4e9)
        assert list(answer.bars.days) == days, name
        assert answer.problems == (), name
