"""The words for the fields of a spec that decide about its due times."""

import json
from typing import Any

import pytest

from financehub_shared.spec.task_spec import ScheduledTaskSpec
from financehub_shared.spec.words import spec_in_words


def words(**fields: Any) -> str:
    return spec_in_words(ScheduledTaskSpec.model_validate_json(json.dumps({"task": "fetch_news_task", **fields})))


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"weekdays": ["MON", "TUE"]}, "on Monday and Tuesday"),
        ({"weekdays": ["SUN", "SAT"]}, "on Saturday and Sunday"),
        ({"weekdays": ["MON", "TUE", "WED", "THU", "FRI"]}, "on Monday to Friday"),
        ({"weekdays": ["MON"], "from": "22:00", "to": "06:00"}, "from 22:00 to 06:00 on Monday"),
        ({"dates": ["12-25", "2026-12-24"]}, "on 12-25 of every year and 2026-12-24"),
        ({"dates": ["2026-12-24/2027-01-02"]}, "on 2026-12-24 to 2027-01-02"),
        ({"holidays": "XNYS"}, "on holidays of XNYS"),
        ({"weekdays": ["FRI"], "holidays": "XNYS"}, "on Friday if it is also one of the holidays of XNYS"),
        ({"weekdays": ["FRI"], "dates": ["12-25"]}, "on Friday if it is also 12-25 of every year"),
        ({"from": "09:00", "to": "12:00"}, "from 09:00 to 12:00"),
    ],
)
def test_spec_in_words_of_an_exclusion_says_its_days_and_that_all_fields_apply(entry: dict[str, Any], expected: str):
    """Weekdays are written out, and days to which several fields apply are not a list."""
    assert words(schedule="@daily", exclude=[entry]) == (f"at 00:00 every day, in UTC, except {expected}")


def test_spec_in_words_of_jitter_says_that_the_delay_is_the_same():
    """The jitter is a limit, and the delay is constant."""
    assert words(schedule="@daily", jitterSeconds=5).endswith(", each run with the same delay below 5 s")


@pytest.mark.parametrize(
    ("calendar", "expected"),
    [
        ("XNYS", "at the opening of each session day of XNYS, in UTC"),
        ("FX", "at the opening of each trading week of FX, in UTC"),
    ],
)
def test_spec_in_words_of_an_opening_says_how_often_it_is(calendar: str, expected: str):
    """The currency market opens once a week."""
    assert words(schedule="@open", calendar=calendar) == expected
