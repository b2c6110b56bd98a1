"""The clock of a zone, compared with the standard library."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_shared.recurrence.zone_changes import ZoneClock, zone_clock
from support import recurrence_oracle

ZONES = sorted(available_timezones())
_FIRST, _LAST = (int(datetime(year, 1, 4, tzinfo=UTC).timestamp()) for year in (1, 9999))


def local(at: int, zone: str) -> int:
    offset = datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(zone)).utcoffset()
    assert offset is not None
    return at + int(offset.total_seconds())


@given(st.sampled_from(ZONES), st.one_of(st.integers(-3 * 10**9, 5 * 10**9), st.integers(_FIRST, _LAST)))
@settings(deadline=None, max_examples=150)
def test_local_time_equals_that_of_the_standard_library(zone: str, at: int):
    """The local time of any instant in any zone is the one of the standard library, also with seconds before 1973."""
    clock = zone_clock(ZoneInfo(zone))
    assert clock.local(at) == local(at, zone)
    offset, end = clock.section(at)
    assert end > at
    assert {clock.local(time) - time for time in (at, (at + end) // 2, end - 1)} == {offset}


@given(st.sampled_from(ZONES), st.integers(-3 * 10**9, 5 * 10**9))
@settings(deadline=None, max_examples=150)
def test_first_at_is_the_first_instant_that_shows_the_time_or_a_later_one(zone: str, time: int):
    """At the first instant the clock shows the time or a later one, and before it, it has never done so."""
    clock = zone_clock(ZoneInfo(zone))
    first = clock.first_at(time)
    assert clock.local(first) >= time
    assert clock.latest(first - 1) < time
    assert clock.latest(first) >= time


@pytest.mark.parametrize("zone", ["Australia/Lord_Howe", "Pacific/Apia", "America/St_Johns", "Africa/Casablanca"])
def test_sections_end_at_the_changes_of_a_zone(zone: str):
    """All changes of fifty years are found, to the second, in both directions of the search."""
    begin, end = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (1990, 2040))
    clock, found, at = ZoneClock(ZoneInfo(zone)), [], begin
    while (at := clock.section(at)[1]) <= end:
        if clock.local(at) - at != clock.local(at - 1) - (at - 1):
            found.append(at)
    assert found == recurrence_oracle.changes(ZoneInfo(zone), begin, end)


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "Antarctica/Casey", "Asia/Gaza"]
)
def test_times_around_each_change_are_reached_when_the_clock_first_shows_them(zone: str):
    """Around each change of twelve years, a skipped time is reached at the end of its gap, and a repeated one once."""
    begin, end = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2010, 2022))
    clock = zone_clock(ZoneInfo(zone))
    for change in recurrence_oracle.changes(ZoneInfo(zone), begin, end):
        before, after = local(change - 1, zone) + 1, local(change, zone)
        assert clock.first_at(before - 1) == change - 1
        assert clock.latest(change - 1) == before - 1
        if after > before:
            skipped = {clock.first_at(time) for time in (before, (before + after) // 2, after - 1, after)}
            assert skipped == {change}
            assert clock.latest(change) == after
        else:
            assert clock.first_at(after) == change - (before - after)
            assert clock.first_at(before) == change + (before - after)
            assert clock.latest(change) == before - 1
        assert clock.first_at(max(before, after) + 60) == change + max(before, after) - after + 60


def test_latest_of_a_repeated_hour_is_the_time_before_the_change():
    """While the clock repeats an hour, the latest time that it has shown stays the one before the change."""
    clock = zone_clock(ZoneInfo("Europe/Berlin"))
    change = int(datetime.fromisoformat("2026-10-25T02:00:00+01:00").timestamp())
    assert clock.latest(change - 1) == clock.latest(change) == clock.latest(change + 3_599) == clock.local(change - 1)
    assert clock.latest(change + 3_600) == clock.local(change + 3_600)
