"""The lines of a schedule in words."""

from collections.abc import Callable

import pytest

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
    "0 22-6 * * *": "at minute 0 in hours 22 to 6",
    "*/10 9-17 * * MON-FRI": "every 10 minutes in hours 9 to 17 on Monday to Friday",
    "* 9 * * *": "every minute in hour 9",
    "30 6 * * 1-5": "at 06:30 on Monday to Friday",
    "0 12 * * 6,7": "at 12:00 on Saturday and Sunday",
    "0 0 * * FRI-MON": "at 00:00 on Friday to Monday",
    "0 18 * * FRI#2": "at 18:00 on the second Friday of the month",
    "0 18 * * 5L": "at 18:00 on the last Friday of the month",
    "@monthly": "at 00:00 on day 1 of the month",
    "0 0 1,15 * *": "at 00:00 on days 1 and 15 of the month",
    "0 0 28-3 * *": "at 00:00 on days 28 to 3 of the month",
    "0 0 L * *": "at 00:00 on the last day of the month",
    "0 0 L-2 * *": "at 00:00 on the day that is 2 before the last of the month",
    "0 0 15W * *": "at 00:00 on the weekday (Monday to Friday) nearest to day 15 of the month",
    "0 0 LW * *": "at 00:00 on the weekday (Monday to Friday) nearest to the last day of the month",
    "0 9 1-7 NOV-FEB *": "at 09:00 on days 1 to 7 of the month in November to February",
    "@yearly": "at 00:00 on day 1 of the month in January",
    "0 0 13 * 5": "at 00:00 on day 13 of the month or on Friday",
    "0 0 */10 * 5": "at 00:00 on days 1, 11, 21 and 31 of the month if it is also Friday",
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
