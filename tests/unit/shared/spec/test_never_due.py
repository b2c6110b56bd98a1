"""The pattern with which the API server finds days that no month has, against the parser of the scheduler."""

import re
from collections.abc import Iterator

import pytest

from financehub_shared.recurrence.cron_fields import parse_fields
from financehub_shared.spec.cel.never_due import never_due_days

_PATTERN = re.compile(rf"(?i){never_due_days()}")
_SPECIAL = ("L", "LW", *(f"L-{before}{w}" for before in (1, 27, 28, 29, 30) for w in ("", "W")), "29W", "30W", "31W")


def entries(first: int, last: int) -> Iterator[str]:
    """Yield all values, ranges and steps of a field."""
    for start in range(first, last + 1):
        yield str(start)
        yield from (f"{start}/{step}" for step in range(1, last + 3))
        for end in range(first, last + 1):
            yield f"{start}-{end}"
            yield from (f"{start}-{end}/{step}" for step in range(1, last + 3))


def is_never_due(day: str, month: str) -> bool:
    """Whether the scheduler refuses the days as never due."""
    try:
        parse_fields(f"0 0 {day} {month} *", "Any")
    except ValueError as error:
        return "never comes" in str(error)
    return False


def disagreements(pairs: Iterator[tuple[str, str]]) -> list[str]:
    """Return the days of which the pattern and the scheduler say different things."""
    return [
        f"{day} {month}"
        for day, month in pairs
        if bool(_PATTERN.fullmatch(f"{day} {month}")) != is_never_due(day, month)
    ]


@pytest.mark.parametrize("month", ["1", "FEB", "sep", "2,4", "2,3"])
def test_pattern_of_never_due_days_knows_each_day_of_a_month(month: str) -> None:
    """The pattern matches exactly those days of the month, ranges and steps that the months do not have."""
    days = (day for day in entries(1, 31) if int(re.split("[-/]", day)[0]) >= 28)
    assert disagreements((day, month) for day in [*days, *_SPECIAL, "30,31", "29,30", "31,1"]) == []


@pytest.mark.parametrize("day", ["29", "30", "31", "30,31", "30-31", "31W", "L-30", "L-29W", "31-1/2"])
def test_pattern_of_never_due_days_knows_each_range_of_months(day: str) -> None:
    """The pattern matches exactly those ranges and steps of months that do not have the day."""
    assert disagreements((day, month) for month in [*entries(1, 12), "FEB-apr/2", "JUN-Sep/3", "NOV-FEB/3"]) == []


def test_pattern_of_never_due_days_with_long_steps_and_zeros() -> None:
    """Leading zeros and steps of any length do not change what the pattern says."""
    texts = ("0031", "31/1000", "031-05/0000006", "31-5/99999999999999999999", "30-1/031")
    assert disagreements((day, month) for day in texts for month in ("002", "2/00011", "4-9/100", "2-2/0005")) == []
