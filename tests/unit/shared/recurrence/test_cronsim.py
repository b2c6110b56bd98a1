"""The library cronsim as an oracle: it agrees on ordinary expressions and times, and each difference is listed.

The differences are what we would report to its maintainers. Each row has what cronsim does, so that this test also
notices when a new version of cronsim changes it.
"""

from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim, CronSimError
from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_shared.recurrence.recurrence import Recurrence
from financehub_shared.recurrence.rules import parse_rule


class _StuckError(Exception):
    pass


class _Bounded(CronSim):
    """Stops an endless search of cronsim."""

    def tick(self, seconds: int = 1) -> None:
        self.ticks = getattr(self, "ticks", 0) + 1
        if self.ticks > 200_000:
            raise _StuckError
        super().tick(seconds)


def theirs(expression: str, after: str, zone: str, count: int) -> list[str]:
    begin = datetime.fromisoformat(after).astimezone(UTC if zone == "UTC" else ZoneInfo(zone))
    return [due.isoformat() for due in islice(_Bounded(expression, begin), count)]


def ours(expression: str, after: str, zone: str, count: int) -> list[str]:
    recurrence = Recurrence((parse_rule(expression, ZoneInfo(zone)),))
    due_times = recurrence.due_times(
        datetime.fromisoformat(after).timestamp(), datetime(2200, 1, 1, tzinfo=UTC).timestamp()
    )
    return [datetime.fromtimestamp(due, ZoneInfo(zone)).isoformat() for due in islice(due_times, count)]


@given(
    st.builds(
        "{} {} {} {} {}".format,
        st.sampled_from(["0", "30", "*/7", "*", "5,35", "50/5", "10-40/10"]),
        st.sampled_from(["*", "2", "0", "1-3", "*/6", "5/6"]),
        st.sampled_from(["*", "1", "*/10", "L", "LW", "29-31", "13"]),
        st.sampled_from(["*", "2", "1,FEB", "*/5", "NOV-DEC"]),
        st.sampled_from(["*", "SUN", "MON-FRI", "FRI#2", "5L", "7", "*/2", "6-7"]),
    ),
    st.integers(1_600_000_000, 2_200_000_000),
)
@settings(deadline=None, max_examples=300)
def test_due_times_in_utc_equal_those_of_cronsim(expression: str, begin: int):
    """Without clock changes, the due times are those of cronsim, for everything that both of them know."""
    moment = datetime.fromtimestamp(begin, UTC)
    try:
        expected = theirs(expression, moment.isoformat(), "UTC", 5)
    except CronSimError:
        expected = []
    try:
        found = ours(expression, moment.isoformat(), "UTC", 5)
    except ValueError:
        return  # cronsim searches in vain, or combines days that we refuse to combine
    assert found == expected


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Sydney"])
@pytest.mark.parametrize("expression", ["30 2 * * *", "0,30 1-3 * * *", "*/30 * * * *", "0 */2 * * *", "15 3 * * SUN"])
@pytest.mark.parametrize("day", ["2026-03-07", "2026-03-28", "2026-04-04", "2026-10-03", "2026-10-24", "2026-10-31"])
def test_due_times_over_whole_hours_of_clock_changes_equal_those_of_cronsim(expression: str, zone: str, day: str):
    """From an instant before an ordinary clock change, the due times are those of cronsim."""
    begin = f"{day}T12:00:00+00:00"
    assert ours(expression, begin, zone, 60) == theirs(expression, begin, zone, 60)


#: Expression, zone, instant of the question, due times of cronsim, our due times, reason.
_DIFFERENCES = [
    pytest.param(
        *("0 */4 * * *", "Australia/Lord_Howe", "2026-10-03T22:00:00+10:30"),
        ["2026-10-04T00:00:00+10:30", "2026-10-04T08:00:00+11:00"],
        ["2026-10-04T00:00:00+10:30", "2026-10-04T04:00:00+11:00"],
        id="cronsim steps by whole hours from 00:00, so after a change of half an hour it is at 04:30 and misses 04:00",
    ),
    pytest.param(
        *("* 2 * * *", "Australia/Lord_Howe", "2035-03-31T08:00:00+11:00"),
        ["2035-04-01T02:30:00+10:30", "2035-04-01T02:31:00+10:30"],
        ["2035-04-01T02:00:00+10:30", "2035-04-01T02:01:00+10:30"],
        id="the same when clocks are put back by half an hour",
    ),
    pytest.param(
        *("0 */2 * * *", "Asia/Pyongyang", "2015-08-14T23:18:20+09:00"),
        ["2015-08-15T02:00:00+08:30", "2015-08-15T04:00:00+08:30"],
        ["2015-08-15T00:00:00+08:30", "2015-08-15T02:00:00+08:30"],
        id="the same at midnight: the new 00:00 is missed",
    ),
    pytest.param(
        *("*/15 1-3 * * SUN", "Antarctica/Casey", "2022-10-01T07:43:00+08:00"),
        ["2022-10-09T01:00:00+11:00"],
        ["2022-10-02T03:15:00+11:00"],
        id="cronsim steps over a matching hour of which the clocks skip the beginning",
    ),
    pytest.param(
        *("*/15 */3 * * SUN", "America/Havana", "2036-03-08T23:59:48-05:00"),
        ["2036-03-09T00:00:00-05:00", "2036-03-09T03:00:00-04:00"],
        ["2036-03-09T03:00:00-04:00", "2036-03-09T03:15:00-04:00"],
        id="cronsim returns midnight although the clocks skip it; no clock ever shows 00:00 on that day",
    ),
    pytest.param(
        *("30 2 * * *", "Europe/Berlin", "2026-10-25T02:10:00+01:00"),
        ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"],
        ["2026-10-26T02:30:00+01:00", "2026-10-27T02:30:00+01:00"],
        id="in the second pass of a repeated hour, cronsim returns a time of the first pass, which is over",
    ),
    pytest.param(
        *("0 30 2 * * *", "Europe/Berlin", "2026-03-29T00:30:00+01:00"),
        ["2026-03-30T02:30:00+02:00"],
        ["2026-03-29T03:00:00+02:00"],
        id="with six fields, cronsim leaves out a fixed time that the clocks skip; on purpose, see its README",
    ),
    pytest.param(
        *("5-5/15 9 * * *", "UTC", "2026-01-01T00:00:00+00:00"),
        ["2026-01-01T09:05:00+00:00", "2026-01-01T09:20:00+00:00"],
        ["2026-01-01T09:05:00+00:00", "2026-01-02T09:05:00+00:00"],
        id="cronsim reads a range of one value with a step as if its end were not written",
    ),
]


@pytest.mark.parametrize(("expression", "zone", "after", "their_times", "our_times"), _DIFFERENCES)
def test_due_times_differ_from_cronsim_only_where_cronsim_is_wrong(
    expression: str, zone: str, after: str, their_times: list[str], our_times: list[str]
):
    """Where cronsim does not follow the definition, our due times do. The id of each row is the reason."""
    assert theirs(expression, after, zone, len(their_times)) == their_times
    assert ours(expression, after, zone, len(our_times)) == our_times


def test_due_times_after_a_change_to_the_day_before_do_not_hang_as_in_cronsim():
    """At 00:01 in St. John's, clocks went back to 23:01. cronsim goes from there to midnight and back endlessly."""
    line, after, zone = "5-50/15 * * * SUN", "2002-10-26T00:42:00-02:30", "America/St_Johns"
    with pytest.raises(_StuckError):
        theirs(line, after, zone, 1)
    assert ours(line, after, zone, 1) == ["2002-10-27T00:05:00-03:30"]


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("0 0 * * FRIL", "cronsim reads 5L and FRI#2, but no name before L"),
        ("0 0 L-3 * *", "cronsim has no days before the last"),
        ("0 0 15W * *", "cronsim has no nearest weekday"),
        ("0 22-6 * * *", "cronsim has no ranges that wrap"),
        ("0 0 * * FRI-MON", "cronsim has no ranges that wrap"),
    ],
)
def test_expressions_that_only_we_read_are_refused_by_cronsim(expression: str, reason: str):
    """Each of these elements is ours, so cronsim cannot be an oracle for it."""
    assert parse_rule(expression, ZoneInfo("UTC")).next_after(0), reason
    with pytest.raises(CronSimError):
        CronSim(expression, datetime(2026, 1, 1, tzinfo=UTC))
