"""The lines of a schedule in words."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.recurrence.cron_fields import parse_fields
from financehub_shared.recurrence.recurrence import Recurrence
from financehub_shared.recurrence.rules import parse_rule
from financehub_shared.recurrence.words import line_in_words

WORDS: dict[str, str] = {
    "* * * * *": "every minute",
    "*/5 * * * *": "every 5 minutes",
    "*/7 * * * *": "at minutes 0 to 56 in steps of 7 of every hour",
    "15 * * * *": "at minute 15 of every hour",
    "7,37 * * * *": "at minutes 7 and 37 of every hour",
    "@hourly": "at minute 0 of every hour",
    "15 */2 * * *": "at minute 15 every 2 hours",
    "@daily": "at 00:00 every day",
    "30 9,16 * * *": "at 09:30 and 16:30 every day",
    "0 22-6 * * *": "at minute 0 in hours 0 to 6, 22 and 23",
    "*/10 9-17 * * MON-FRI": "every 10 minutes in hours 9 to 17 on Monday to Friday",
    "* 9 * * *": "every minute in hour 9",
    "30 6 * * 1-5": "at 06:30 on Monday to Friday",
    "0 12 * * 6,7": "at 12:00 on Saturday and Sunday",
    "0 0 * * FRI-MON": "at 00:00 on Friday to Monday",
    "0 18 * * FRI#2": "at 18:00 on the second Friday of the month",
    "0 18 * * 5L": "at 18:00 on the last Friday of the month",
    "@monthly": "at 00:00 on day 1 of the month",
    "0 0 1,15 * *": "at 00:00 on days 1 and 15 of the month",
    "0 0 28-3 * *": "at 00:00 on days 1 to 3 and 28 to 31 of the month",
    "0 0 L * *": "at 00:00 on the last day of the month",
    "0 0 L-2 * *": "at 00:00 on the day that is 2 before the last of the month",
    "0 0 15W * *": "at 00:00 on the weekday (Monday to Friday) nearest to day 15 of the month",
    "0 0 LW * *": "at 00:00 on the weekday (Monday to Friday) nearest to the last day of the month",
    "0 9 1-7 NOV-FEB *": "at 09:00 on days 1 to 7 of the month in November to February",
    "@yearly": "at 00:00 on day 1 of the month in January",
    "0 0 13 * 5": "at 00:00 on day 13 of the month or on Friday",
    "0 0 */10 * 5": "at 00:00 on days 1, 11, 21 and 31 of the month if it is also Friday",
    "0 9 1-31 * MON": "at 09:00 every day",
    "0 9 1,15 * 0-7": "at 09:00 every day",
    "0 9 1,15 * SUN-SAT": "at 09:00 every day",
    "0 9 1-30 2 MON": "at 09:00 in February",
    "*/5 * 1-31 * MON": "every 5 minutes",
    "0 9 1-15,16-31 * FRI#2": "at 09:00 every day",
    "0 9 1,15 * */1": "at 09:00 on days 1 and 15 of the month",
    "0 22-6 * * FRI": "at minute 0 in hours 0 to 6, 22 and 23 on Friday",
    "50-10 9 * * *": "at minutes 0 to 10 and 50 to 59 in hour 9",
    "58-2 0 9 * * *": "at 09:00:00, 09:00:01, 09:00:02, 09:00:58 and 09:00:59 every day",
    "* * * * * *": "every second",
    "*/10 * * * * *": "every 10 seconds",
    "5,20 * * * * *": "at seconds 5 and 20 of every minute",
    "30 0 9 * * 1": "at 09:00:30 on Monday",
    "*/10 30 * * * *": "every 10 seconds at minute 30 of every hour",
    "@every 1h30m": "every 1h30m",
    "@every 1h offset 7m": "every 1h, moved by 7m",
    "@open": "at the opening of each session day",
    "@close": "at the close of each session day",
}


@pytest.mark.parametrize(("line", "words"), WORDS.items(), ids=WORDS)
def test_line_in_words_says_when_it_is_due(line: str, words: str) -> None:
    """Each form of a line is said in words."""
    assert line_in_words(line) == words


def test_line_with_day_match_all_says_that_both_days_must_match() -> None:
    """The words show the difference between OR and AND."""
    assert line_in_words("0 0 13 * 5", "All") == "at 00:00 on day 13 of the month if it is also Friday"


@given(
    st.sampled_from(["*", "*/2", "1-31", "1,15", "L", "1-30", "1-30,L", "31-30", "2/1", "1W", "1-15,16-31", "*/1"]),
    st.sampled_from(["*", "1-12", "2", "4,6,9,11"]),
    st.sampled_from(["*", "*/2", "0-7", "MON-FRI", "1-7", "FRI", "FRI#2", "FRIL", "SUN-SAT", "SAT-FRI", "*/1"]),
    st.sampled_from(["Any", "All"]),
)
def test_words_name_days_exactly_if_not_every_day_of_the_months_is_due(
    day: str, month: str, weekday: str, day_match: str
) -> None:
    """The words say `on` if and only if a day of the months is not due, whichever fields have all of their values."""
    try:
        fields = parse_fields(f"0 9 {day} {month} {weekday}", day_match)
    except ValueError:
        return  # such a combination is refused
    rule = parse_rule(f"0 9 {day} {month} {weekday}", ZoneInfo("UTC"), day_match=day_match)
    begin, days = int(datetime(2024, 1, 1, 9, tzinfo=UTC).timestamp()), 8 * 365
    due = set(Recurrence((rule,)).due_times(begin - 1, begin + days * 86_400))
    moments = (datetime.fromtimestamp(begin + number * 86_400, UTC) for number in range(days))
    is_every_day = all(moment.timestamp() in due for moment in moments if moment.month in fields.days.months)
    words = line_in_words(f"0 9 {day} {month} {weekday}", day_match)
    assert (" on " in words) is not is_every_day, words


@given(st.integers(0, 23), st.integers(0, 23))
def test_words_of_hours_that_go_over_midnight_do_not_say_a_night(first: int, last: int) -> None:
    """A range in the words never goes over the end of the day, because its hours are those of one day."""
    for words in (line_in_words(f"7 {first}-{last} * * FRI"), line_in_words(f"{first}-{last} 9 * * *")):
        ranges = re.findall(r"([0-9]+) to ([0-9]+)", words)
        assert all(int(begin) < int(end) for begin, end in ranges)


@pytest.mark.parametrize(
    "make",
    [
        lambda value: f"{value} * * * *",
        lambda value: f"0 {value % 24} * * *",
        lambda value: f"0 0 {value % 31 + 1} * *",
        lambda value: f"0 0 1 {value % 12 + 1} *",
        lambda value: f"0 0 * * {value % 7}",
    ],
    ids=["minute", "hour", "day", "month", "weekday"],
)
def test_words_of_different_values_differ(make: Callable[[int], str]) -> None:
    """No two values of a field have the same words."""
    lines = {make(value) for value in range(60)}
    assert len({line_in_words(line) for line in lines}) == len(lines)
