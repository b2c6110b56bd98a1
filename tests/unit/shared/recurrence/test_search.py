"""The search for due times: the same results as brute force, and a limited number of steps for every valid spec."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_shared.recurrence.build import build_recurrence
from financehub_shared.recurrence.calendar import CalendarHorizonError, DistantDueTimeError, load_calendar
from financehub_shared.recurrence.cron import Cron
from financehub_shared.recurrence.diagnosis import problems
from financehub_shared.recurrence.exclusions import WEEKDAYS
from financehub_shared.recurrence.interval import Interval
from financehub_shared.recurrence.recurrence import Recurrence

_DAY = 86_400
_NOW = int(datetime(2026, 11, 30, 18, tzinfo=UTC).timestamp())
#: Evaluations of rules that one question may take, whatever the spec is: one for each rejected candidate, those of the
#: first candidates of 16 lines, and those of the parts in which the newest due times are searched.
_EVALUATIONS = 3_000


def _clock(minute: int) -> str:
    return f"{minute // 60 % 24:02}:{minute % 60:02}"


def _windows(number: int) -> list[dict[str, Any]]:
    """Return windows that together cover the day."""
    edges = [1440 * index // number for index in range(number + 1)]
    return [{"from": _clock(begin), "to": _clock(end)} for begin, end in pairwise(edges)]


def _days_of_every_year() -> list[dict[str, Any]]:
    days = [f"{datetime(2000, 1, 1, tzinfo=UTC) + timedelta(days=number):%m-%d}" for number in range(366)]
    return [{"dates": days[begin : begin + 100]} for begin in range(0, 366, 100)]


_SECONDS = [f"*/{number} * * * * *" for number in range(1, 17)]
_INTERVALS = [f"@every {number}s" for number in range(1, 17)]
_NIGHTS = [f"{number} 3 * * *" for number in range(16)]
_YEARS = range(2025, 2033)
_LONG = "2026-01-01/2999-12-31"
#: Specs that took seconds or minutes, and their siblings: lines, exclude and other fields.
_SPECS: dict[str, tuple[list[str], list[dict[str, Any]], dict[str, Any]]] = {
    "seconds, windows cover the day": (_INTERVALS, _windows(16), {}),
    "cron seconds, windows cover the day": (_SECONDS, _windows(16), {"time_zone": "Europe/Berlin"}),
    "windows of one day each year": (_SECONDS, [entry | {"dates": ["12-24"]} for entry in _windows(16)], {}),
    "a range of a thousand years": (_INTERVALS, [{"dates": [_LONG]}], {"time_zone": "Europe/Berlin"}),
    "a thousand years of windows": (_SECONDS, [entry | {"dates": [_LONG]} for entry in _windows(16)], {}),
    "nights, windows, a thousand years": (_NIGHTS, [entry | {"dates": [_LONG]} for entry in _windows(16)], {}),
    "a window of each night": (_NIGHTS, [{"from": "02:00", "to": "04:00"}], {"time_zone": "Europe/Berlin"}),
    "a window that a clock change skips": (
        ["30 2 * * *"],
        [{"from": "02:00", "to": "03:00"}],
        {"time_zone": "Europe/Berlin"},
    ),
    "all weekdays one by one": (_SECONDS, [{"weekdays": [day]} for day in WEEKDAYS], {"time_zone": "America/Havana"}),
    "all days of every year": (_SECONDS, _days_of_every_year(), {}),
    "nights, all days of every year": (_NIGHTS, _days_of_every_year(), {"time_zone": "Australia/Lord_Howe"}),
    "intervals that drift": ([f"@every {_DAY + n}s" for n in range(1, 17)], [{"from": "00:01", "to": "00:00"}], {}),
    "days in UTC, another zone": (
        [f"@every 1d offset {n}m" for n in range(16)],
        [{"from": "23:00", "to": "04:00"}],
        {"time_zone": "Europe/Berlin"},
    ),
    "seconds, a calendar with weekends": (_SECONDS, [], {"calendar": "XNYS", "calendar_offset_seconds": 3600}),
    "seconds at the weekend, a calendar": ([f"{text[:-1]}SAT,SUN" for text in _SECONDS], [], {"calendar": "XTKS"}),
    "nights, a calendar": (_NIGHTS, [], {"calendar": "XNYS", "time_zone": "America/New_York"}),
    "seconds, a calendar, windows over its hours": (_SECONDS, _windows(16)[:15], {"calendar": "XNYS"}),
    "closes that are excluded": (["@open", "@close"], _windows(16), {"calendar": "XTKS"}),
    "holidays of many exchanges": (
        _NIGHTS,
        [{"holidays": name} for name in ("XNYS", "XLON", "XTKS", "XETR", "XASX")] + [{"from": "02:00", "to": "04:00"}],
        {"time_zone": "Europe/Berlin"},
    ),
    "ranges that follow each other": (
        _SECONDS,
        [
            entry
            | {"dates": [f"{year}-{month:02}-01/{year}-{month:02}-28" for year in _YEARS for month in range(1, 13)]}
            for entry in _windows(16)
        ],
        {},
    ),
}


@contextmanager
def _evaluations(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Count the evaluations of lines."""
    counted = [0]

    def counting(original: Callable[[Any, float], Any]) -> Callable[[Any, float], Any]:
        def next_after(self: Any, time: float) -> Any:
            counted[0] += 1
            return original(self, time)

        return next_after

    with monkeypatch.context() as patch:
        for rule in (Cron, Interval):
            patch.setattr(rule, "next_after", counting(rule.next_after))
        yield counted


_QUESTIONS: dict[str, Callable[[Recurrence], Any]] = {
    "next_after": lambda recurrence: recurrence.next_after(_NOW),
    "next_after, long ago": lambda recurrence: recurrence.next_after(0),
    "first of due_times": lambda recurrence: next(recurrence.due_times(_NOW, math.inf), None),
    "newest": lambda recurrence: recurrence.newest(1, _NOW - 366 * _DAY, _NOW),
    "newest 100": lambda recurrence: recurrence.newest(100, _NOW - 366 * _DAY, _NOW),
    "count": lambda recurrence: recurrence.count(_NOW - _DAY, _NOW, 100),
    "problems": problems,
}


@pytest.mark.parametrize("question", _QUESTIONS)
@pytest.mark.parametrize("spec", _SPECS)
def test_question_about_any_valid_spec_takes_a_limited_number_of_steps(
    spec: str, question: str, monkeypatch: pytest.MonkeyPatch
):
    """No spec blocks the event loop, however its lines, its exclusions and its calendar work against each other."""
    lines, exclude, fields = _SPECS[spec]
    recurrence = build_recurrence("uid", lines, exclude=exclude, **fields)
    # The suppressed error is a named outcome: the due time is beyond a calendar or the limit of steps.
    with _evaluations(monkeypatch) as counted, suppress(CalendarHorizonError):
        _QUESTIONS[question](recurrence)
    # The hours that a sentence names are read from 100 due times of each line.
    assert counted[0] <= _EVALUATIONS + (100 * len(lines) * 2 if question == "problems" else 0)


def test_search_that_ends_at_its_limit_says_so_and_until_when_nothing_is_due():
    """The end of the search is an error with words, and not an answer."""
    recurrence = build_recurrence("uid", [f"@every {_DAY + 1}s"], exclude=[{"from": "00:01", "to": "00:00"}])
    with pytest.raises(DistantDueTimeError) as caught:
        recurrence.next_after(_NOW)
    assert "the search for the next due time has ended there" in str(caught.value)
    assert "exclude less" in str(caught.value)
    assert not any(at % _DAY < 60 for at in range(_NOW, int(caught.value.searched)) if at % (_DAY + 1) == 0)
    (problem,) = problems(recurrence)
    assert "may never be due" in problem


def test_line_that_is_excluded_for_long_does_not_hide_the_due_time_of_another_line():
    """The lines are searched in the order of time, so only candidates before the due time are rejected."""
    recurrence = build_recurrence("uid", ["@every 86401s", "0 0 1 1 *"], exclude=[{"from": "00:01", "to": "00:00"}])
    assert recurrence.next_after(_NOW) == datetime(2027, 1, 1, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("line", "entry", "expected"),
    [
        ("30 2 * * *", {"from": "02:00", "to": "03:00"}, "2027-03-28T03:00"),
        ("0 9 * * *", {"dates": ["2026-01-01/2999-12-31"]}, "3000-01-01T09:00"),
        ("* 2 * * *", {"from": "02:00", "to": "03:00"}, None),
        ("*/5 * * * * *", {"weekdays": list(WEEKDAYS)}, None),
        ("0 3 * * SAT,SUN", {"weekdays": ["SAT", "SUN"]}, None),
    ],
)
def test_next_after_of_a_line_with_few_or_no_due_times_left_is_exact(line: str, entry: dict[str, Any], expected: str):
    """Days without a due time are skipped, and a due time that only a change of the clock makes is found."""
    zone = ZoneInfo("Europe/Berlin")
    recurrence = build_recurrence("uid", [line], time_zone=zone.key, exclude=[entry])
    found = recurrence.next_after(_NOW)
    local = None if found is None else datetime.fromtimestamp(found, zone).isoformat(timespec="minutes")[:16]
    assert local == expected


def test_next_after_finds_a_due_time_on_the_first_day_of_a_range_with_a_window_over_midnight():
    """The window of the first day reaches into the second one, and so the first morning is free of it."""
    later = {"dates": ["2026-12-01/2999-12-31"]}
    exclude = [
        {"dates": ["2026-01-01/2026-11-30"], "from": "02:00", "to": "05:00"},
        later | {"from": "22:00", "to": "06:00"},
        later | {"from": "02:30", "to": "03:30"},
    ]
    recurrence = build_recurrence("uid", ["0 3,4 * * *"], exclude=exclude)
    assert recurrence.next_after(_NOW - 30 * _DAY) == datetime(2026, 12, 1, 4, tzinfo=UTC).timestamp()


def test_due_time_after_a_holiday_window_over_two_midnights_is_kept():
    """A window over midnight is looked at again at the midnight of the schedule, because another day counts then."""
    exclude = [{"holidays": "XNYS", "from": "22:00", "to": "06:00"}]
    recurrence = build_recurrence("uid", ["0 * * * *"], exclude=exclude)
    begin = datetime(2026, 1, 1, 21, tzinfo=UTC).timestamp()
    assert recurrence.next_after(begin) == datetime(2026, 1, 2, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("count", [1, 7, 100])
def test_newest_after_an_outage_that_ends_in_an_excluded_period_is_exact(count: int):
    """The halves of a range have no gap and no overlap, also for a line that is due each second."""
    recurrence = build_recurrence("uid", ["@every 1s"], exclude=[{"dates": ["2026-12-24/2027-01-03"]}])
    begin, last = (int(datetime(2026, 12, day, tzinfo=UTC).timestamp()) for day in (10, 24))
    assert recurrence.newest(count, begin, begin + 23 * _DAY) == list(range(last - count, last))


_TIMES = ["00:00", "02:00", "02:30", "03:00", "06:00", "12:00", "15:30", "22:00"]
_ENTRY = st.builds(
    lambda days, window, dates, holidays: {
        name: value
        for name, value in (
            *(("weekdays", days), ("dates", dates), ("holidays", holidays)),
            *zip(("from", "to"), window or (None, None), strict=True),
        )
        if value is not None
    },
    st.none() | st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=6, unique=True),
    st.none() | st.tuples(st.sampled_from(_TIMES), st.sampled_from(_TIMES)).filter(lambda pair: pair[0] != pair[1]),
    st.none() | st.lists(st.sampled_from(["2026-10-25", "03-29", "2026-03-01/2026-04-05", "10-30"]), min_size=1),
    st.none() | st.sampled_from(["XNYS", "XTKS"]),
).filter(bool)
_LINES = [
    *("*/20 * * * *", "7 * * * *", "@every 23m", "0 2,9 * * *", "30 2 * * *", "*/30 2 * * *", "0 3 * * SAT"),
    *("@every 1d", "@every 12h", "@every 86401s", "0 16 1-7 * MON", "15 15 * * MON-FRI"),
]


@given(
    entries=st.lists(_ENTRY, max_size=4),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe"]),
    lines=st.lists(st.sampled_from(_LINES), min_size=1, max_size=3),
    calendar=st.none() | st.sampled_from(["XNYS", "XTKS", "FX"]),
    day=st.integers(0, 300),
    count=st.sampled_from([1, 5, 100]),
)
@settings(deadline=None, max_examples=150)
def test_answers_equal_a_filter_over_all_due_times(
    entries: list[dict[str, Any]], zone: str, lines: list[str], calendar: str | None, day: int, count: int
):
    """Skipped days, merged lines and halves of ranges change no due time: brute force asks for each candidate alone."""
    begin = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) + day * _DAY
    end = begin + 40 * _DAY
    recurrence = build_recurrence("uid", lines, time_zone=zone, exclude=entries, calendar=calendar)
    everything = {at for line in lines for at in build_recurrence("uid", [line], time_zone=zone).due_times(begin, end)}
    sessions = None if calendar is None else load_calendar(calendar)
    expected = [
        at
        for at in sorted(everything)
        if (sessions is None or sessions.is_open(at)) and all(each.until(at) is None for each in recurrence.exclusions)
    ]
    assert list(recurrence.due_times(begin, end)) == expected
    assert recurrence.newest(count, begin, end) == expected[-count:]
    assert recurrence.newest(count, begin + 0.5, end + 0.5) == [at for at in expected if at > begin + 0.5][-count:]
    assert recurrence.count(begin, end, 10_000) == len(expected)
    if expected:
        assert recurrence.next_after(begin) == expected[0]
