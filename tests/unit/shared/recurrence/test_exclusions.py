"""Entries of `spec.exclude`: windows of a day, weekdays, dates and holidays, also over midnight and clock changes."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_shared.recurrence.build import build_recurrence
from financehub_shared.recurrence.calendar import CalendarHorizonError, load_calendar
from financehub_shared.recurrence.exclusions import WEEKDAYS, parse_exclusion

BERLIN = "Europe/Berlin"
_DAY = 86_400


def at(text: str, zone: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def due(line: str, after: str, count: int, *exclude: dict[str, Any], zone: str = BERLIN, **fields: Any) -> list[str]:
    recurrence = build_recurrence("uid", [line], time_zone=zone, exclude=exclude, **fields)
    found = islice(recurrence.due_times(at(after, zone), at("2030-01-01", zone)), count)
    return [datetime.fromtimestamp(time, ZoneInfo(zone)).strftime("%a %Y-%m-%d %H:%M") for time in found]


def test_window_of_a_day_excludes_its_beginning_and_not_its_end():
    """`from` is inclusive and `to` is exclusive."""
    assert due("0 * * * *", "2026-11-30T08:30", 3, {"from": "09:00", "to": "12:00"}) == [
        *("Mon 2026-11-30 12:00", "Mon 2026-11-30 13:00", "Mon 2026-11-30 14:00"),
    ]


def test_window_over_midnight_excludes_the_evening_and_the_morning():
    """If `from` is later than `to`, the window goes over midnight."""
    assert due("0 */4 * * *", "2026-11-30T13:00", 4, {"from": "20:00", "to": "08:00"}) == [
        *("Mon 2026-11-30 16:00", "Tue 2026-12-01 08:00", "Tue 2026-12-01 12:00", "Tue 2026-12-01 16:00"),
    ]


def test_window_over_midnight_with_weekdays_means_the_day_on_which_it_begins():
    """A window on Friday from 22:00 to 06:00 excludes the early Saturday, and not the early Friday."""
    entry = {"weekdays": ["FRI"], "from": "22:00", "to": "06:00"}
    assert due("0 5,22 * * *", "2026-12-03T12:00", 4, entry) == [
        *("Thu 2026-12-03 22:00", "Fri 2026-12-04 05:00", "Sat 2026-12-05 22:00", "Sun 2026-12-06 05:00"),
    ]


def test_window_that_ends_at_midnight_excludes_the_rest_of_the_day():
    """A window to 00:00 ends with its day."""
    assert due("0 0,23 * * *", "2026-11-30T12:00", 2, {"from": "22:00", "to": "00:00"}) == [
        *("Tue 2026-12-01 00:00", "Wed 2026-12-02 00:00"),
    ]


def test_weekdays_exclude_whole_days():
    """Without a window, a weekday is excluded from midnight to midnight."""
    assert due("0 */12 * * *", "2026-12-04T06:00", 3, {"weekdays": ["SAT", "SUN"]}) == [
        *("Fri 2026-12-04 12:00", "Mon 2026-12-07 00:00", "Mon 2026-12-07 12:00"),
    ]


@pytest.mark.parametrize(
    ("dates", "after", "expected"),
    [
        (["2026-12-24"], "2026-12-23T12:00", ["Fri 2026-12-25 09:00", "Sat 2026-12-26 09:00"]),
        (["12-25", "12-26"], "2026-12-24T12:00", ["Sun 2026-12-27 09:00", "Mon 2026-12-28 09:00"]),
        (["12-25", "12-26"], "2027-12-24T12:00", ["Mon 2027-12-27 09:00", "Tue 2027-12-28 09:00"]),
        (["02-29"], "2028-02-28T12:00", ["Wed 2028-03-01 09:00", "Thu 2028-03-02 09:00"]),
        (["2026-12-24/2027-01-02"], "2026-12-23T12:00", ["Sun 2027-01-03 09:00", "Mon 2027-01-04 09:00"]),
        (["2026-12-24/2026-12-24"], "2026-12-23T12:00", ["Fri 2026-12-25 09:00", "Sat 2026-12-26 09:00"]),
    ],
)
def test_dates_exclude_days_of_one_year_of_every_year_and_ranges(dates: list[str], after: str, expected: list[str]):
    """A date, a day of every year and both ends of a range are excluded."""
    assert due("0 9 * * *", after, 2, {"dates": dates}) == expected


def test_fields_of_an_entry_have_to_apply_together_and_entries_do_not():
    """An entry excludes what all of its fields mean, and a due time that any entry excludes is not due."""
    both = {"weekdays": ["THU"], "dates": ["12-24", "12-25"]}
    assert due("0 9 * * *", "2026-12-23T12:00", 1, both) == ["Fri 2026-12-25 09:00"]
    assert due("0 9 * * *", "2026-12-23T12:00", 1, both, {"dates": ["12-25"]}) == ["Sat 2026-12-26 09:00"]


def test_holidays_exclude_the_weekday_holidays_of_an_exchange():
    """Thanksgiving is excluded, and neither is the Saturday, which is not a holiday, nor the early close."""
    assert due("0 9 * * *", "2026-11-25T12:00", 3, {"holidays": "XNYS"}, zone="America/New_York") == [
        *("Fri 2026-11-27 09:00", "Sat 2026-11-28 09:00", "Sun 2026-11-29 09:00"),
    ]


def test_holidays_are_days_in_the_zone_of_the_exchange():
    """Thanksgiving in New York is the time from 06:00 to 06:00 in Berlin."""
    assert due("0 5,6 * * *", "2026-11-26T04:00", 3, {"holidays": "XNYS"}) == [
        *("Thu 2026-11-26 05:00", "Fri 2026-11-27 06:00", "Sat 2026-11-28 05:00"),
    ]


def test_holidays_with_a_window_over_midnight_mean_the_day_on_which_it_begins():
    """The morning after a holiday belongs to the window that began on the holiday, and the morning of it does not."""
    entry = {"holidays": "XNYS", "from": "18:00", "to": "06:00"}
    assert due("0 5,19 * * *", "2026-11-25T12:00", 4, entry, zone="America/New_York") == [
        *("Wed 2026-11-25 19:00", "Thu 2026-11-26 05:00", "Fri 2026-11-27 19:00", "Sat 2026-11-28 05:00"),
    ]


def test_holidays_beyond_the_table_are_an_error_and_not_a_due_time():
    """A day of which it is unknown whether it is a holiday never counts as due."""
    recurrence = build_recurrence("uid", ["0 12 * * *"], exclude=[{"holidays": "XSHG"}])
    end = load_calendar("XSHG").end
    assert recurrence.next_after(end - _DAY) is not None
    with pytest.raises(CalendarHorizonError, match="calendar XSHG covers only the days"):
        recurrence.next_after(end)
    assert len(list(recurrence.due_times(end - 5 * _DAY, end - 1))) == 5
    with pytest.raises(CalendarHorizonError):
        list(recurrence.due_times(end - 5 * _DAY, end + _DAY))


def test_exclusion_goes_by_the_wall_clock_when_the_clocks_change():
    """Both passes of a repeated hour are excluded, and a window whose end is skipped ends with the gap."""
    entry = {"from": "02:00", "to": "03:00"}
    assert due("*/30 1-3 * * *", "2026-10-25T01:00", 2, entry) == ["Sun 2026-10-25 01:30", "Sun 2026-10-25 03:00"]
    assert due("30 1-3 * * *", "2026-03-29T01:00", 2, {"from": "01:00", "to": "02:30"}) == [
        *("Sun 2026-03-29 03:00", "Sun 2026-03-29 03:30"),
    ]


def test_close_of_a_session_can_be_excluded():
    """Exclusions also apply to `@close`."""
    found = due(
        "@close", "2026-11-24T12:00", 2, {"from": "12:00", "to": "14:00"}, zone="America/New_York", calendar="XNYS"
    )
    assert found == ["Tue 2026-11-24 16:00", "Wed 2026-11-25 16:00"]


_ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "weekdays": st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=6),
        "window": st.sampled_from([("22:00", "06:00"), ("00:00", "12:30"), ("02:00", "03:00"), ("12:00", "00:00")]),
        "dates": st.lists(st.sampled_from(["2026-10-25", "03-29", "2026-03-20/2026-04-05"]), min_size=1),
        "holidays": st.sampled_from(["XNYS", "XTKS"]),
    },
).filter(bool)


def _excludes(entry: dict[str, Any], time: int, zone: ZoneInfo) -> bool:
    """Evaluate the definition of an entry for one instant."""
    local = datetime.fromtimestamp(time, zone).replace(tzinfo=None)
    before = timedelta()
    if "window" in entry:
        clock, (begin, end) = f"{local:%H:%M}", entry["window"]
        if not (begin <= clock < end if begin < end else clock >= begin or clock < end):
            return False
        before = timedelta(days=begin > end and clock < end)
    day = (local - before).date()
    if "weekdays" in entry and WEEKDAYS[day.weekday()] not in entry["weekdays"]:
        return False
    if "dates" in entry:
        ranges = [(first, last or first) for text in entry["dates"] for first, _, last in [text.partition("/")]]
        if not any(first <= (str(day) if len(first) > 5 else f"{day:%m-%d}") <= last for first, last in ranges):
            return False
    if "holidays" in entry:
        calendar = load_calendar(entry["holidays"])
        exchange_day = (datetime.fromtimestamp(time, calendar.zone) - before).date()
        sessions = {datetime.fromtimestamp(opening, calendar.zone).date() for opening in calendar.day_opens}
        return exchange_day.weekday() < 5 and exchange_day not in sessions
    return True


@given(
    st.lists(_ENTRIES, min_size=1, max_size=2),
    st.sampled_from(["UTC", BERLIN, "America/Havana", "Australia/Lord_Howe"]),
    st.sampled_from(["*/20 * * * *", "7 * * * *", "@every 23m", "0 2,9 * * *"]),
    st.integers(0, 360),
)
@settings(deadline=None, max_examples=60)
def test_due_times_with_exclusions_equal_a_filter_over_all_due_times(
    entries: list[dict[str, Any]], zone: str, line: str, day: int
):
    """The jumps over excluded windows leave out exactly the due times to which all fields of an entry apply."""
    begin = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) + day * _DAY
    end = begin + 4 * _DAY
    spec = [
        {name: value for name, value in entry.items() if name != "window"}
        | ({"from": entry["window"][0], "to": entry["window"][1]} if "window" in entry else {})
        for entry in entries
    ]
    everything = build_recurrence("uid", [line], time_zone=zone).due_times(begin, end)
    expected = [time for time in everything if not any(_excludes(entry, time, ZoneInfo(zone)) for entry in entries)]
    recurrence = build_recurrence("uid", [line], time_zone=zone, exclude=spec)
    assert list(recurrence.due_times(begin, end)) == expected
    assert all(recurrence.allows(time) for time in expected)
    assert recurrence.count(begin, end, 10_000) == len(expected)


def test_allows_follows_limits_calendar_and_exclusions():
    """A run that is not due by a line is allowed within the limits, in a session and outside of the exclusions."""
    recurrence = build_recurrence(
        "uid",
        [],
        time_zone="America/New_York",
        calendar="XNYS",
        exclude=[{"from": "12:00", "to": "13:00"}],
        start_time=datetime.fromisoformat("2026-11-25T10:00:00-05:00"),
        end_time=datetime.fromisoformat("2026-11-27T11:00:00-05:00"),
    )
    instants = {
        "2026-11-25T09:59:59": False,
        "2026-11-25T10:00": True,
        "2026-11-25T12:30": False,
        "2026-11-26T10:30": False,  # a holiday
        "2026-11-27T11:00": True,
        "2026-11-27T11:00:00.500": False,
    }
    assert {text: recurrence.allows(at(text, "America/New_York")) for text in instants} == instants
    assert recurrence.next_after(0) is None


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, "exclude: an entry is empty; write at least one of weekdays, from and to, dates, holidays"),
        ({"weekday": ["SAT"]}, "exclude: 'weekday' is unknown; write weekdays"),
        ({"weekdays": ["Saturday"]}, "exclude.weekdays: 'Saturday' is not a weekday; write MON, TUE"),
        ({"from": "22:00"}, "exclude: from needs to; write both"),
        ({"to": "22:00"}, "exclude: to needs from; write both"),
        ({"from": "22:00", "to": "22:00"}, "both '22:00'; leave both out to exclude the whole day"),
        ({"from": "24:00", "to": "06:00"}, "'24:00' is not a time of day; write hours and minutes"),
        ({"from": 750, "to": "06:00"}, "750 is not a time of day"),
        ({"from": "9:00", "to": "10:00"}, "'9:00' is not a time of day"),
        ({"dates": ["2026-02-29"]}, '\'2026-02-29\' is not a date; write it like "2026-12-24", "12-25"'),
        ({"dates": ["02-30"]}, "'02-30' is not a date"),
        ({"dates": ["20261224"]}, "'20261224' is not a date"),
        ({"dates": [20261224]}, "20261224 is not a date"),
        ({"dates": ["2026-01-01/2026-01-02/2026-01-03"]}, "is not a date"),
        ({"dates": ["2027-01-02/2026-12-24"]}, "'2027-01-02/2026-12-24' ends before it begins; swap the two dates"),
        ({"holidays": "NYSE"}, "'NYSE' is not an exchange with holidays; write one of XAMS"),
        ({"holidays": "FX"}, "'FX' is not an exchange with holidays"),
    ],
)
def test_parse_exclusion_of_an_invalid_entry_says_what_to_write(entry: dict[str, Any], message: str):
    """The error names the field, what was read and what to write."""
    with pytest.raises(ValueError) as caught:
        parse_exclusion(entry, ZoneInfo("UTC"))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "line",
    ["* * * * * *", "* * * * *", "0 9 * * *", "@every 7s", "0 0 29 2 *"],
)
def test_next_after_of_a_line_that_is_always_excluded_ends(line: str):
    """A line that has no due time left has none, which is found once and then remembered."""
    recurrence = build_recurrence("uid", [line, "@yearly"], exclude=[{"weekdays": list(WEEKDAYS)}])
    begin = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    assert recurrence.next_after(begin) is None
    assert recurrence.next_after(begin + 5) is None


def test_next_after_of_a_line_that_is_excluded_for_decades_is_found():
    """A long range of dates does not end the search too early."""
    found = due("0 9 * * *", "2026-01-01T12:00", 1, {"dates": ["2026-01-01/2029-12-30"]})
    assert found == ["Mon 2029-12-31 09:00"]
    recurrence = build_recurrence("uid", ["0 9 * * *"], exclude=[{"dates": ["2026-01-01/2126-01-01"]}])
    assert recurrence.next_after(at("2026-01-01T12:00", "UTC")) == at("2126-01-02T09:00", "UTC")
