"""What a message proposes for a line that is never due does help."""

import re
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_shared.recurrence.build import build_recurrence
from financehub_shared.recurrence.calendar import load_calendar
from financehub_shared.recurrence.diagnosis import problems
from financehub_shared.recurrence.remedies import closed_remedy

_NAMES = ("XNYS", "XTKS", "XLON", "FX")
_SET_ZONE = "set timeZone: "


def remedy(line: str, calendar: str, **fields: Any) -> str:
    return closed_remedy(build_recurrence("uid", [line], calendar=calendar, **fields), load_calendar(calendar))


@pytest.mark.parametrize(
    ("line", "calendar", "expected"),
    [
        ("0 3 * * *", "XNYS", "write a time within these hours"),
        ("0 10 * * *", "XNYS", "write a time within these hours, set timeZone: America/New_York"),
        ("0 10 * * SAT", "XNYS", "write other days"),
        ("0 10 25 12 *", "XNYS", "write other days"),
        ("0 3 13 * FRI", "XNYS", "write a time within these hours"),
        ("@daily", "XNYS", "write a time within these hours"),
        ("@every 1d", "XNYS", "write '@every 1d offset 17h'"),
        ("@every 1d offset 1h", "XNYS", "write '@every 1d offset 17h'"),
        ("@every 12h offset 11h", "XNYS", "write '@every 12h offset 5h'"),
    ],
)
def test_remedy_of_a_line_proposes_what_helps(line: str, calendar: str, expected: str):
    """The zone is proposed if the line is due in it, other days if no time helps, and an offset for an interval."""
    assert remedy(line, calendar) == expected


@given(
    st.integers(0, 23),
    st.sampled_from(["*", "SAT", "SUN", "MON", "FRI"]),
    st.sampled_from(["*", "25", "1"]),
    st.sampled_from(["*", "12"]),
    st.sampled_from(_NAMES),
    st.sampled_from(["UTC", "Asia/Tokyo", "America/New_York", "Pacific/Auckland"]),
    st.sampled_from(["Any", "All"]),
)
@settings(deadline=None, max_examples=60)
def test_problems_of_any_closed_line_propose_a_zone_exactly_if_it_helps(
    hour: int, weekday: str, day: str, month: str, calendar: str, zone: str, day_match: str
):
    """Whatever the line, the message proposes the zone of the exchange if and only if the line is due in it."""
    fields = {"calendar": calendar, "day_match": day_match}
    line = [f"0 {hour} {day} {month} {weekday}"]
    found = problems(build_recurrence("uid", line, time_zone=zone, **fields))
    exchange = load_calendar(calendar).zone.key
    helps = exchange != zone and not problems(build_recurrence("uid", line, time_zone=exchange, **fields))
    assert all((f"{_SET_ZONE}{exchange}" in text) is helps for text in found)
    for text in found:
        whole_day = [f"*/5 * {day} {month} {weekday}"]
        is_closed = bool(problems(build_recurrence("uid", whole_day, time_zone=zone, **fields)))
        assert ("write other days" in text) is is_closed


@given(
    st.sampled_from(["1d", "2d", "7d", "12h", "30d"]),
    st.integers(0, 23),
    st.sampled_from(_NAMES),
    st.sampled_from([None, "2027-01-02T03:00:00+00:00"]),
)
@settings(deadline=None, max_examples=60)
def test_problems_of_any_closed_interval_propose_one_that_is_due(
    length: str, hour: int, calendar: str, start: str | None
):
    """The proposed interval is due while the exchange is open, also if it counts from `startTime`."""
    fields = {"calendar": calendar, "start_time": datetime.fromisoformat(start) if start else None}
    line = f"@every {length} offset {hour % 12}h" if hour % 12 else f"@every {length}"
    for text in problems(build_recurrence("uid", [line], **fields)):
        assert _SET_ZONE not in text
        proposed = re.search(r": write '(@every [^']+)'", text)
        assert proposed, text
        assert problems(build_recurrence("uid", [proposed[1]], **fields)) == []


@pytest.mark.parametrize(
    ("line", "window", "zone", "is_due"),
    [
        # The end of the gap is outside of the window, so the line is due once a year.
        ("30 2 * * *", ("02:00", "03:00"), "America/New_York", True),
        ("30 2 * * *", ("02:00", "03:01"), "America/New_York", False),
        ("*/30 2 * * *", ("02:00", "03:00"), "America/New_York", False),
        ("30 2 * * *", ("02:00", "03:00"), "UTC", False),
        ("15 2 * * *", ("02:00", "02:30"), "Europe/Berlin", True),
        # In this zone, clocks changed from 1986 to 1991 only.
        ("30 2 * * *", ("02:00", "03:00"), "Asia/Shanghai", False),
    ],
)
def test_problems_of_a_line_that_the_clock_moves_out_of_the_window_agree_with_its_due_times(
    line: str, window: tuple[str, str], zone: str, is_due: bool
):
    """The exclusion means the local time at the due time, and the message never contradicts the next due time."""
    begin, end = window
    recurrence = build_recurrence("uid", [line], time_zone=zone, exclude=[{"from": begin, "to": end}])
    assert (recurrence.next_after(1_798_000_000) is not None) is is_due
    assert (problems(recurrence) == []) is is_due
