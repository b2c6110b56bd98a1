"""The patterns of suspicious lines say what the parser of cron expressions reads."""

import re

import pytest

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.recurrence.build import recurrence_of_spec
from financehub_shared.recurrence.cron_fields import parse_fields
from financehub_shared.spec.suspicious_lines import ALL_DAYS, LONG_STEP
from financehub_shared.spec.warning_texts import NO_BOTH_DAYS
from financehub_shared.spec.warnings import find_warnings

NOW = 1_800_000_000.0
#: Place of a field → its first and its last value.
FIELDS = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))


@pytest.mark.parametrize("place", range(6))
@pytest.mark.parametrize("entry", ["*/{}", "*/00{}", "{first}/{}", "{first}-{last}/{}", "{first},{first}/{}"])
def test_long_step_pattern_knows_each_step_with_which_one_value_matches(place: int, entry: str) -> None:
    """A step of a field is too long if it leaves a single value, in expressions with five and with six fields."""
    first, last = FIELDS[place]
    for step in (*range(1, 135), 600, 1000, 3131):
        fields = ["*"] * 6
        fields[place] = entry.format(step, first=first, last=last)
        has_one_value = len(range(first, last + 1, step)) == 1
        for text in [" ".join(fields)] + [" ".join(fields[1:])] * (place > 0):
            assert bool(re.search(LONG_STEP, text)) == has_one_value, text
            parse_fields(text, "Any")


@pytest.mark.parametrize("months", ["*", "2", "JAN-MAR"])
def test_all_days_pattern_knows_each_range_with_which_a_field_restricts_nothing(months: str) -> None:
    """A range matches the pattern if and only if each day of the months is due because of it."""
    for first in range(1, 32):
        for last in range(first, 32):
            text = f"0 9 {first:02}-{last} {months} MON"
            is_full = (first, last) == (1, 31)
            assert bool(re.search(ALL_DAYS, text)) == is_full, text
            assert is_full <= parse_fields(text, "Any").days.are_all(), text
    names = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
    for first in range(8):
        for last in range(first, 8):
            texts = [f"0 9 13 {months} {first}-{last}", f"0 9 13 {months} {names[first % 7].lower()}-{names[last % 7]}"]
            for text in texts[: 1 if 7 in {first, last} and first else 2]:
                matches = bool(re.search(ALL_DAYS, text))
                assert matches == parse_fields(text, "Any").days.are_all(), text


@pytest.mark.parametrize("day", ["*", "*/2", "1-31", "13", "1-7", "L"])
@pytest.mark.parametrize("weekday", ["*", "*/2", "0-7", "MON", "SUN-SAT"])
def test_warning_that_all_has_no_effect_is_given_exactly_if_the_due_times_are_the_same(day: str, weekday: str) -> None:
    """Nobody is told to remove a `dayMatch: All` without which other days would be due."""
    line = f"0 9 {day} * {weekday}"
    times = [
        list(recurrence_of_spec("x", {"schedule": line, "dayMatch": match}).due_times(NOW, NOW + 400 * DAY_SECONDS))
        for match in ("Any", "All")
    ]
    spec = {"task": "fetch_news_task", "schedule": line, "dayMatch": "All"}
    has_warning = NO_BOTH_DAYS in find_warnings(spec, recurrence_of_spec("x", spec), NOW)
    if has_warning:
        assert times[0] == times[1]
    # With both fields full, the result is the same by accident.
    assert has_warning or times[0] != times[1] or (day, weekday) in {("1-31", "0-7"), ("1-31", "SUN-SAT")}
