"""Due times of cron expressions and intervals, including across clock changes."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_shared.recurrence.recurrence import Recurrence, jitter_offset
from financehub_shared.recurrence.rules import ALIASES, parse_rule, parse_zone

UTC_ZONE = ZoneInfo("UTC")


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def local(times: list[int], zone: str) -> list[str]:
    return [datetime.fromtimestamp(time, ZoneInfo(zone)).isoformat() for time in times]


def due_between(expression: str, zone: str, after: str, until: str) -> list[str]:
    recurrence = Recurrence((parse_rule(expression, parse_zone(zone)),))
    return local(list(recurrence.due_times(at(after), at(until))), zone)


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("@every 2m", "2026-11-25T10:00:00+00:00", "2026-11-25T10:02:00+00:00"),
        ("@every 2m", "2026-11-25T10:01:59.999+00:00", "2026-11-25T10:02:00+00:00"),
        ("@every 1h30m", "1970-01-01T00:00:00+00:00", "1970-01-01T01:30:00+00:00"),
        ("@hourly", "2026-11-25T10:00:00+00:00", "2026-11-25T11:00:00+00:00"),
        ("@daily", "2026-11-25T10:00:00+00:00", "2026-11-26T00:00:00+00:00"),
        ("@weekly", "2026-11-25T10:00:00+00:00", "2026-11-29T00:00:00+00:00"),
        ("@monthly", "2026-11-25T10:00:00+00:00", "2026-12-01T00:00:00+00:00"),
        ("@yearly", "2026-11-25T10:00:00+00:00", "2027-01-01T00:00:00+00:00"),
        ("*/15 9-17 * * MON-FRI", "2026-11-27T17:45:00+00:00", "2026-11-30T09:00:00+00:00"),
        ("0 0 29 2 *", "2026-11-25T00:00:00+00:00", "2028-02-29T00:00:00+00:00"),
        ("30 8 L * *", "2026-11-25T10:00:00+00:00", "2026-11-30T08:30:00+00:00"),
    ],
)
def test_next_after_returns_the_first_later_due_time(expression: str, after: str, expected: str):
    """The next due time is the first one after the given time, and never the given time itself."""
    found = parse_rule(expression, UTC_ZONE).next_after(at(after))
    assert found == at(expected)


@pytest.mark.parametrize(
    ("expression", "zone", "after", "until", "expected"),
    [
        pytest.param(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00:00+01:00",
            "2026-03-30T12:00:00+02:00",
            ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"],
            id="spring-skipped-time-runs-at-the-end-of-the-gap",
        ),
        pytest.param(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00:00+02:00",
            "2026-10-26T12:00:00+01:00",
            ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"],
            id="autumn-repeated-time-runs-once",
        ),
        pytest.param(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-25T02:10:00+01:00",
            "2026-10-26T12:00:00+01:00",
            ["2026-10-26T02:30:00+01:00"],
            id="autumn-during-the-second-pass",
        ),
        pytest.param(
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-03-29T01:00:00+01:00",
            "2026-03-29T03:30:00+02:00",
            ["2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"],
            id="spring-frequent-rule-follows-real-time",
        ),
        pytest.param(
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-10-25T02:00:00+02:00",
            "2026-10-25T03:00:00+01:00",
            [
                *("2026-10-25T02:30:00+02:00", "2026-10-25T02:00:00+01:00"),
                *("2026-10-25T02:30:00+01:00", "2026-10-25T03:00:00+01:00"),
            ],
            id="autumn-frequent-rule-follows-real-time",
        ),
        pytest.param(
            "0 16 * * *",
            "America/New_York",
            "2026-10-31T17:00:00-04:00",
            "2026-11-02T17:00:00-05:00",
            ["2026-11-01T16:00:00-05:00", "2026-11-02T16:00:00-05:00"],
            id="autumn-local-hour-stays",
        ),
        pytest.param(
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T12:00:00+10:30",
            "2026-10-05T12:00:00+11:00",
            ["2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"],
            id="spring-shift-of-half-an-hour",
        ),
        pytest.param(
            "@every 30m",
            "Europe/Berlin",
            "2026-10-25T02:00:00+02:00",
            "2026-10-25T02:30:00+01:00",
            ["2026-10-25T02:30:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T02:30:00+01:00"],
            id="autumn-interval-ignores-clocks",
        ),
    ],
)
def test_due_times_over_clock_changes_run_once(expression: str, zone: str, after: str, until: str, expected: list[str]):
    """Across a clock change, a fixed time is due once, and a frequent rule follows elapsed time."""
    assert due_between(expression, zone, after, until) == expected


ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/St_Johns"]
)
FIELD = st.sampled_from
CRONS = st.builds(
    "{} {} {} * {}".format,
    FIELD(["0", "30", "*/7", "*", "5,35"]),
    FIELD(["*", "2", "0", "1-3", "*/6"]),
    FIELD(["*", "1", "*/10", "L"]),
    FIELD(["*", "SUN", "MON-FRI"]),
)
EXPRESSIONS = st.one_of(
    CRONS, st.sampled_from(sorted(ALIASES)), st.integers(1, 200_000).map(lambda seconds: f"@every {seconds}s")
)
#: Two years with several clock changes, with millisecond resolution.
TIMES = st.integers(1_767_225_600_000, 1_830_297_600_000).map(lambda milliseconds: milliseconds / 1000)


@given(EXPRESSIONS, ZONES, TIMES)
@settings(deadline=None, max_examples=150)
def test_next_after_is_the_same_for_every_time_before_it(expression: str, zone: str, time: float):
    """The next due time is later than the given time, and is the same for every time in between."""
    rule = parse_rule(expression, parse_zone(zone))
    found = rule.next_after(time)
    assert found is not None
    assert found > time
    assert rule.next_after((time + found) / 2) == found
    assert rule.next_after(found - 0.001) == found


@given(st.lists(EXPRESSIONS, min_size=1, max_size=3), ZONES, TIMES, st.floats(0, 5 * 86_400), st.integers(1, 5))
@settings(deadline=None, max_examples=60)
def test_newest_and_count_equal_a_full_walk(expressions: list[str], zone: str, after: float, length: float, count: int):
    """The newest due times and the count equal the result of a walk through the whole range, without repetitions."""
    recurrence = Recurrence(tuple(parse_rule(expression, parse_zone(zone)) for expression in expressions))
    until = after + min(length, 3_000 * min(60, length))
    walked = []
    for due in recurrence.due_times(after, until):
        walked.append(due)
        if len(walked) > 2_000:
            return
    assert walked == sorted(set(walked))
    assert recurrence.newest(count, after, until) == walked[-count:]
    assert recurrence.count(after, until, 10_000) == len(walked)
    assert recurrence.count(after, until, 3) == min(3, len(walked))


def test_interval_with_start_time_counts_from_it():
    """An interval counts from the schedule's start time, so that every scheduler computes the same due times."""
    start = int(at("2026-11-25T10:00:07+00:00"))
    recurrence = Recurrence((parse_rule("@every 1m", UTC_ZONE, start),), start=start)
    assert recurrence.next_after(0) == start
    assert recurrence.next_after(start) == start + 60


def test_due_times_include_start_and_end():
    """A due time exactly at the start or end time is included, and any due time outside is not."""
    start, end = at("2026-11-25T10:00:00+00:00"), at("2026-11-25T10:02:00+00:00")
    recurrence = Recurrence((parse_rule("* * * * *", UTC_ZONE),), start=start, end=end)
    assert list(recurrence.due_times(0, end + 600)) == [start, start + 60, end]
    assert recurrence.next_after(end) is None


def test_next_after_with_fractional_start_is_not_before_it():
    """No due time is before the start time, even if the start time has a fraction of a second."""
    start = at("2026-11-25T10:00:00.500+00:00")
    recurrence = Recurrence((parse_rule("* * * * *", UTC_ZONE),), start=start)
    assert recurrence.next_after(0) == at("2026-11-25T10:01:00+00:00")


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Kiritimati"])
@pytest.mark.parametrize("expression", ["* * * * *", "0 0 29 2 *", "@yearly", "@every 1s", "@every 366d"])
@pytest.mark.parametrize(
    "start",
    [
        "0001-01-01T00:00:00+14:00",
        "0001-01-01T00:00:00-12:00",
        "9950-01-01T00:00:00+00:00",
        "9999-12-29T23:59:00+00:00",
        "9999-12-31T00:00:00+00:00",
        "9999-12-31T23:59:59-12:00",
    ],
)
def test_next_after_at_extreme_dates_is_displayable(expression: str, zone: str, start: str):
    """For any start time, every due time can be displayed in any time zone, even a day of jitter later."""
    anchor = int(at(start))
    recurrence = Recurrence((parse_rule(expression, parse_zone(zone), anchor),), start=at(start))
    due = recurrence.next_after(anchor)
    for _ in range(100):
        if due is None:
            break
        assert datetime.fromtimestamp(due + 86_400, parse_zone(zone)).year <= 9999
        due = recurrence.next_after(due)


@given(st.uuids().map(str), st.integers(1, 86_400))
def test_jitter_offset_is_constant_and_bounded(uid: str, seconds: int):
    """A schedule's jitter is constant and within [0, n) seconds."""
    offset = jitter_offset(uid, seconds)
    assert offset == jitter_offset(uid, seconds)
    assert 0 <= offset < seconds


def test_jitter_offset_of_many_schedules_is_spread_evenly():
    """The offsets of a thousand schedules are spread over the whole range: each tenth gets its share."""
    from uuid import NAMESPACE_DNS, uuid5

    offsets = [jitter_offset(str(uuid5(NAMESPACE_DNS, str(number))), 60) for number in range(1_000)]
    tenths = [sum(tenth * 6 <= offset < tenth * 6 + 6 for offset in offsets) for tenth in range(10)]
    assert min(tenths) > 60
    assert max(tenths) < 150


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("0 0 31 2 *", "because February has no day 31; change the day or the month"),
        ("0 0 30 2 *", "never comes"),
        ("0 0 31 4,6,9,11 *", "April, June, September and November have no day 31"),
        ("* * * *", "has 4 fields"),
        ("* * * * * * *", "has 7 fields"),
        ("60 * * * *", "use 0-59"),
        ("* 24 * * *", "write 0, because"),
        ("* * * 13 *", "use 1-12 or JAN-DEC"),
        ("* * * * FOO", "use 0-7 or SUN-SAT"),
        ("*/0 * * * *", "use 0-59"),
        ("", "has 0 fields"),
        ("@reboot", "use one of @hourly"),
        ("@every", "write it like"),
        ("@every 5", "write '@every 5s'"),
        ("@every -5m", "write it like"),
        ("@every 0s", "between 1 s"),
        ("@every 400d", "between 1 s"),
        ("@every 99999999999999999999d", "between 1 s"),
    ],
)
def test_parse_rule_of_an_invalid_expression_names_the_fix(expression: str, message: str):
    """The error for an invalid expression, or for one that is never due, says how to fix it."""
    with pytest.raises(ValueError, match=message):
        parse_rule(expression, UTC_ZONE)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "Europe", "CEST2", "/etc/localtime"])
def test_parse_zone_of_an_invalid_name_raises(name: str):
    """Only names in the IANA database are time zones."""
    with pytest.raises(ValueError, match="not an IANA time zone"):
        parse_zone(name)


def test_count_of_a_utc_day_is_1440_minutes():
    """A day in UTC always has 1,440 minutes, because its clock never changes."""
    day = datetime(2026, 3, 29, tzinfo=UTC).timestamp()
    recurrence = Recurrence((parse_rule("* * * * *", UTC_ZONE),))
    assert recurrence.count(day - 1, day + 86_399, 10_000) == 1_440


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("TZ=America/New_York 0 9 * * *", "write timeZone: America/New_York and schedule: '0 9 * * *'"),
        ("CRON_TZ=Asia/Tokyo @daily", "write timeZone: Asia/Tokyo and schedule: '@daily'"),
        ("tz=UTC 0 0 9 * * *", "write timeZone: UTC and schedule: '0 0 9 * * *'"),
        ("CRON_TZ=", "write timeZone: Europe/Berlin and schedule: '0 9 * * *'"),
        ("@open +15m", "write '@open' with calendarOffsetSeconds: 900"),
        ("@CLOSE - 1h30m", "write '@close' with calendarOffsetSeconds: -5400"),
        ("@open +2d", "use one of @hourly"),
        ("@open later", "use one of @hourly"),
    ],
)
def test_parse_rule_of_a_zone_or_an_offset_in_the_line_says_in_which_field_it_is(text: str, fix: str):
    """What other schedulers write into the expression is refused with the field that has it here."""
    with pytest.raises(ValueError, match=r"write|use") as error:
        parse_rule(text, parse_zone("UTC"))
    assert fix in str(error.value)
