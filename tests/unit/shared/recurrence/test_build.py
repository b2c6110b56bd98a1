"""The recurrence of a spec, as the scheduler stored it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from financehub_shared.core.errors import ConfigError
from financehub_shared.recurrence.build import build_recurrence, recurrence_of_spec

BEGIN = datetime(2026, 11, 25, tzinfo=UTC).timestamp()
UID = "11111111-1111-4111-8111-111111111111"


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        ({"schedule": "0 9 * * *"}, {"schedules": ["0 9 * * *"]}),
        ({"schedules": ["0 9 * * *", "@every 5h offset 7m"]}, {"schedules": ["0 9 * * *", "@every 5h offset 7m"]}),
        (
            {"schedule": "0 9 1-7 * MON", "dayMatch": "All", "timeZone": "Asia/Tokyo"},
            {"schedules": ["0 9 1-7 * MON"], "day_match": "All", "time_zone": "Asia/Tokyo"},
        ),
        (
            {"schedule": "@close", "calendar": "XNYS", "calendarOffsetSeconds": 900},
            {"schedules": ["@close"], "calendar": "XNYS", "calendar_offset_seconds": 900},
        ),
        (
            {"schedule": "*/10 * * * * *", "exclude": [{"from": "22:00", "to": "06:00"}, {"holidays": "XNYS"}]},
            {"schedules": ["*/10 * * * * *"], "exclude": [{"from": "22:00", "to": "06:00"}, {"holidays": "XNYS"}]},
        ),
        (
            {
                "schedule": "@daily",
                "startTime": "2026-12-01T09:00:00Z",
                "endTime": "2026-12-03T00:00:00+00:00",
                "jitterSeconds": 60,
            },
            {
                "schedules": ["@daily"],
                "start_time": datetime(2026, 12, 1, 9, tzinfo=UTC),
                "end_time": datetime(2026, 12, 3, tzinfo=UTC),
                "jitter_seconds": 60,
            },
        ),
    ],
)
def test_recurrence_of_spec_reads_each_field(spec: dict[str, Any], fields: dict[str, Any]):
    """A stored spec has the due times and the delay that its fields mean."""
    found, expected = recurrence_of_spec(UID, spec), build_recurrence(UID, **fields)
    assert (
        list(found.due_times(BEGIN, BEGIN + 20 * 86_400)) == list(expected.due_times(BEGIN, BEGIN + 20 * 86_400)) != []
    )
    assert found.offset == expected.offset
    assert found.allows(BEGIN + 43_200) == expected.allows(BEGIN + 43_200)


def test_recurrence_of_spec_with_after_has_no_due_times_and_keeps_its_limits():
    """A schedule that runs after another one has no lines; its exclusions still allow or refuse a run."""
    recurrence = recurrence_of_spec(UID, {"after": "prices", "exclude": [{"weekdays": ["WED"]}]})
    assert recurrence.next_after(0) is None
    assert not recurrence.allows(BEGIN)  # a Wednesday
    assert recurrence.allows(BEGIN + 86_400)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, "its field 'schedule' is missing"),
        ({"schedule": "0 25 * * *"}, "hour 25 is not valid"),
        ({"schedule": "@daily", "dayMatch": "Some"}, "dayMatch 'Some' is unknown"),
        ({"schedule": "@daily", "exclude": [{"dates": ["yesterday"]}]}, "'yesterday' is not a date"),
        ({"schedule": "@daily", "exclude": ["SAT"]}, "exclude"),
        ({"schedule": "@daily", "exclude": 5}, "exclude"),
        ({"schedule": "@daily", "exclude": [{"weekdays": 5}]}, "exclude"),
        ({"schedule": "@daily", "exclude": [{"dates": 5}]}, "exclude"),
        ({"schedule": "@daily", "calendar": ["XNYS"]}, "is not a known exchange"),
        ({"schedule": "@daily", "calendarOffsetSeconds": 60}, "calendarOffsetSeconds needs a calendar"),
        ({"schedule": "@daily", "calendarOffsetSeconds": "soon", "calendar": "XNYS"}, "soon"),
        ({"schedule": "@daily", "startTime": "2026-12-01T09:00:00"}, "has no offset"),
    ],
)
def test_recurrence_of_spec_of_a_damaged_spec_says_what_is_wrong(spec: dict[str, Any], message: str):
    """A spec that another program wrote is an error that names the field, and never an unexpected exception."""
    with pytest.raises(ConfigError) as caught:
        recurrence_of_spec(UID, spec)
    assert str(caught.value).startswith("the due times cannot be computed from the stored spec: ")
    assert message in str(caught.value)
