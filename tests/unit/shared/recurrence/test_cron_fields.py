"""The grammar of cron expressions: each element with the days and times that it means, and each mistake."""

import re
from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from financehub_shared.recurrence.cron_fields import field_problems, has_seconds, parse_fields
from financehub_shared.recurrence.recurrence import Recurrence
from financehub_shared.recurrence.rules import parse_rule

UTC_ZONE = ZoneInfo("UTC")


def next_times(expression: str, after: str, count: int, day_match: str = "Any") -> list[str]:
    begin = datetime.fromisoformat(after).replace(tzinfo=UTC).timestamp()
    rule = Recurrence((parse_rule(expression, UTC_ZONE, day_match=day_match),))
    return [datetime.fromtimestamp(due, UTC).strftime("%Y-%m-%d %H:%M:%S") for due in islice(_walk(rule, begin), count)]


def _walk(recurrence: Recurrence, time: float):
    while (due := recurrence.next_after(time)) is not None:
        yield due
        time = due


def times_of_day(expression: str) -> list[str]:
    """Return the times of 2026-01-02 that an expression means."""
    times = next_times(expression, "2026-01-01 23:59:59", 3_000)
    return [time[11:] for time in times if time.startswith("2026-01-02")]


def days_of(expression: str, month: str, day_match: str = "Any") -> list[int]:
    """Return the days of a month on which an expression is due at midnight."""
    begin = datetime.fromisoformat(f"{month}-01").replace(tzinfo=UTC).timestamp() - 1
    rule = Recurrence((parse_rule(f"0 0 {expression}", UTC_ZONE, day_match=day_match),))
    found = (datetime.fromtimestamp(due, UTC) for due in islice(_walk(rule, begin), 32))
    return [moment.day for moment in found if f"{moment:%Y-%m}" == month]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        pytest.param("30 6 * * *", ["06:30:00"], id="value"),
        pytest.param("030 006 * * *", ["06:30:00"], id="leading-zeros"),
        pytest.param("0 9-12 * * *", ["09:00:00", "10:00:00", "11:00:00", "12:00:00"], id="range"),
        pytest.param("0 9,17,9 * * *", ["09:00:00", "17:00:00"], id="list-with-a-repetition"),
        pytest.param("0 */8 * * *", ["00:00:00", "08:00:00", "16:00:00"], id="step"),
        pytest.param("0 9-17/4 * * *", ["09:00:00", "13:00:00", "17:00:00"], id="range-with-step"),
        pytest.param("50/5 9 * * *", ["09:50:00", "09:55:00"], id="value-with-step-goes-to-the-end"),
        pytest.param("5-5/15 9 * * *", ["09:05:00"], id="range-of-one-value-with-step"),
        pytest.param("0 */99 * * *", ["00:00:00"], id="step-beyond-the-field"),
        pytest.param("0 22-2 * * *", ["00:00:00", "01:00:00", "02:00:00", "22:00:00", "23:00:00"], id="wrap"),
        pytest.param(
            "0 22-6/2 * * *", ["00:00:00", "02:00:00", "04:00:00", "06:00:00", "22:00:00"], id="step-over-the-wrap"
        ),
        pytest.param("55-5/5 9 * * *", ["09:00:00", "09:05:00", "09:55:00"], id="minutes-wrap"),
        pytest.param("0 23-22/23 * * *", ["22:00:00", "23:00:00"], id="wrap-over-the-whole-day"),
        pytest.param("*/20 30 9 * * *", ["09:30:00", "09:30:20", "09:30:40"], id="six-fields-begin-with-seconds"),
        pytest.param("58-1 59 23 * * *", ["23:59:00", "23:59:01", "23:59:58", "23:59:59"], id="seconds-wrap"),
        pytest.param("7,1-2 0 0 * * *", ["00:00:01", "00:00:02", "00:00:07"], id="seconds-list"),
        pytest.param("\t0  9\t*  * * ", ["09:00:00"], id="blanks"),
    ],
)
def test_expression_with_an_element_for_times_means_the_expected_times(expression: str, expected: list[str]):
    """Each element of the fields for seconds, minutes and hours means exactly the expected times of a day."""
    assert times_of_day(expression) == expected


@pytest.mark.parametrize(
    ("days", "month", "expected"),
    [
        pytest.param("L * *", "2026-02", [28], id="last-day"),
        pytest.param("L * *", "2028-02", [29], id="last-day-of-a-leap-year"),
        pytest.param("L-1 * *", "2026-02", [27], id="day-before-the-last"),
        pytest.param("L-27 * *", "2026-02", [1], id="first-day-from-the-end"),
        pytest.param("L-28,1 * *", "2026-02", [1], id="a-short-month-has-no-such-day"),
        pytest.param("L-30 * *", "2026-03", [1], id="the-longest-distance"),
        pytest.param("L-2,L-4,10 * *", "2026-04", [10, 26, 28], id="list-of-last-days"),
        pytest.param("15W * *", "2026-08", [14], id="nearest-of-a-saturday-is-friday"),
        pytest.param("15W * *", "2026-11", [16], id="nearest-of-a-sunday-is-monday"),
        pytest.param("15W * *", "2026-09", [15], id="nearest-of-a-weekday"),
        pytest.param("1W * *", "2026-08", [3], id="first-on-a-saturday-stays-in-the-month"),
        pytest.param("1W * *", "2026-11", [2], id="first-on-a-sunday"),
        pytest.param("31W * *", "2026-05", [29], id="last-on-a-sunday-stays-in-the-month"),
        pytest.param("31W * *", "2026-10", [30], id="last-on-a-saturday"),
        pytest.param("31W,3 * *", "2026-06", [3], id="no-31st"),
        pytest.param("28W * *", "2026-02", [27], id="last-of-february-on-a-saturday"),
        pytest.param("LW * *", "2026-05", [29], id="last-weekday"),
        pytest.param("LW * *", "2026-07", [31], id="last-weekday-is-the-last-day"),
        pytest.param("L-1W * *", "2026-05", [29], id="nearest-of-a-saturday-before-the-last"),
        pytest.param("L-2W * *", "2026-08", [28], id="nearest-of-a-saturday-two-before-the-last"),
        pytest.param("L-29W * *", "2026-08", [3], id="from-the-end-on-a-sunday"),
        pytest.param("L-30W * *", "2026-08", [3], id="from-the-end-on-the-first"),
        pytest.param("28-3 * *", "2026-03", [1, 2, 3, 28, 29, 30, 31], id="days-wrap"),
        pytest.param("28-3/2 * *", "2026-03", [1, 3, 28, 30], id="days-wrap-with-step"),
        pytest.param("29-2/2 * *", "2026-02", [2], id="step-counts-days-that-the-month-lacks"),
        pytest.param("*/10 * *", "2026-03", [1, 11, 21, 31], id="day-step"),
        pytest.param("* * FRI", "2026-05", [1, 8, 15, 22, 29], id="weekday-name"),
        pytest.param("* * 5", "2026-05", [1, 8, 15, 22, 29], id="weekday-number"),
        pytest.param("* * 0", "2026-05", [3, 10, 17, 24, 31], id="sunday-is-0"),
        pytest.param("* * 7", "2026-05", [3, 10, 17, 24, 31], id="sunday-is-7"),
        pytest.param("* * SAT-SUN", "2026-05", [2, 3, 9, 10, 16, 17, 23, 24, 30, 31], id="weekend-by-name"),
        pytest.param("* * 6-7", "2026-05", [2, 3, 9, 10, 16, 17, 23, 24, 30, 31], id="weekend-by-number"),
        pytest.param("* * 6-0", "2026-05", [2, 3, 9, 10, 16, 17, 23, 24, 30, 31], id="weekend-that-wraps"),
        pytest.param("* * FRI-MON", "2026-06", [1, *range(5, 9), *range(12, 16), *range(19, 23), *range(26, 30)]),
        pytest.param("* * 5-1", "2026-06", [1, *range(5, 9), *range(12, 16), *range(19, 23), *range(26, 30)]),
        pytest.param("* * 7-2", "2026-06", [1, 2, 7, 8, 9, 14, 15, 16, 21, 22, 23, 28, 29, 30], id="from-7"),
        pytest.param("* * 7-7", "2026-06", [7, 14, 21, 28], id="only-7"),
        pytest.param("* * 0-7", "2026-06", list(range(1, 31)), id="whole-week-from-0"),
        pytest.param("* * 1-7", "2026-06", list(range(1, 31)), id="whole-week-from-1"),
        pytest.param("* * MON-SUN", "2026-06", list(range(1, 31)), id="whole-week-by-name"),
        pytest.param("* * 1-0/3", "2026-06", [1, 4, 7, 8, 11, 14, 15, 18, 21, 22, 25, 28, 29], id="week-with-step"),
        pytest.param("* * 5/2", "2026-06", [5, 7, 12, 14, 19, 21, 26, 28], id="weekday-with-step-ends-on-sunday"),
        pytest.param("* * */7", "2026-06", [7, 14, 21, 28], id="a-step-of-a-week-is-sunday"),
        pytest.param("* * FRI#2", "2026-05", [8], id="second-friday"),
        pytest.param("* * fri#1", "2026-05", [1], id="first-friday-in-small-letters"),
        pytest.param("* * 7#5,1#1", "2026-05", [4, 31], id="list-of-numbered-weekdays"),
        pytest.param("* * FRI#5", "2026-06", [], id="no-fifth-friday"),
        pytest.param("* * 5L", "2026-05", [29], id="last-friday"),
        pytest.param("* * MONL", "2026-05", [25], id="last-monday-seven-days-before-the-next-month"),
        pytest.param("* * 7-0", "2026-06", [7, 14, 21, 28], id="from-sunday-to-sunday"),
        pytest.param("* * 7-6/6", "2026-06", [6, 7, 13, 14, 20, 21, 27, 28], id="week-from-7-with-step"),
        pytest.param("* * FRIL", "2026-05", [29], id="last-friday-by-name"),
        pytest.param("* * 0L,7L,SUNL", "2026-05", [31], id="last-sunday"),
        pytest.param("* * FRIL,MON#1,3", "2026-05", [4, 6, 13, 20, 27, 29], id="mixed-list-of-weekdays"),
        pytest.param("* NOV-FEB MON#1", "2026-12", [7], id="months-wrap-inside"),
        pytest.param("* NOV-FEB MON#1", "2026-05", [], id="months-wrap-outside"),
        pytest.param("1 11-2/2 *", "2026-01", [1], id="months-wrap-with-step"),
        pytest.param("1 11-2/2 *", "2026-02", [], id="months-wrap-with-step-outside"),
        pytest.param("1 jan,Jun *", "2026-06", [1], id="month-names-in-any-case"),
    ],
)
def test_expression_with_an_element_for_days_means_the_expected_days(days: str, month: str, expected: list[int]):
    """Each element of the fields for days, months and weekdays means exactly the expected days of a month."""
    assert days_of(days, month) == expected


@pytest.mark.parametrize(
    ("days", "day_match", "expected"),
    [
        pytest.param("1-7 * MON", "Any", [1, 2, 3, 4, 5, 6, 7, 11, 18, 25], id="both-restricted-is-or"),
        pytest.param("1-7 * MON", "All", [4], id="all-is-and"),
        pytest.param("*/2 * MON", "Any", [11, 25], id="a-starred-day-is-and"),
        pytest.param("10-20 * */2", "Any", [10, 12, 14, 16, 17, 19], id="a-starred-weekday-is-and"),
        pytest.param("L * FRI", "Any", [1, 8, 15, 22, 29, 31], id="last-day-or-friday"),
        pytest.param("L-2 * FRI", "All", [29], id="last-days-and-friday"),
        pytest.param("15W * MON", "Any", [4, 11, 15, 18, 25], id="nearest-weekday-or-monday"),
        pytest.param("31 * FRI#2", "Any", [8, 31], id="day-or-second-friday"),
        pytest.param("13 * *", "All", [13], id="all-with-an-open-weekday"),
        pytest.param("* * MON", "All", [4, 11, 18, 25], id="all-with-an-open-day"),
    ],
)
def test_days_of_month_and_weekdays_combine_as_day_match_says(days: str, day_match: str, expected: list[int]):
    """A day matches one of two restricted fields, or both if dayMatch is All or one of the fields begins with `*`."""
    assert days_of(days, "2026-05", day_match) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 0 29 2 *", ["2028-02-29 00:00:00", "2032-02-29 00:00:00"]),
        ("0 0 L-28 2 *", ["2028-02-01 00:00:00", "2032-02-01 00:00:00"]),
        ("0 0 29W 2 *", ["2028-02-29 00:00:00", "2032-02-27 00:00:00"]),
        ("0 0 * 2 FRI#5", ["2036-02-29 00:00:00", "2064-02-29 00:00:00"]),
        ("0 0 31 2,3 *", ["2026-03-31 00:00:00", "2027-03-31 00:00:00"]),
        ("0 0 31 2 1", ["2026-02-02 00:00:00", "2026-02-09 00:00:00"]),
    ],
)
def test_expression_with_rare_days_is_due_on_the_next_of_them(expression: str, expected: list[str]):
    """An expression whose days are years apart is due on each of them."""
    assert next_times(expression, "2026-01-01 00:00:00", 2) == expected


def test_expression_with_days_forty_years_apart_is_found():
    """The largest distance of two due times is the 40 years around 2100, which is not a leap year."""
    assert next_times("0 0 29 2 */7", "2088-03-01 00:00:00", 1) == ["2128-02-29 00:00:00"]


@pytest.mark.parametrize(
    "expression",
    [
        *("0 0 31 2 *", "0 0 30 2 *", "0 0 30,31 FEB *", "0 0 31 4,6,9,11 *", "0 0 31 2-2 *", "0 0 31 11/12 *"),
        *("0 0 30W 2 *", "0 0 31W 4 *", "0 0 L-29 2 *", "0 0 L-30 4,6 *", "0 0 L-30W 2 *", "0 0 30-31 2 */2"),
    ],
)
def test_parse_rule_of_days_that_no_month_has_is_refused(expression: str):
    """An expression that is never due is refused at once, with the remedy."""
    with pytest.raises(ValueError, match="never comes; none of its months has such a day, because"):
        parse_rule(expression, UTC_ZONE)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("60 * * * *", "'60 [*] [*] [*] [*]': minute 60 is not valid; use 0-59, with"),
        ("* 24 * * *", "hour 24 is not valid; write 0, because midnight is the hour 0"),
        ("* 22-24 * * *", "hour 22-24 is not valid; write 22-0"),
        ("60 * * * * *", "second 60 is not valid; use 0-59"),
        ("* * 0 * *", "day of month 0 is not valid; use 1-31"),
        ("* * 32 * *", "day of month 32 is not valid; use 1-31, L, L-3, LW or 15W"),
        ("* * 32W * *", "day of month 32W is not valid; use 1-31"),
        ("* * 0W * *", "day of month 0W is not valid; use 1-31"),
        ("* * L-31 * *", "day of month L-31: use L for the last day, or L-1 to L-30"),
        ("* * L-0 * *", "use L for the last day, or L-1 to L-30"),
        ("* * W * *", "write the day before W, such as 15W"),
        ("* * WL * *", "day of month WL is not valid; use 1-31"),
        ("* * 15W-20 * *", "day of month 15W-20 is not valid"),
        ("* * 1-5W * *", "day of month 1-5W is not valid"),
        ("* * L/2 * *", "day of month L/2 is not valid"),
        ("* * * 13 *", "month 13 is not valid; use 1-12 or JAN-DEC"),
        ("* * * 0 *", "month 0 is not valid"),
        ("* * * JANUARY *", "month JANUARY is not valid; write JAN"),
        ("* * * * 8", "weekday 8 is not valid; use 0-7 or SUN-SAT, FRI#2 or FRIL"),
        ("* * * * monday", "weekday MONDAY is not valid; write MON"),
        ("* * * * FOO", "weekday FOO is not valid; use 0-7 or SUN-SAT"),
        ("* * * * L", "write the weekday before L, such as FRIL"),
        ("* * * * FRI#6", "weekday FRI#6: a month has a weekday up to five times; use #1 to #5, or L for last"),
        ("* * * * 5#0", "use #1 to #5"),
        ("* * * * 8#1", "weekday 8#1 is not valid"),
        ("* * * * 8L", "weekday 8L is not valid"),
        ("* * * * MON-FRI#2", "weekday MON-FRI#2 is not valid"),
        ("0 0 ? * MON", r"day of month \? is not valid; write \* instead of \?"),
        ("/5 * * * *", r"minute /5 is not valid; write \*/5 for a step"),
        ("*/0 * * * *", r"minute \*/0 has the step 0; use 0-59, with a step of at least 1"),
        ("5/0 * * * *", "the step 0"),
        ("*-5 * * * *", r"minute \*-5 is not valid"),
        ("5- * * * *", "minute 5- is not valid"),
        ("-5 * * * *", "minute -5 is not valid"),
        ("1-2-3 * * * *", "minute 1-2-3 is not valid"),
        ("*/5/2 * * * *", r"minute \*/5/2 is not valid"),
        ("1,,2 * * * *", "minute 1,,2 has an empty entry; remove the extra comma"),
        ("1, * * * *", "has an empty entry"),
        ("1.5 * * * *", "minute 1.5 is not valid"),
        ("٣ * * * *", "has a character that no schedule has"),
        ("0 9–17 * * *", "has a character that no schedule has, such as a long dash"),
        ("9" * 200 + " * * * *", "is not valid; use 0-59"),
        ("", "'' has 0 fields; cron takes five: minute, hour, day of month, month, weekday; or six with the second"),
        ("0", "has 1 field;"),
        ("* * * *", "has 4 fields"),
        ("0 0 * * * * 2026", "has 7 fields"),
        ("0 0 */2 * FRI#2", r"weekday FRI#2 does not work with day of month \*/2; write \* as the day of month"),
        ("0 0 */2 * 5L", r"weekday 5L does not work with day of month \*/2"),
        ("0 0 1W * */2", r"day of month 1W does not work with weekday \*/2; write \* as the weekday"),
    ],
)
def test_parse_rule_of_an_invalid_field_says_what_to_write(expression: str, message: str):
    """The error names the expression, the field and its text, and what to write instead."""
    with pytest.raises(ValueError, match=message):
        parse_rule(expression, UTC_ZONE)


@pytest.mark.parametrize("days", ["15W * *", "LW * MON", "1 * FRI#2", "* * 5L", "L-3W * 1-5", "1 * MONL"])
def test_parse_rule_with_day_match_all_refuses_days_that_would_hardly_ever_match(days: str):
    """With dayMatch All, the elements W, # and the L of a weekday are refused with the remedy."""
    with pytest.raises(
        ValueError, match="does not work with dayMatch All; use dayMatch Any, or days without W, # and the L of"
    ):
        parse_rule(f"0 0 {days}", UTC_ZONE, day_match="All")


def test_parse_rule_with_an_unknown_day_match_names_the_known_ones():
    """The error for an unknown dayMatch lists the two values."""
    with pytest.raises(ValueError, match="dayMatch 'Both' is unknown; write Any or All"):
        parse_rule("0 0 1 * 1", UTC_ZONE, day_match="Both")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("* * * * *", False), ("0 * * * * *", True), (" 0 0 0 1 1 * ", True), ("@every 1h offset 7m", False)],
)
def test_has_seconds_is_true_for_six_fields(text: str, expected: bool):
    """Only a cron expression with six fields has seconds."""
    assert has_seconds(text) is expected


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("60 25 32 13 8", ["minute 60", "hour 25", "day of month 32", "month 13", "weekday 8"]),
        ("60 61 25 32 13 8", ["second 60", "minute 61", "hour 25", "day of month 32", "month 13", "weekday 8"]),
        ("5,60,61 9 * * *", ["minute 60", "minute 61"]),
        ("1,,2 24 L-31 * FRI#6", ["minute 1,,2", "hour 24", "day of month L-31", "weekday FRI#6"]),
        ("60,60 9 * * *", ["minute 60"]),
        ("0 9 * * *", []),
        ("60 25", []),
    ],
)
def test_field_problems_of_several_invalid_entries_name_each_of_them(text: str, wrong: list[str]):
    """Each invalid entry of each field has its sentence, in the order of the expression."""
    problems = field_problems(text)
    assert len(problems) == len(wrong)
    for problem, name in zip(problems, wrong, strict=True):
        assert re.match(rf"{re.escape(f'{text!r}: {name}')}\b", problem)
    if wrong:
        with pytest.raises(ValueError, match=r"is not valid|has an empty entry") as error:
            parse_fields(text, "Any")
        assert all(name in str(error.value) for name in wrong)


@pytest.mark.parametrize(
    ("text", "day_match", "reason"),
    [
        ("0 9 31 4,6 MON", "All", "April and June have no day 31"),
        ("0 9 31W 2,4 *", "Any", "February and April have no day 31"),
        ("0 9 L-30 2 *", "Any", "February has no day L-30"),
        ("0 9 L-30W 2,4 *", "Any", "February and April have no day L-30"),
        ("0 9 30-31 FEB *", "Any", "February has no day 30 or 31"),
        ("0 9 31,L-30 2,4,9 *", "Any", "February, April and September have no day 31 or L-30"),
    ],
)
def test_parse_fields_of_days_that_no_month_has_names_the_months_and_days(text: str, day_match: str, reason: str):
    """The sentence names the months and the days that were read, and no other ones."""
    with pytest.raises(ValueError, match="never comes") as error:
        parse_fields(text, day_match)
    assert str(error.value) == (
        f"{text!r} never comes; none of its months has such a day, because {reason}; change the day or the month"
    )


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("0 24 * * *", "write 0, because"),
        ("0 22-24 * * *", "write 22-0, because"),
        ("0 24/2 * * *", "write 0/2, because"),
        ("0 024 * * *", "write 0, because"),
        ("0 25 * * *", "use 0-23"),
        ("0 0 24 24 *", "use 1-12"),
        ("hourly", "write '@hourly'"),
        ("Daily", "write '@daily'"),
        ("every 5 minutes", "write '@every 5m'"),
        ("every 2 hours", "write '@every 2h'"),
        ("every five minutes", "or six with the second first"),
    ],
)
def test_parse_fields_of_a_common_mistake_says_what_to_write(text: str, fix: str):
    """A form of another program or a word is refused with the form that is meant."""
    with pytest.raises(ValueError, match=fix):
        parse_fields(text, "Any")
