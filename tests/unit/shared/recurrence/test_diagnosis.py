"""Sentences about lines that can never be due."""

from datetime import UTC, datetime
from typing import Any

import pytest

from financehub_shared.recurrence.build import build_recurrence
from financehub_shared.recurrence.calendar import load_calendar
from financehub_shared.recurrence.diagnosis import problems


def found(lines: list[str], **fields: Any) -> list[str]:
    return problems(build_recurrence("uid", lines, **fields))


@pytest.mark.parametrize(
    ("lines", "fields"),
    [
        (["0 3 * * *"], {}),
        (["0 10 * * *", "@close", "@open"], {"calendar": "XNYS", "time_zone": "America/New_York"}),
        (["0 10 * * *"], {"exclude": [{"weekdays": ["SAT", "SUN"]}, {"holidays": "XNYS"}]}),
        (["@hourly"], {"calendar": "XSHG", "exclude": [{"holidays": "XNYS"}]}),
        (["0 0 29 2 *"], {"exclude": [{"dates": ["2028-02-29"]}]}),
        ([], {"calendar": "XNYS", "exclude": [{"weekdays": ["SUN"]}]}),
        # The calendars do not say anything about this time.
        (["@hourly"], {"calendar": "XNYS", "start_time": datetime(2040, 1, 1, tzinfo=UTC)}),
        # It is over, but neither the calendar nor exclude is the reason.
        (
            ["@yearly"],
            {"end_time": datetime.fromisoformat("1969-01-02T00:00:00+00:00"), "exclude": [{"dates": ["06-06"]}]},
        ),
    ],
)
def test_problems_of_lines_that_are_due_at_some_time_are_none(lines: list[str], fields: dict[str, Any]):
    """A line that is ever due, or of which nothing is known, is not a problem."""
    assert found(lines, **fields) == []


def test_problems_of_a_line_outside_of_all_sessions_name_its_hours_and_those_of_the_exchange():
    """The sentence has the line, its time, the hours of the exchange in the same zone and the remedies."""
    (problem,) = found(["0 3 * * *", "0 15 * * *"], calendar="XNYS")
    assert problem == (
        "'0 3 * * *' is never due, because XNYS is closed at all of its due times (03:00 UTC); it is open from 13:30 "
        "to 20:00 or from 14:30 to 21:00 UTC: write a time within these hours, or remove calendar"
    )


def test_problems_of_a_line_on_a_weekday_without_sessions_name_the_weekday():
    """If the weekday is the reason, the sentence has it. In the zone of the exchange, no other zone is advised."""
    (problem,) = found(["0 12 * * SAT"], calendar="XTKS", time_zone="Asia/Tokyo")
    assert problem == (
        "'0 12 * * SAT' is never due, because XTKS is closed at all of its due times (SAT 12:00 Asia/Tokyo); it is "
        "open from 09:00 to 11:30 or from 12:30 to 15:30 Asia/Tokyo: write other days, or remove calendar"
    )


def test_problems_of_a_line_in_the_break_of_the_week_name_the_days_of_the_session():
    """A session that takes days is named with its weekdays."""
    (problem,) = found(["0 12 * * SAT"], calendar="FX", time_zone="America/New_York")
    assert "it is open from SUN 17:00 to FRI 17:00 America/New_York: write" in problem


@pytest.mark.parametrize(
    ("lines", "fields", "hours"),
    [
        (["0 3,4 * * *"], {"exclude": [{"from": "02:00", "to": "05:00"}]}, " (03:00 and 04:00 UTC)"),
        (["0 9 * * SAT"], {"exclude": [{"weekdays": ["SAT"]}]}, " (SAT 09:00 UTC)"),
        (["* * * * *"], {"exclude": [{"from": "00:00", "to": "12:00"}, {"from": "12:00", "to": "00:00"}]}, ""),
        (["@close"], {"exclude": [{"from": "10:00", "to": "23:00"}], "calendar": "XNYS"}, ""),
        (
            ["0 9 1 1 *"],
            {"exclude": [{"holidays": "XNYS"}, {"weekdays": ["SAT", "SUN"]}]},
            " from 2025 to 2031 (09:00 UTC)",
        ),
    ],
)
def test_problems_of_a_line_that_exclude_removes_say_so(lines: list[str], fields: dict[str, Any], hours: str):
    """The sentence has the line, its times if they are few, and the remedy."""
    (problem,) = found(lines, **fields)
    reason, _, remedy = problem.partition("; ")
    assert reason == f"{lines[0]!r} is never due, because exclude removes all of its due times{hours}"
    assert remedy == "change the line or the entries of exclude"


def test_problems_of_a_schedule_whose_limits_are_excluded_are_found():
    """A line whose only due times between the start and the end are excluded is never due."""
    limits = {
        name: datetime.fromisoformat(f"{day}T00:00:00+00:00")
        for name, day in (("start_time", "2026-12-24"), ("end_time", "2026-12-26"))
    }
    entries = [{"dates": ["2026-12-20/2027-01-02"]}]
    assert len(found(["0 9 * * *"], exclude=entries, **limits)) == 1
    assert found(["0 9 * * *"], exclude=entries) == []


def test_problems_do_not_depend_on_the_offset_of_the_calendar():
    """A moved session counts where it has been moved to."""
    assert found(["0 18 * * *"], calendar="XNYS", time_zone="America/New_York")
    offset = {"calendar_offset_seconds": 3 * 3_600}
    assert found(["0 18 * * *"], calendar="XNYS", time_zone="America/New_York", **offset) == []
    assert load_calendar("XNYS", 3 * 3_600).moved_by == 3 * 3_600
