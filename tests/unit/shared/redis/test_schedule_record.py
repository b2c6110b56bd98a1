"""The parsers of schedule records, backfills and next runs."""

from typing import Any

import pytest

from financehub_shared.redis.schedule_record import (
    BackfillInfo,
    NextRuns,
    ScheduleOutcome,
    ScheduleRecord,
    new_backfill,
)

FIELDS = {
    "uid": "u",
    "name": "default/demo",
    "task": "demo_task",
    "queue": "q",
    "spec": '{"schedule": "@daily"}',
    "suspended": "1",
    "runs": "1",
    "triggered": "2",
    "backfilled": "3",
    "missed": "4",
    "skipped_overlap": "5",
    "skipped_refused": "6",
    "last_skip_reason": "overlap",
    "last_skip_at": "7.5",
    "last_due_at": "8.000",
    "ended": "9",
    "failures": "10",
    "last_run_id": "m",
    "last_run_outcome": "lost",
    "last_run_at": "11.5",
    "last_run_duration": "12.5",
    "last_run_error": "gone",
    "last_success_at": "13.5",
    "last_failure_at": "14.5",
}


def test_record_of_a_full_hash_has_all_fields() -> None:
    """Every field of the hash is parsed to its type."""
    assert ScheduleRecord.from_fields(FIELDS) == ScheduleRecord(
        *("u", "default/demo", "demo_task", "q", {"schedule": "@daily"}, True, 1, 2, 3, 4),
        skipped={"overlap": 5, "refused": 6},
        last_skip=("overlap", 7.5),
        last_due_at=8.0,
        outcome=ScheduleOutcome(9, 10, "m", "lost", 11.5, 12.5, "gone", 13.5, 14.5),
    )


def test_record_of_an_empty_hash_has_defaults() -> None:
    """A schedule that is not registered has an empty record."""
    assert ScheduleRecord.from_fields({}) == ScheduleRecord()


@pytest.mark.parametrize("changed", [{"runs": "many"}, {"spec": "{"}, {"last_due_at": "noon"}])
def test_record_with_an_unreadable_field_raises(changed: dict[str, str]) -> None:
    """A field that was changed manually and is unreadable raises ValueError."""
    with pytest.raises(ValueError, match=r".+"):
        ScheduleRecord.from_fields(FIELDS | changed)


def test_settled_counts_ends_skips_and_misses() -> None:
    """`progress` is the number of runs that ended and of due times that were skipped or missed."""
    assert ScheduleRecord.from_fields(FIELDS).progress == 9 + 5 + 6 + 4


@pytest.mark.parametrize(
    ("changed", "state", "total"),
    [({}, "pending", 0), ({"total": "6"}, "running", 6), ({"total": "6", "state": "finished"}, "finished", 6)],
)
def test_backfill_state_depends_on_total(changed: dict[str, str], state: str, total: int) -> None:
    """A pending backfill whose due times have been counted is running, and one that has ended stays ended."""
    fields: dict[str, Any] = new_backfill("u", "default/demo", 1.5, 2.5) | changed
    assert BackfillInfo.from_fields("b", fields) == BackfillInfo("b", "default/demo", 1.5, 2.5, state, total, 0, "")


def test_next_runs_to_json_and_back_are_equal() -> None:
    """Next runs are unchanged after being stored and parsed."""
    next_runs = NextRuns((1.5, 2.0), "no due time is left")
    assert NextRuns.from_json(next_runs.to_json().encode()) == next_runs
