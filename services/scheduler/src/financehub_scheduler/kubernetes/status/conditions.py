"""Evaluates the conditions Ready, Suspended and Failing, with pure functions."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.api.status import Condition
from financehub_scheduler.core.state import NO_DUE_TIME, ScheduleState
from financehub_scheduler.kubernetes.observed_status import ConditionDigest
from financehub_scheduler.kubernetes.watch.resource import WatchedResource
from financehub_shared.core.text import one_line as printable_line
from financehub_shared.monitor import RunState
from financehub_shared.recurrence.calendar import CalendarHorizonError, DistantDueTimeError
from financehub_shared.redis.schedule_record import ScheduleRecord

#: Maximum length of a run's error message and of a spec's problem; longer ones are truncated.
ERROR_CHARACTERS = 300
PROBLEM_CHARACTERS = 1_000
#: Reason of the condition Suspended if `spec.pauseAfterFailures` has paused the schedule.
PAUSED_AFTER_FAILURES = "PausedAfterFailures"


class ConditionValue(NamedTuple):
    """The current value of one condition, without its last transition time."""

    type: Literal["Ready", "Suspended", "Failing"]
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str


def evaluate(
    resource: WatchedResource, state: ScheduleState | None, record: ScheduleRecord
) -> tuple[ConditionValue, ConditionValue, ConditionValue]:
    """Return the current values of all conditions of a resource.

    Args:
        resource: The resource in the API server.
        state: Its active schedule; None if its spec is refused.
        record: Its schedule record in Redis.
    """
    return _ready(resource, state, record), _suspended(resource.schedule, state), _failing(record)


def to_conditions(
    values: Sequence[ConditionValue], generation: int, before: Sequence[ConditionDigest], now: datetime
) -> list[Condition]:
    """Return the conditions to write.

    Args:
        values: The current values of the conditions.
        generation: Generation of the resource that they describe.
        before: The previous conditions. A condition keeps its transition time if its status is unchanged.
        now: Transition time of the other conditions.
    """
    since = {(condition.type, condition.status): condition.since for condition in before}
    return [
        Condition(
            type=value.type,
            status=value.status,
            reason=value.reason,
            message=value.message,
            last_transition_time=since.get((value.type, value.status), now),
            observed_generation=generation,
        )
        for value in values
    ]


def must_be_written_now(values: Sequence[ConditionValue], generation: int, before: Sequence[ConditionDigest]) -> bool:
    """Whether a condition transitions or describes a different generation. Such a write must not wait.

    Args:
        values: The current values.
        generation: Generation of the resource that they describe.
        before: The previous conditions.
    """
    return {(value.type, value.status, generation) for value in values} != {
        (condition.type, condition.status, condition.generation) for condition in before
    }


def one_line(text: str, limit: int = ERROR_CHARACTERS) -> str:
    """Return a message on one printable line for listings, truncated to `limit` characters."""
    line = printable_line(text)
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _ready(resource: WatchedResource, state: ScheduleState | None, record: ScheduleRecord) -> ConditionValue:
    if state is None:
        return ConditionValue("Ready", "False", "Invalid", one_line(resource.problem, PROBLEM_CHARACTERS))
    if state.refused:
        return ConditionValue("Ready", "False", "Refused", one_line(state.refused, PROBLEM_CHARACTERS))
    if state.schedule.suspended:
        message = "the spec is valid; no run is due while the schedule is suspended"
        return ConditionValue("Ready", "True", "Suspended", message)
    if state.paused:
        message = "the spec is valid; no run is due while the schedule is paused"
        return ConditionValue("Ready", "True", "Paused", message)
    if state.problem:
        return _stopped(state, record)
    return ConditionValue("Ready", "True", "Scheduled", _when(state))


def _when(state: ScheduleState) -> str:
    if not state.schedule.after:
        return "runs as scheduled"
    name, note = state.schedule.after.partition("/")[2], state.predecessor.note if state.predecessor else ""
    return f"runs after each success of {name}{f', but {note}' if note else ''}"


def _stopped(state: ScheduleState, record: ScheduleRecord) -> ConditionValue:
    schedule = state.schedule
    if schedule.max_runs is not None and record.runs >= schedule.max_runs:
        enqueued = "the only run has" if schedule.max_runs == 1 else f"all {schedule.max_runs} runs have"
        message = f"{enqueued} been enqueued; raise spec.maxRuns to continue"
        return ConditionValue("Ready", "False", "Exhausted", message)
    if state.predecessor and state.predecessor.problem:
        message = one_line(state.predecessor.problem, PROBLEM_CHARACTERS)
        return ConditionValue("Ready", "False", state.predecessor.reason, message)
    try:
        schedule.recurrence.next_after(state.high_water_mark)
    except CalendarHorizonError as error:
        # Otherwise, the planner has found that no line is ever due, and says why.
        if state.problem == str(error):
            reason = "DueTimeUnknown" if isinstance(error, DistantDueTimeError) else "CalendarEnded"
            return ConditionValue("Ready", "False", reason, one_line(state.problem, PROBLEM_CHARACTERS))
    remedy = "; change spec.endTime, spec.calendar or the schedule, or delete the ScheduledTask"
    message = f"{state.problem}{remedy if state.problem == NO_DUE_TIME else ''}"
    return ConditionValue("Ready", "False", "NoDueTime", one_line(message, PROBLEM_CHARACTERS))


def _suspended(schedule: Schedule | None, state: ScheduleState | None) -> ConditionValue:
    if schedule is None:
        return ConditionValue("Suspended", "Unknown", "Invalid", "the spec is invalid")
    if not schedule.suspended and state and state.paused:
        message = one_line(str(state.paused), PROBLEM_CHARACTERS)
        if not state.paused.failures:
            return ConditionValue("Suspended", "True", "Paused", message)
        remedy = f"correct the cause, then resume it with: financehub schedules resume {schedule.name}"
        return ConditionValue("Suspended", "True", PAUSED_AFTER_FAILURES, f"{message}; {remedy}")
    if not schedule.suspended:
        return ConditionValue("Suspended", "False", "Active", "spec.suspend is not set")
    reason = json.loads(schedule.spec_json).get("suspendReason") or "spec.suspend is set"
    return ConditionValue("Suspended", "True", "Suspended", one_line(reason, PROBLEM_CHARACTERS))


def _failing(record: ScheduleRecord) -> ConditionValue:
    outcome = record.outcome
    error = one_line(outcome.last_run_error)
    match outcome.last_run_outcome:
        case RunState.DEAD_LETTERED:
            return ConditionValue("Failing", "True", "RunFailed", error or "the last run failed")
        case RunState.LOST:
            return ConditionValue("Failing", "True", "RunLost", error or "the last run was lost")
        case RunState.SUCCEEDED:
            return ConditionValue("Failing", "False", "RunSucceeded", "the last run succeeded")
        case RunState.SKIPPED:
            return ConditionValue("Failing", "False", "RunSkipped", "the last run was skipped by its worker")
        case _:
            return ConditionValue("Failing", "False", "NoRunEnded", "no run has ended yet")
