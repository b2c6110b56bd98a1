"""Schedule maths: laws, and a test per change of the clocks."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_scheduler.recurrence.rules import ALIASES, Timing, jitter_offset, parse_rule, parse_zone

UTC_ZONE = ZoneInfo("UTC")


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def local(times: list[int], zone: str) -> list[str]:
    return [datetime.fromtimestamp(time, ZoneInfo(zone)).isoformat() for time in times]


def due_between(expression: str, zone: str, after: str, until: str) -> list[str]:
    timing = Timing((parse_rule(expression, parse_zone(zone)),))
    return local(list(timing.due_times(at(after), at(until))), zone)


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
def test_next_due_time(expression: str, after: str, expected: str):
    """A rule is next due at the first time it names after the given one, never at it."""
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
            id="spring-a-time-that-is-left-out-comes-at-the-end-of-the-gap",
        ),
        pytest.param(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00:00+02:00",
            "2026-10-26T12:00:00+01:00",
            ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"],
            id="autumn-a-time-that-comes-twice-is-due-once",
        ),
        pytest.param(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-25T02:10:00+01:00",
            "2026-10-26T12:00:00+01:00",
            ["2026-10-26T02:30:00+01:00"],
            id="autumn-asked-within-the-second-pass",
        ),
        pytest.param(
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-03-29T01:00:00+01:00",
            "2026-03-29T03:30:00+02:00",
            ["2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"],
            id="spring-a-frequent-rule-goes-on-in-real-time",
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
            id="autumn-a-frequent-rule-goes-on-in-real-time",
        ),
        pytest.param(
            "0 16 * * *",
            "America/New_York",
            "2026-10-31T17:00:00-04:00",
            "2026-11-02T17:00:00-05:00",
            ["2026-11-01T16:00:00-05:00", "2026-11-02T16:00:00-05:00"],
            id="autumn-the-local-hour-stays",
        ),
        pytest.param(
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T12:00:00+10:30",
            "2026-10-05T12:00:00+11:00",
            ["2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"],
            id="spring-a-zone-that-shifts-by-half-an-hour",
        ),
        pytest.param(
            "@every 30m",
            "Europe/Berlin",
            "2026-10-25T02:00:00+02:00",
            "2026-10-25T02:30:00+01:00",
            ["2026-10-25T02:30:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T02:30:00+01:00"],
            id="autumn-an-interval-knows-no-clocks",
        ),
    ],
)
def test_clock_changes(expression: str, zone: str, after: str, until: str, expected: list[str]):
    """Over a change of the clocks a fixed time is due once, and a frequent one as often as real time passes."""
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
#: Two years around several changes of the clocks, to the millisecond.
TIMES = st.integers(1_767_225_600_000, 1_830_297_600_000).map(lambda milliseconds: milliseconds / 1000)


@given(EXPRESSIONS, ZONES, TIMES)
@settings(deadline=None, max_examples=150)
def test_next_is_later_and_nothing_lies_between(expression: str, zone: str, time: float):
    """The next due time is after the given one, and stays the same from every moment in between."""
    rule = parse_rule(expression, parse_zone(zone))
    found = rule.next_after(time)
    assert found is not None
    assert found > time
    assert rule.next_after((time + found) / 2) == found
    assert rule.next_after(found - 0.001) == found


@given(st.lists(EXPRESSIONS, min_size=1, max_size=3), ZONES, TIMES, st.floats(0, 5 * 86_400), st.integers(1, 5))
@settings(deadline=None, max_examples=60)
def test_newest_and_count_agree_with_a_full_walk(
    expressions: list[str], zone: str, after: float, length: float, count: int
):
    """The newest due times and their number are those of walking through the whole range, each time once."""
    timing = Timing(tuple(parse_rule(expression, parse_zone(zone)) for expression in expressions))
    until = after + min(length, 3_000 * min(60, length))
    walked = []
    for due in timing.due_times(after, until):
        walked.append(due)
        if len(walked) > 2_000:
            return
    assert walked == sorted(set(walked))
    assert timing.newest(count, after, until) == walked[-count:]
    assert timing.count(after, until, 10_000) == len(walked)
    assert timing.count(after, until, 3) == min(3, len(walked))


def test_intervals_count_from_the_start():
    """An interval is anchored at the schedule's start, else at 1970, so that every scheduler finds the same times."""
    start = int(at("2026-11-25T10:00:07+00:00"))
    timing = Timing((parse_rule("@every 1m", UTC_ZONE, start),), start=start)
    assert timing.next_after(0) == start
    assert timing.next_after(start) == start + 60


def test_limits_include_their_edges():
    """A due time at the start or at the end of the schedule's life is due; outside there is none."""
    start, end = at("2026-11-25T10:00:00+00:00"), at("2026-11-25T10:02:00+00:00")
    timing = Timing((parse_rule("* * * * *", UTC_ZONE),), start=start, end=end)
    assert list(timing.due_times(0, end + 600)) == [start, start + 60, end]
    assert timing.next_after(end) is None


def test_a_start_between_seconds_is_not_rounded_down():
    """No due time precedes the start, fractions of a second included."""
    start = at("2026-11-25T10:00:00.500+00:00")
    timing = Timing((parse_rule("* * * * *", UTC_ZONE),), start=start)
    assert timing.next_after(0) == at("2026-11-25T10:01:00+00:00")


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
def test_no_due_time_is_outside_the_calendar(expression: str, zone: str, start: str):
    """Whatever the start, due times are dates that can be shown, in any zone and a day of jitter later."""
    anchor = int(at(start))
    timing = Timing((parse_rule(expression, parse_zone(zone), anchor),), start=at(start))
    due = timing.next_after(anchor)
    for _ in range(100):
        if due is None:
            break
        assert datetime.fromtimestamp(due + 86_400, parse_zone(zone)).year <= 9999
        due = timing.next_after(due)


@given(st.uuids().map(str), st.integers(1, 86_400))
def test_jitter_is_fixed_and_bounded(uid: str, seconds: int):
    """The jitter of a schedule is the same every time and lies in [0, n) seconds."""
    offset = jitter_offset(uid, seconds)
    assert offset == jitter_offset(uid, seconds)
    assert 0 <= offset < seconds


def test_jitter_spreads():
    """A thousand schedules at one instant are spread over the whole width: each tenth gets its share."""
    from uuid import NAMESPACE_DNS, uuid5

    offsets = [jitter_offset(str(uuid5(NAMESPACE_DNS, str(number))), 60) for number in range(1_000)]
    tenths = [sum(tenth * 6 <= offset < tenth * 6 + 6 for offset in offsets) for tenth in range(10)]
    assert min(tenths) > 60
    assert max(tenths) < 150


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("0 0 31 2 *", "31 February never comes"),
        ("0 0 30 2 *", "never comes"),
        ("0 0 31 4,6,9,11 *", "at least one of the months must have that day"),
        ("* * * *", "has 4 fields"),
        ("0 0 * * * *", "has 6 fields"),
        ("60 * * * *", "allowed are 0-59"),
        ("* 24 * * *", "allowed are 0-23"),
        ("* * * 13 *", "allowed are 1-12 or JAN-DEC"),
        ("* * * * FOO", "allowed are 0-7 or SUN-SAT"),
        ("*/0 * * * *", "allowed are 0-59"),
        ("", "has 0 fields"),
        ("@reboot", "use one of @hourly"),
        ("@every", "write it like"),
        ("@every 5", "write it like"),
        ("@every -5m", "write it like"),
        ("@every 0s", "between 1 s"),
        ("@every 400d", "between 1 s"),
        ("@every 99999999999999999999d", "between 1 s"),
    ],
)
def test_a_bad_expression_is_refused_with_its_remedy(expression: str, says: str):
    """What can never be due, or cannot be read, is refused in words that say how to mend it."""
    with pytest.raises(ValueError, match=says):
        parse_rule(expression, UTC_ZONE)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "Europe", "CEST2", "/etc/localtime"])
def test_a_bad_zone_is_refused(name: str):
    """Only names of the IANA data base are zones."""
    with pytest.raises(ValueError, match="not an IANA time zone"):
        parse_zone(name)


def test_a_utc_day_has_1440_minutes():
    """In UTC nothing ever shifts."""
    day = datetime(2026, 3, 29, tzinfo=UTC).timestamp()
    timing = Timing((parse_rule("* * * * *", UTC_ZONE),))
    assert timing.count(day - 1, day + 86_399, 10_000) == 1_440
