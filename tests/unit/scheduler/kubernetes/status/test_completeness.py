"""Completeness: when the write of a status waits for the rest of what the last run changes."""

from datetime import UTC, datetime

import pytest

from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.kubernetes.observed_status import ConditionDigest
from financehub_scheduler.kubernetes.status.completeness import must_wait
from financehub_scheduler.kubernetes.status.conditions import evaluate
from financehub_scheduler.kubernetes.status.snapshot import ScheduleSnapshot
from financehub_scheduler.kubernetes.watch.resource import parse_resource
from financehub_scheduler.redis.enqueuer import RunSubmission, encode
from financehub_shared.monitor import RunRecord, RunState
from financehub_shared.redis.schedule_record import ScheduleOutcome, ScheduleRecord
from support.schedules import UID, resource

T = 1_800_000_000.0
_SERVER = {"uid": UID, "namespace": "default", "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z"}
_BODY = resource("demo", schedule="@every 1m")
RESOURCE = parse_resource({**_BODY, "metadata": {**_BODY["metadata"], **_SERVER}})


def waits(age: float, *, listed: bool, next_due: float | None, transition: bool = False, waited: float = 0.0) -> bool:
    """Whether a write waits for a run that was due at T and ended some seconds ago.

    Args:
        age: Seconds since its end.
        listed: Whether it is in the recent runs.
        next_due: The next due time that our engine knows.
        transition: Whether a condition transitions.
        waited: Seconds for which the write has been waiting.
    """
    assert RESOURCE.schedule
    state = ScheduleState(RESOURCE.schedule, T - 60)
    if next_due is not None:
        state.next_run = encode(RunSubmission(RESOURCE.schedule, "due", next_due), next_due)
    record = ScheduleRecord(last_due_at=T, outcome=ScheduleOutcome(1, 0, "id", "succeeded", T))
    runs = [RunRecord("id", "t", "q", RunState.SUCCEEDED)] if listed else []
    before = [
        ConditionDigest(value.type, "Unknown" if transition else value.status, 1, datetime.fromtimestamp(T, UTC))
        for value in evaluate(RESOURCE, state, record)
    ]
    return must_wait(RESOURCE, state, ScheduleSnapshot(record, runs), before, T + age, waited)


@pytest.mark.parametrize("transition", [False, True])
@pytest.mark.parametrize("next_due", [T + 60, None])
@pytest.mark.parametrize("age", [0.0, 0.5, 5.0, 50.0])
def test_write_of_complete_status_never_waits(age: float, next_due: float | None, *, transition: bool) -> None:
    """If the run is listed and our engine is past its due time, or has no further one, nothing waits."""
    assert not waits(age, listed=True, next_due=next_due, transition=transition)


@pytest.mark.parametrize(("listed", "next_due"), [(False, T + 60), (True, T), (True, T - 60), (False, T)])
def test_write_of_incomplete_status_waits_ten_seconds_or_one_for_a_transition(next_due: float, *, listed: bool) -> None:
    """Whatever is missing, a write waits at most 10 s after the end of the run, and a transition at most 1 s."""
    ages = [0.0, 0.9, 1.0, 9.9, 10.0, 1e6, -5.0]
    assert [waits(age, listed=listed, next_due=next_due) for age in ages] == [True] * 4 + [False] * 3
    transitions = [waits(age, listed=listed, next_due=next_due, transition=True) for age in ages]
    assert transitions == [True] * 2 + [False] * 5


def test_further_end_of_a_run_does_not_start_the_wait_again() -> None:
    """A write that has waited 10 s is made, or 1 s with a transition, although another run has just ended."""
    waited = [0.0, 0.9, 1.0, 9.9, 10.0]
    assert [waits(0.0, listed=False, next_due=T, waited=each) for each in waited] == [True] * 4 + [False]
    transitions = [waits(0.0, listed=False, next_due=T, transition=True, waited=each) for each in waited]
    assert transitions == [True] * 2 + [False] * 3
