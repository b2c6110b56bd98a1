"""`@open` and `@close`, the calendar's offset, and the market of currencies."""

from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from financehub_shared.recurrence.build import build_recurrence
from financehub_shared.recurrence.calendar import CalendarHorizonError, exchanges, load_calendar
from financehub_shared.recurrence.rules import parse_rule

NEW_YORK = "America/New_York"


def at(text: str, zone: str = NEW_YORK) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def due(lines: list[str], after: str, count: int, zone: str = NEW_YORK, **fields: object) -> list[str]:
    recurrence = build_recurrence("uid", lines, **fields)  # type: ignore[arg-type]
    found = islice(recurrence.due_times(at(after, zone), load_calendar(str(fields["calendar"])).end - 1), count)
    return [datetime.fromtimestamp(time, ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M") for time in found]


def test_open_and_close_follow_holidays_and_early_closes():
    """`@open` and `@close` are the edges of each session day: none on Thanksgiving, and an early close after it."""
    assert due(["@open"], "2026-11-25T00:00", 3, calendar="XNYS") == [
        *("2026-11-25T09:30", "2026-11-27T09:30", "2026-11-30T09:30"),
    ]
    assert due(["@close"], "2026-11-25T00:00", 3, calendar="XNYS") == [
        *("2026-11-25T16:00", "2026-11-27T13:00", "2026-11-30T16:00"),
    ]


def test_open_and_close_of_a_day_with_a_lunch_break_are_the_first_and_the_last():
    """A lunch break is not a close: a day has one opening and one close."""
    lines = ["@open", "@close"]
    assert due(lines, "2026-11-25T00:00", 3, zone="Asia/Hong_Kong", calendar="XHKG") == [
        *("2026-11-25T09:30", "2026-11-25T16:00", "2026-11-26T09:30"),
    ]


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        (900, ["2026-11-25T16:15", "2026-11-27T13:15"]),
        (-900, ["2026-11-25T15:45", "2026-11-27T12:45"]),
        (86_400, ["2026-11-25T16:00", "2026-11-26T16:00", "2026-11-28T13:00"]),
    ],
)
def test_calendar_offset_moves_the_close_of_early_closes_too(offset: int, expected: list[str]):
    """`@close` with an offset is that long after or before each close, whenever the close is."""
    found = due(["@close"], "2026-11-25T00:00", len(expected), calendar="XNYS", calendar_offset_seconds=offset)
    assert found == expected


def test_calendar_offset_moves_the_sessions_in_which_other_lines_are_due():
    """With an offset of an hour, hourly due times are those from 10:30 to 17:00 in New York."""
    found = due(["@hourly"], "2026-11-25T00:00", 8, calendar="XNYS", calendar_offset_seconds=3_600)
    assert [time[11:] for time in found] == [f"{hour}:00" for hour in (11, 12, 13, 14, 15, 16, 11, 12)]
    assert found[6] == "2026-11-27T11:00"


def test_calendar_offset_moves_the_range_that_the_table_covers():
    """A moved calendar knows its sessions from the moved beginning to the moved end of the table."""
    calendar, moved = load_calendar("XNYS"), load_calendar("XNYS", -900)
    assert (moved.first, moved.end) == (calendar.first - 900, calendar.end - 900)
    assert not moved.is_open(calendar.first - 900)
    with pytest.raises(CalendarHorizonError):
        moved.is_open(calendar.end - 900)


def test_lines_of_both_kinds_are_united():
    """A schedule with `@close` and a cron line is due at both, and the close is due although the exchange is closed."""
    found = due(["@close", "0 15 * * *"], "2026-11-25T00:00", 4, time_zone=NEW_YORK, calendar="XNYS")
    assert found == ["2026-11-25T15:00", "2026-11-25T16:00", "2026-11-27T13:00", "2026-11-30T15:00"]


def test_next_after_at_the_end_of_the_table_gives_the_known_times_and_then_an_error():
    """An opening beyond the table does not hide the due times before the end of the table."""
    calendar = load_calendar("XNYS")
    recurrence = build_recurrence("uid", ["@open", "0 15 * * *"], time_zone=NEW_YORK, calendar="XNYS")
    last = calendar.day_opens[-1]
    assert recurrence.next_after(last - 1) == last
    assert recurrence.next_after(last) == last + 5 * 3_600 + 1_800
    with pytest.raises(CalendarHorizonError):
        recurrence.next_after(last + 6 * 3_600)
    assert list(recurrence.due_times(last - 1, calendar.end - 1)) == [last, last + 5 * 3_600 + 1_800]


@pytest.mark.parametrize("line", ["@open", "@close"])
def test_open_and_close_without_a_calendar_are_refused(line: str):
    """The error says which field is missing."""
    with pytest.raises(ValueError, match=f"'{line}' needs a calendar; add one, such as calendar: XNYS"):
        build_recurrence("uid", [line])


def test_calendar_offset_without_a_calendar_is_refused():
    """An offset has no meaning without a calendar."""
    with pytest.raises(ValueError, match="calendarOffsetSeconds needs a calendar; add one"):
        build_recurrence("uid", ["@hourly"], calendar_offset_seconds=60)


def test_alias_in_capitals_gets_its_spelling():
    """The error for an alias in the wrong case has the right one."""
    with pytest.raises(ValueError, match="'@Close' is unknown; write '@close'"):
        parse_rule("@Close", ZoneInfo("UTC"))


def test_fx_is_open_from_sunday_to_friday_in_new_york_without_a_break():
    """The market of currencies has one session a week, also over a change of the clocks."""
    assert due(["@open", "@close"], "2026-10-31T00:00", 4, calendar="FX") == [
        *("2026-11-01T17:00", "2026-11-06T17:00", "2026-11-08T17:00", "2026-11-13T17:00"),
    ]
    calendar = load_calendar("FX")
    for text, expected in (
        ("2026-11-01T16:59:59", False),
        ("2026-11-01T17:00", True),
        ("2026-11-03T17:00", True),
        ("2026-12-25T12:00", True),
        ("2026-11-06T16:59:59", True),
        ("2026-11-06T17:00", False),
        ("2026-11-07T12:00", False),
        ("2025-01-01T00:00", True),
    ):
        assert calendar.is_open(at(text)) is expected, text


@pytest.mark.parametrize(
    ("exchange", "zone", "time", "expected"),
    [
        ("XKRX", "Asia/Seoul", "2026-11-25T15:29", True),
        ("XKRX", "Asia/Seoul", "2026-11-25T15:30", False),
        ("XKRX", "Asia/Seoul", "2026-09-25T10:00", False),  # Chuseok
        ("XSHG", "Asia/Shanghai", "2026-11-25T11:45", False),  # lunch
        ("XSHG", "Asia/Shanghai", "2026-11-25T14:59", True),
        ("XSHG", "Asia/Shanghai", "2026-10-01T10:00", False),  # National Day
        ("XBOM", "Asia/Kolkata", "2026-11-25T09:15", True),
        ("XBOM", "Asia/Kolkata", "2026-01-26T10:00", False),  # Republic Day
        ("XSES", "Asia/Singapore", "2026-11-25T16:59", True),
        ("XSES", "Asia/Singapore", "2026-02-17T10:00", False),  # Lunar New Year
    ],
)
def test_new_exchanges_have_their_hours_and_holidays(exchange: str, zone: str, time: str, expected: bool):
    """Korea, Shanghai, Bombay and Singapore are open in their hours, and closed on their holidays."""
    assert load_calendar(exchange).is_open(at(time, zone)) is expected


def test_calendar_of_an_exchange_that_announces_its_holidays_late_ends_earlier():
    """A day for which no holidays are known is an error that says which days are known and what to do meanwhile."""
    with pytest.raises(CalendarHorizonError) as caught:
        load_calendar("XSHG").is_open(at("2027-01-04T10:00", "Asia/Shanghai"))
    assert str(caught.value) == (
        "calendar XSHG covers only the days from 2025-01-01 to 2026-12-31; use times within these days, or, until a "
        "release with more days is installed, remove the calendar and exclude the holidays as dates"
    )


@pytest.mark.parametrize("name", exchanges())
def test_sessions_of_every_calendar_ascend_and_belong_to_their_days(name: str):
    """Sessions do not overlap, and each day opens with its first session and closes with its last one."""
    calendar = load_calendar(name)
    edges = [edge for session in zip(calendar.opens, calendar.closes, strict=True) for edge in session]
    assert edges == sorted(set(edges))
    assert set(calendar.day_opens) <= set(calendar.opens)
    assert set(calendar.day_closes) <= set(calendar.closes)
    assert len(calendar.day_opens) == len(calendar.day_closes)
