"""The records of runs, as the monitor reads them."""

import json
from typing import Any

import pytest

from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.monitor import RunRecord, TaskStats

CURRENT = TaskSummary(requested=2, stored=1).as_dict()


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (CURRENT, CURRENT),
        ({"asked": 2, "stored": 1}, {"requested": 2, "stored": 1}),
        ({"asked": 2, "requested": 3}, {"asked": 2, "requested": 3}),
        ({"rows": 5}, {"rows": 5}),
        ([1, 2], [1, 2]),
    ],
    ids=["current", "older", "both", "of a user's task", "not an object"],
)
def test_summary_of_an_older_record_has_the_current_names(stored: Any, expected: Any) -> None:
    """A summary that was written with `asked` is read as `requested`, and any other summary is unchanged."""
    record = RunRecord.from_fields("m1", {"state": "succeeded", "summary": json.dumps(stored)})
    assert record.summary == expected


def test_attempts_of_an_older_record_are_read_from_its_field() -> None:
    """A run that an older release recorded keeps its number of attempts until the record expires."""
    assert RunRecord.from_fields("m1", {"state": "succeeded", "try": "3"}).attempts == 3
    assert RunRecord.from_fields("m1", {"state": "succeeded", "try": "1", "attempt": "2"}).attempts == 2


@pytest.mark.parametrize(
    ("fields", "average"),
    [
        ({}, None),
        ({"attempts": "2", "attempt_seconds": "6"}, 3.0),
        ({"tries": "2", "seconds": "6"}, 3.0),
        ({"tries": "2", "seconds": "6", "attempts": "1", "attempt_seconds": "0"}, 2.0),
    ],
    ids=["no attempt", "current", "older", "both"],
)
def test_average_covers_the_attempts_that_older_releases_counted(fields: dict[str, str], average: float | None) -> None:
    """The average covers the same attempts as the quantiles, whose buckets were not renamed."""
    assert TaskStats.from_fields(0, fields).average == average
