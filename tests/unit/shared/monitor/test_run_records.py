"""The records of runs, as the monitor reads them."""

import json
from typing import Any

import pytest

from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.monitor import RunRecord

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
