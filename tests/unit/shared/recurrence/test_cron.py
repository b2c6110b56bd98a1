"""Cron expressions around the oddest clock changes, compared with brute force over every minute."""

from datetime import datetime
from functools import cache
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_shared.recurrence.recurrence import Recurrence
from financehub_shared.recurrence.rules import Rule, parse_rule
from support import recurrence_oracle

#: Zones with ordinary changes, and with changes of half an hour, two hours, three hours and a day, at midnight, in the
#: minute after it and in Ramadan.
ZONES = [
    *("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"),
    *("Australia/Lord_Howe", "Antarctica/Troll", "Antarctica/Casey", "Pacific/Apia", "Pacific/Kwajalein"),
    *("America/Havana", "Asia/Beirut", "America/Sao_Paulo", "America/St_Johns", "Africa/Casablanca", "Asia/Gaza"),
]
_BEGIN, _END = (int(datetime.fromisoformat(f"{year}-01-01T00:00:00+00:00").timestamp()) for year in (1985, 2041))
_HOUR = 3_600


@cache
def clock_changes(zone: str) -> list[int]:
    # A zone without changes is looked at around any instant.
    return recurrence_oracle.changes(ZoneInfo(zone), _BEGIN, _END) or [1_796_083_200]


def _numbers(first: int, last: int) -> st.SearchStrategy[str]:
    value = st.integers(first, last).map(str)
    step = st.integers(1, last).map(lambda number: f"/{number}")
    span = st.tuples(value, value).map("-".join)
    return st.one_of(
        st.just("*"),
        step.map(lambda text: f"*{text}"),
        value,
        span,
        st.tuples(span, step).map("".join),
        st.lists(value, min_size=2, max_size=3).map(",".join),
    )


_DAYS = st.one_of(
    st.just("*"), _numbers(1, 31), st.sampled_from(["L", "LW", "L-3", "15W", "1W,31W", "L-2W", "28-3", "13,L"])
)
_WEEKDAYS = st.one_of(
    st.just("*"), _numbers(0, 7), st.sampled_from(["FRI-MON", "SAT-SUN", "SUN#1", "SUNL", "6#2,5L", "MON-FRI"])
)
_SECONDS = st.sampled_from(["", "", "", "0 ", "*/20 ", "50-10/7 "])
_EXPRESSIONS = st.builds(
    "{}{} {} {} {} {}".format,
    _SECONDS,
    _numbers(0, 59),
    _numbers(0, 23),
    _DAYS,
    st.sampled_from(["*", "*", "3-11", "OCT-APR"]),
    _WEEKDAYS,
)


def parsed(expression: str, zone: str, day_match: str) -> Rule | None:
    try:
        return parse_rule(expression, ZoneInfo(zone), day_match=day_match)
    except ValueError:
        return None  # the days never come, or do not combine


@given(
    _EXPRESSIONS,
    st.sampled_from(ZONES),
    st.sampled_from(["Any", "All"]),
    st.randoms(use_true_random=False),
)
@settings(deadline=None, max_examples=30)
def test_due_times_around_a_clock_change_equal_brute_force(expression: str, zone: str, day_match: str, random: Random):
    """Around any clock change, the due times are those of the definition, whatever instant is asked from.

    They ascend and are whole seconds, and the question from any instant gives the same remaining sequence.
    """
    rule = parsed(expression, zone, day_match)
    if rule is None:
        return
    change = random.choice(clock_changes(zone))
    reach = 2 * _HOUR if len(expression.split()) == 6 else 27 * _HOUR
    begin, end = change - random.randint(1, reach), change + random.randint(1, reach)
    expected = recurrence_oracle.due_times(expression, ZoneInfo(zone), begin, end, day_match)
    assert list(Recurrence((rule,)).due_times(begin, end)) == expected
    assert all(before < after for before, after in pairwise(expected))
    for _ in range(5):
        instant = random.uniform(begin, end)
        later = [due for due in expected if due > instant]
        assert list(Recurrence((rule,)).due_times(instant, end)) == later


@pytest.mark.parametrize(
    ("expression", "zone", "begin", "end", "expected"),
    [
        pytest.param(
            "0 */4 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T22:00:00+10:30",
            "2026-10-04T11:30:00+11:00",
            ["2026-10-04T00:00:00+10:30", "2026-10-04T04:00:00+11:00", "2026-10-04T08:00:00+11:00"],
            id="half-an-hour-forward",
        ),
        pytest.param(
            "*/15 1-2 * * *",
            "Australia/Lord_Howe",
            "2026-04-05T01:20:00+11:00",
            "2026-04-05T02:20:00+10:30",
            [
                *("2026-04-05T01:30:00+11:00", "2026-04-05T01:45:00+11:00", "2026-04-05T01:30:00+10:30"),
                *("2026-04-05T01:45:00+10:30", "2026-04-05T02:00:00+10:30", "2026-04-05T02:15:00+10:30"),
            ],
            id="half-an-hour-back",
        ),
        pytest.param(
            "30 9,17 * * *",
            "Pacific/Apia",
            "2011-12-29T12:00:00-10:00",
            "2011-12-31T12:00:00+14:00",
            ["2011-12-29T17:30:00-10:00", "2011-12-31T00:00:00+14:00", "2011-12-31T09:30:00+14:00"],
            id="a-skipped-day-gives-one-due-time",
        ),
        pytest.param(
            "0 */6 * * *",
            "Pacific/Apia",
            "2011-12-29T12:00:00-10:00",
            "2011-12-31T08:00:00+14:00",
            ["2011-12-29T18:00:00-10:00", "2011-12-31T00:00:00+14:00", "2011-12-31T06:00:00+14:00"],
            id="a-skipped-day-adds-nothing-to-a-starred-hour",
        ),
        pytest.param(
            "0 0 * * *",
            "America/Havana",
            "2026-03-07T12:00:00-05:00",
            "2026-03-09T12:00:00-04:00",
            ["2026-03-08T01:00:00-04:00", "2026-03-09T00:00:00-04:00"],
            id="midnight-is-skipped",
        ),
        pytest.param(
            "*/30 0 * * *",
            "America/Havana",
            "2026-03-07T12:00:00-05:00",
            "2026-03-09T12:00:00-04:00",
            ["2026-03-09T00:00:00-04:00", "2026-03-09T00:30:00-04:00"],
            id="a-starred-minute-has-nothing-in-a-gap",
        ),
        pytest.param(
            "0,30 0,1 * * *",
            "America/Havana",
            "2026-10-31T12:00:00-04:00",
            "2026-11-01T12:00:00-05:00",
            [
                *("2026-11-01T00:00:00-04:00", "2026-11-01T00:30:00-04:00"),
                *("2026-11-01T01:00:00-05:00", "2026-11-01T01:30:00-05:00"),
            ],
            id="a-repeated-midnight-counts-once",
        ),
        pytest.param(
            "5,50 23 * * *",
            "America/St_Johns",
            "2010-11-06T12:00:00-02:30",
            "2010-11-07T12:00:00-03:30",
            ["2010-11-06T23:05:00-02:30", "2010-11-06T23:50:00-02:30"],
            id="the-day-before-is-repeated",
        ),
        pytest.param(
            "5-50/15 * 31 * SUN",
            "America/St_Johns",
            "2010-11-06T23:55:00-02:30",
            "2010-11-07T00:25:00-03:30",
            ["2010-11-07T00:05:00-03:30", "2010-11-07T00:20:00-03:30"],
            id="back-to-the-day-before-terminates",
        ),
        pytest.param(
            "0 12 * * *",
            "Pacific/Kwajalein",
            "1993-08-20T00:00:00-12:00",
            "1993-08-23T00:00:00+12:00",
            ["1993-08-20T12:00:00-12:00", "1993-08-22T00:00:00+12:00", "1993-08-22T12:00:00+12:00"],
            id="over-the-date-line",
        ),
        pytest.param(
            "30 2 * * *",
            "Antarctica/Troll",
            "2026-03-28T12:00:00+00:00",
            "2026-03-30T12:00:00+02:00",
            ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"],
            id="two-hours-forward",
        ),
        pytest.param(
            "0 0,1,2,3 * * *",
            "Antarctica/Casey",
            "2020-10-03T12:00:00+08:00",
            "2020-10-04T12:00:00+11:00",
            ["2020-10-04T00:00:00+08:00", "2020-10-04T03:01:00+11:00"],
            id="three-hours-in-the-minute-after-midnight",
        ),
        pytest.param(
            "*/30 2 25 10 *",
            "Europe/Berlin",
            "2026-10-24T12:00:00+02:00",
            "2026-10-26T12:00:00+01:00",
            [
                *("2026-10-25T02:00:00+02:00", "2026-10-25T02:30:00+02:00"),
                *("2026-10-25T02:00:00+01:00", "2026-10-25T02:30:00+01:00"),
            ],
            id="a-repeated-hour-of-one-day-a-year",
        ),
        pytest.param(
            "*/20 30 2 * * *",
            "Europe/Berlin",
            "2026-10-25T00:00:00+02:00",
            "2026-10-26T00:00:00+01:00",
            ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:20+02:00", "2026-10-25T02:30:40+02:00"],
            id="seconds-of-a-fixed-hour-count-once",
        ),
    ],
)
def test_due_times_over_odd_clock_changes_follow_the_definition(
    expression: str, zone: str, begin: str, end: str, expected: list[str]
):
    """A fixed time is due once, also if it is skipped or repeated; an expression with a star follows elapsed time.

    From every tenth minute, the question gives the rest of the same sequence.
    """
    recurrence = Recurrence((parse_rule(expression, ZoneInfo(zone)),))
    first, last = (int(datetime.fromisoformat(text).timestamp()) for text in (begin, end))
    times = [int(datetime.fromisoformat(text).timestamp()) for text in expected]
    for instant in range(first, last, 600):
        assert list(recurrence.due_times(instant, last)) == [time for time in times if time > instant]
    found = [datetime.fromtimestamp(due, ZoneInfo(zone)).isoformat() for due in recurrence.due_times(first, last)]
    assert found == expected


@given(
    st.lists(_EXPRESSIONS, min_size=2, max_size=4),
    st.sampled_from(ZONES),
    st.integers(_BEGIN, _END),
)
@settings(deadline=None, max_examples=40)
def test_due_times_of_several_rules_are_their_union(expressions: list[str], zone: str, begin: int):
    """The due times of several rules are the union of theirs, each of them once, in ascending order."""
    rules = [rule for expression in expressions if (rule := parsed(expression, zone, "Any"))]
    end = begin + 3 * _HOUR
    each = [set(Recurrence((rule,)).due_times(begin, end)) for rule in rules]
    assert list(Recurrence(tuple(rules)).due_times(begin, end)) == sorted(set().union(*each))


@given(_EXPRESSIONS, st.sampled_from(ZONES), st.integers(-(10**12), 3 * 10**11))
@settings(deadline=None, max_examples=100)
def test_next_after_at_any_instant_is_later_or_none(expression: str, zone: str, time: int):
    """Also in years that no calendar of Python has, the next due time is later or there is none, without an error."""
    rule = parsed(expression, zone, "Any")
    due = None if rule is None else rule.next_after(time)
    assert due is None or due > time
