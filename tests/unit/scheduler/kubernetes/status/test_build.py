"""Building a status. The integration tests in tests/integration/operator cover more of it with real components."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from financehub_scheduler.api.status import ScheduledTaskStatus
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.kubernetes.observed_status import NO_STATUS, ConditionDigest, ObservedStatus
from financehub_scheduler.kubernetes.status.build import build_status, to_json
from financehub_scheduler.kubernetes.status.snapshot import ScheduleSnapshot
from financehub_scheduler.kubernetes.watch.resource import WatchedResource, parse_resource
from financehub_scheduler.redis.enqueuer import RunSubmission, encode
from financehub_shared.monitor import RunRecord, RunState
from financehub_shared.recurrence.calendar import CalendarHorizonError, DistantDueTimeError
from financehub_shared.redis.schedule_record import BackfillInfo, ScheduleOutcome, ScheduleRecord
from financehub_shared.schedules import Pause
from financehub_shared.spec.predecessors import Predecessor
from financehub_shared.spec.scheduled_task import BACKFILL
from support.schedules import UID, resource, schedule

T = 1_800_000_000.0
RANGE = "2027-01-15T07:00:00Z/2027-01-15T07:01:00Z"


def watched(annotations: dict[str, str] | None = None, generation: int = 1, **spec: Any) -> WatchedResource:
    """Return a resource as the watch delivers it."""
    body = resource("demo", annotations, **spec)
    server = {
        "uid": UID,
        "namespace": "default",
        "generation": generation,
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    return parse_resource({**body, "metadata": {**body["metadata"], **server}})


def state_of(resource: WatchedResource, *, problem: str = "", refused: str = "") -> ScheduleState:
    """Return the engine's state of the resource's schedule at T."""
    schedule = resource.schedule
    assert schedule
    state = ScheduleState(schedule, T, problem=problem or refused, refused=refused)
    due = None if problem or refused or schedule.suspended else schedule.recurrence.next_after(T)
    state.next_run = encode(RunSubmission(schedule, "due", due), due) if due is not None else None
    return state


def status_of(
    resource: WatchedResource,
    snapshot: ScheduleSnapshot | None = None,
    current: ObservedStatus = NO_STATUS,
    **state: str,
) -> Any:
    """Return a resource's status at T + 0.7 s as JSON. `state` contains the arguments of `state_of`."""
    engine_state = state_of(resource, **state) if resource.schedule else None
    return to_json(build_status(resource, engine_state, snapshot or ScheduleSnapshot(), current, T + 0.7))


def ready(status: Any) -> tuple[str, str, str]:
    """Return the status, reason and message of the condition Ready."""
    condition = status["conditions"][0]
    return condition["status"], condition["reason"], condition["message"]


def test_status_times_are_whole_seconds() -> None:
    """Timestamps in a status are in whole seconds, and durations are in milliseconds."""
    run = RunRecord("m", "t", "q", RunState.SUCCEEDED, due_at=T, finished_at=T + 1.9, duration=1.23456)
    outcome = ScheduleOutcome(1, 0, "m", "succeeded", T + 1.9, 1.23456, "", T + 1.9)
    record = ScheduleRecord(last_due_at=T, outcome=outcome)
    status = status_of(watched(jitterSeconds=60), ScheduleSnapshot(record, [run]))
    times = [status["lastRun"]["finishTime"], status["lastSuccessTime"], status["recent"][0]["finishTime"]]
    assert set(times) == {"2027-01-15T08:00:01Z"}
    assert all(time[-1] == "Z" and len(time) == 20 for time in status["nextScheduleTimes"])
    assert status["lastRun"]["durationSeconds"] == status["recent"][0]["durationSeconds"] == 1.235


def test_status_with_whole_duration_contains_an_integer() -> None:
    """A whole number of seconds is an integer, as the API server returns it, so that the digests are equal."""
    run = RunRecord("m", "t", "q", RunState.SUCCEEDED, duration=2.0)
    duration = status_of(watched(), ScheduleSnapshot(recent=[run]))["recent"][0]["durationSeconds"]
    assert (duration, type(duration)) == (2, int)


def test_status_without_runs_has_zero_counters_and_no_times() -> None:
    """A status omits fields about runs that never happened, and its counters are zero."""
    status = status_of(watched())
    assert not {"lastScheduleTime", "lastRun", "lastSkip", "backfill", "lastSuccessTime"} & status.keys()
    assert (status["runs"], status["missed"], status["recent"]) == (0, 0, [])


def test_status_is_valid_for_the_model() -> None:
    """A status with all fields is valid for the model from which the CRD is generated."""
    outcome = ScheduleOutcome(3, 1, "m", "lost", T, 1.0, "gone", T, T)
    record = ScheduleRecord(
        runs=1,
        triggered=2,
        backfilled=3,
        missed=4,
        skipped={"overlap": 3, "backlog": 2},
        last_skip=("overlap", T),
        last_due_at=T,
        outcome=outcome,
    )
    snapshot = ScheduleSnapshot(
        record,
        [RunRecord(f"m{number}", "t", "q", RunState.QUEUED) for number in range(10)],
        BackfillInfo("b", "default/demo", T, T, "running", 2, 1, ""),
    )
    status = status_of(watched({BACKFILL: RANGE}), snapshot)
    assert to_json(ScheduledTaskStatus.model_validate(status)) == status
    assert (status["active"], status["skipped"]) == (10, 5)
    assert status["backfill"] == {"range": RANGE, "state": "running", "total": 2, "enqueued": 1}


def test_status_with_unknown_backfill_is_pending() -> None:
    """A requested backfill that Redis does not know yet is shown as pending."""
    backfill = status_of(watched({BACKFILL: RANGE}))["backfill"]
    assert backfill == {"range": RANGE, "state": "pending", "total": 0, "enqueued": 0}


@pytest.mark.parametrize(
    ("spec", "line"),
    [
        ({"schedule": "@every 5m"}, "@every 5m"),
        ({"schedule": "0 9 * * 1-5", "timeZone": "Europe/Berlin"}, "0 9 * * 1-5 (Europe/Berlin)"),
        ({"schedules": ["0 9 * * *", "30 17 * * *"]}, "0 9 * * *; 30 17 * * *"),
    ],
)
def test_status_schedule_is_one_line(spec: dict[str, Any], line: str) -> None:
    """A schedule's rules are all shown in one line, with the time zone unless it is UTC."""
    assert status_of(watched(**spec))["schedule"] == line


def test_condition_with_same_status_keeps_its_transition_time() -> None:
    """The transition time of a condition changes only with its status."""
    old = datetime(2026, 1, 1, tzinfo=UTC)
    before = (ConditionDigest("Ready", "True", 1, old), ConditionDigest("Failing", "True", 1, old))
    status = status_of(watched(generation=2), None, ObservedStatus(conditions=before))
    assert {condition["type"]: condition["lastTransitionTime"] for condition in status["conditions"]} == {
        "Ready": "2026-01-01T00:00:00Z",
        "Suspended": "2027-01-15T08:00:00Z",
        "Failing": "2027-01-15T08:00:00Z",
    }


@pytest.mark.parametrize(
    ("spec", "state", "runs", "expected"),
    [
        ({}, {}, 0, ("True", "Scheduled", "runs as scheduled")),
        ({}, {"refused": "kwargs.symbols: NOPE"}, 0, ("False", "Refused", "kwargs.symbols: NOPE")),
        ({"maxRuns": 2}, {"problem": "maxRuns reached"}, 2, ("False", "Exhausted", "spec.maxRuns")),
        ({"endTime": "2027-01-15T08:00:00Z"}, {"problem": "no due time is left"}, 0, ("False", "NoDueTime", "endTime")),
        (
            {"calendar": "XNYS", "schedule": "0 3 * * *"},
            {"problem": "'0 3 * * *' is never due, because XNYS is closed"},
            0,
            ("False", "NoDueTime", "'0 3 * * *' is never due, because XNYS is closed"),
        ),
        (
            {"calendar": "XNYS", "schedule": "@open", "exclude": [{"weekdays": ["MON", "TUE", "WED", "THU", "FRI"]}]},
            {"problem": "'@open' is never due, because exclude removes all of its due times"},
            0,
            ("False", "NoDueTime", "'@open' is never due, because exclude removes all of its due times"),
        ),
        ({"suspend": True}, {}, 0, ("True", "Suspended", "no run is due")),
        ({"suspend": True}, {"refused": "no"}, 0, ("False", "Refused", "no")),
        ({"schedule": "61 * * * *"}, {}, 0, ("False", "Invalid", "0-59")),
        ({"kwargs": {"x": "y"}, "task": "fetch_news_task"}, {}, 0, ("False", "Invalid", "x")),
    ],
)
def test_ready_has_a_reason_and_a_message_per_cause(
    spec: dict[str, Any], state: dict[str, str], runs: int, expected: tuple[str, str, str]
) -> None:
    """Each cause has its own reason, and a message that explains the fix."""
    snapshot = ScheduleSnapshot(ScheduleRecord(runs=runs))
    status, reason, message = ready(status_of(watched(**spec), snapshot, **state))
    assert (status, reason) == expected[:2]
    assert expected[2] in message


def test_ready_of_a_schedule_whose_calendar_has_ended_says_so() -> None:
    """The planner has found the end of the calendar, so that the reason is not that no due time is left."""
    spec = {"calendar": "XNYS", "startTime": "2060-01-01T00:00:00Z"}
    with pytest.raises(CalendarHorizonError) as ended:
        schedule(**spec).recurrence.next_after(T)
    status, reason, message = ready(status_of(watched(**spec), ScheduleSnapshot(), problem=str(ended.value)))
    assert (status, reason) == ("False", "CalendarEnded")
    assert "covers only the days" in message


def test_ready_of_a_schedule_whose_next_due_time_was_not_found_says_so() -> None:
    """The end of a search has its reason, because no calendar has ended."""
    spec = {"schedule": "@every 86401s", "exclude": [{"from": "00:01", "to": "00:00"}]}
    with pytest.raises(DistantDueTimeError) as unknown:
        schedule(**spec).recurrence.next_after(T)
    status, reason, message = ready(status_of(watched(**spec), ScheduleSnapshot(), problem=str(unknown.value)))
    assert (status, reason) == ("False", "DueTimeUnknown")
    assert "the search for the next due time has ended" in message


@pytest.mark.parametrize(
    ("outcome", "error", "expected"),
    [
        ("", "", ("False", "NoRunEnded", "no run has ended yet")),
        ("succeeded", "", ("False", "RunSucceeded", "the last run succeeded")),
        ("skipped", "too old", ("False", "RunSkipped", "the last run was skipped by its worker")),
        ("dead-lettered", "ValueError: a\nb", ("True", "RunFailed", "ValueError: a b")),
        ("dead-lettered", "", ("True", "RunFailed", "the last run failed")),
        ("lost", "its worker died", ("True", "RunLost", "its worker died")),
    ],
)
def test_failing_shows_the_outcome_of_the_last_run(outcome: str, error: str, expected: tuple[str, str, str]) -> None:
    """Failing is true while the last run failed or was lost, and its message is the error in one line."""
    record = ScheduleRecord(outcome=ScheduleOutcome(last_run_outcome=outcome, last_run_error=error))
    failing = status_of(watched(), ScheduleSnapshot(record))["conditions"][2]
    assert (failing["status"], failing["reason"], failing["message"]) == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, ("False", "Active")),
        ({"suspend": True, "suspendReason": "upstream moves"}, ("True", "Suspended")),
        ({"schedule": "never"}, ("Unknown", "Invalid")),
    ],
)
def test_suspended_follows_the_spec(spec: dict[str, Any], expected: tuple[str, str]) -> None:
    """Suspended repeats the spec and its reason. It is unknown if the spec is invalid."""
    suspended = status_of(watched(**spec))["conditions"][1]
    assert (suspended["status"], suspended["reason"]) == expected
    assert suspended["message"] == spec.get("suspendReason", suspended["message"])


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, ("True", "Paused", "paused by alice: maintenance")),
        ({"suspend": True, "suspendReason": "upstream moves"}, ("True", "Suspended", "upstream moves")),
    ],
)
def test_suspended_of_a_paused_schedule_shows_the_reason(spec: dict[str, Any], expected: tuple[str, str, str]) -> None:
    """A schedule that was paused counts as suspended, with the user and the reason. That of the spec comes first."""
    resource = watched(**spec)
    state = state_of(resource)
    state.paused, state.next_run = Pause("alice", "maintenance", T), None
    status = to_json(build_status(resource, state, ScheduleSnapshot(), NO_STATUS, T))
    suspended = status["conditions"][1]
    assert (suspended["status"], suspended["reason"], suspended["message"]) == expected
    assert ready(status)[:2] == ("True", expected[1])
    assert status["nextScheduleTimes"] == []


def test_suspended_of_a_schedule_that_failures_paused_says_how_to_resume_it() -> None:
    """The reason differs from that of a user's pause, and the message has the last error and the command."""
    resource = watched(pauseAfterFailures=3)
    state = state_of(resource)
    state.paused = Pause("financehub", "3 runs in a row failed, the last with: ValueError: no", T, failures=3)
    status = to_json(build_status(resource, state, ScheduleSnapshot(failures_in_row=3, buffered=2), NO_STATUS, T))
    suspended = status["conditions"][1]
    assert (suspended["type"], suspended["status"], suspended["reason"]) == ("Suspended", "True", "PausedAfterFailures")
    assert suspended["message"] == (
        "paused after failures: 3 runs in a row failed, the last with: ValueError: no; correct the cause, then resume "
        "it with: financehub schedules resume default/demo"
    )
    assert (status["failuresInRow"], status["buffered"]) == (3, 2)


def test_status_with_long_texts_cuts_them() -> None:
    """Errors are truncated to 300 characters, and problems of a spec to 1,000."""
    outcome = ScheduleOutcome(last_run_id="m", last_run_outcome="dead-lettered", last_run_error="é" * 500)
    status = status_of(watched(), ScheduleSnapshot(ScheduleRecord(outcome=outcome)))
    assert len(status["lastRun"]["error"]) == len(status["conditions"][2]["message"]) == 300
    refused = ready(status_of(watched(), refused="no " * 1_000))[2]
    assert len(refused) == 1_000
    invalid = replace(watched(), schedule=None, problem="long " * 1_000)
    assert len(ready(status_of(invalid))[2]) == 1_000


def test_last_schedule_time_survives_the_loss_of_redis() -> None:
    """`lastScheduleTime` keeps its value if Redis has lost it, because schedules resume from it."""
    current = ObservedStatus(last_schedule_time=T - 60)
    assert status_of(watched(), None, current)["lastScheduleTime"] == "2027-01-15T07:59:00Z"
    snapshot = ScheduleSnapshot(ScheduleRecord(last_due_at=T))
    assert status_of(watched(), snapshot, current)["lastScheduleTime"] == "2027-01-15T08:00:00Z"


@pytest.mark.parametrize(
    ("predecessor", "expected"),
    [
        (Predecessor(), ("True", "Scheduled", "runs after each success of prices")),
        (
            Predecessor(note="it is suspended"),
            ("True", "Scheduled", "runs after each success of prices, but it is suspended"),
        ),
        (
            Predecessor("PredecessorMissing", "after: no schedule …; did you mean price?"),
            ("False", "PredecessorMissing", "after: no schedule …; did you mean price?"),
        ),
    ],
)
def test_ready_of_a_follower_says_what_it_waits_for(predecessor: Predecessor, expected: tuple[str, str, str]) -> None:
    """A follower without a next run is ready, and one whose predecessor cannot be followed says why."""
    resource = watched(after="prices")
    assert resource.schedule
    state = ScheduleState(resource.schedule, T, problem=predecessor.problem, predecessor=predecessor)
    status = to_json(build_status(resource, state, ScheduleSnapshot(), NO_STATUS, T))
    assert ready(status) == expected
    assert (status["schedule"], status["nextScheduleTimes"]) == ("after prices", [])
