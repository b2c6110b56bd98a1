"""Exchange calendars: the committed table, and dates before and after it."""

import importlib.util
from datetime import date, datetime
from pathlib import Path
from types import ModuleType
from zoneinfo import ZoneInfo

import pytest

from financehub_shared.recurrence.calendar import CalendarHorizonError, exchanges, load_calendar
from financehub_shared.recurrence.recurrence import Recurrence
from financehub_shared.recurrence.rules import parse_rule

#: exchange_calendars 4.13 uses deprecated parts of pandas 3.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ROOT = Path(__file__).parents[4]


def at(text: str, zone: str = "America/New_York") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_calendars", ROOT / "services/scheduler/tools/make_calendars.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_committed_table_equals_the_generated_one(generator: ModuleType):
    """`make calendars` for the same days reproduces the committed table."""
    committed = generator.TARGET.read_text(encoding="utf-8")
    first, last = (date.fromisoformat(committed.split(f'"{edge}": "')[1][:10]) for edge in ("first", "last"))
    assert generator.render(generator.build(first, last)) == committed


@pytest.mark.parametrize("exchange", ["XNYS", "XTKS", "XHKG", "XETR"])
def test_sessions_equal_those_of_exchange_calendars(exchange: str):
    """Every session's open and close equal those of exchange_calendars to the second."""
    import exchange_calendars
    import pandas as pd

    theirs = exchange_calendars.get_calendar(exchange, start="2025-01-01", end="2027-12-31").schedule
    expected = []
    for _, row in theirs.iterrows():
        edges = ["open", "close"] if pd.isna(row["break_start"]) else ["open", "break_start", "break_end", "close"]
        stamps = [int(row[edge].timestamp()) for edge in edges]
        expected += list(zip(stamps[::2], stamps[1::2], strict=True))
    ours = load_calendar(exchange)
    assert list(zip(ours.opens, ours.closes, strict=True))[: len(expected)] == expected


@pytest.mark.parametrize(
    ("exchange", "zone", "time", "open_"),
    [
        ("XNYS", "America/New_York", "2026-11-25T09:30", True),
        ("XNYS", "America/New_York", "2026-11-25T09:29:59", False),
        ("XNYS", "America/New_York", "2026-11-25T15:59:59", True),
        ("XNYS", "America/New_York", "2026-11-25T16:00", False),
        ("XNYS", "America/New_York", "2026-11-26T12:00", False),  # Thanksgiving
        ("XNYS", "America/New_York", "2026-11-27T12:59", True),  # the day after closes at 13:00
        ("XNYS", "America/New_York", "2026-11-27T13:00", False),
        ("XNYS", "America/New_York", "2026-11-28T12:00", False),  # Saturday
        ("XHKG", "Asia/Hong_Kong", "2026-11-25T12:30", False),  # lunch
        ("XHKG", "Asia/Hong_Kong", "2026-11-25T13:00", True),
        ("XTKS", "Asia/Tokyo", "2026-11-25T15:29", True),  # longer since November 2024
    ],
)
def test_is_open_at_edges_holidays_and_lunch(exchange: str, zone: str, time: str, open_: bool):
    """An exchange is open from a session's start until just before its end, but not on holidays or during lunch."""
    assert load_calendar(exchange).is_open(at(time, zone)) is open_


def test_due_times_with_calendar_are_within_sessions():
    """A schedule with a calendar is due only while the exchange is open, even across weekends and holidays."""
    recurrence = Recurrence((parse_rule("@every 1h", ZoneInfo("UTC")),), load_calendar("XNYS"))
    found = list(recurrence.due_times(at("2026-11-25T14:30"), at("2026-11-30T10:00")))
    local = [
        datetime.fromtimestamp(due, ZoneInfo("America/New_York")).isoformat(timespec="minutes")[:16] for due in found
    ]
    assert local == [
        *("2026-11-25T15:00", "2026-11-27T10:00", "2026-11-27T11:00", "2026-11-27T12:00", "2026-11-30T10:00"),
    ]


def test_next_after_without_any_open_session_is_none():
    """A nightly schedule with a daytime exchange has no due time, and the search for one terminates."""
    recurrence = Recurrence(
        (parse_rule("0 3 * * *", ZoneInfo("America/New_York")),), load_calendar("XNYS"), end=at("2029-01-01T00:00")
    )
    assert recurrence.next_after(at("2026-11-25T00:00")) is None


def test_calendar_outside_the_table_raises():
    """A day outside the table raises an error that names the table's first and last day."""
    calendar = load_calendar("XNYS")
    for method in (calendar.is_open, calendar.next_open):
        with pytest.raises(CalendarHorizonError, match="XNYS covers only the days from 2025-01-01 to 2031-12-31"):
            method(calendar.end)
        with pytest.raises(CalendarHorizonError):
            method(calendar.first - 1)


def test_due_times_up_to_the_end_of_the_table_are_complete():
    """All due times up to the end of the table are found. A range that exceeds the table raises an error."""
    calendar = load_calendar("XNYS")
    recurrence = Recurrence((parse_rule("@hourly", ZoneInfo("UTC")),), calendar)
    assert list(recurrence.due_times(calendar.end - 86_400, calendar.end - 1))
    with pytest.raises(CalendarHorizonError):
        list(recurrence.due_times(calendar.end - 86_400, calendar.end + 1))


def test_load_calendar_of_an_unknown_exchange_names_the_known_ones():
    """The error for an unknown exchange lists the known ones."""
    with pytest.raises(ValueError, match="XNYS"):
        load_calendar("NYSE")
    assert {"XNYS", "XNAS", "XLON", "XETR", "XPAR", "XTKS", "XHKG", "XTSE", "XASX", "XSWX"} <= set(exchanges())
