"""Decides what is reported as an Event, and writes its text. Normal runs never get one. Pure functions."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from financehub_scheduler.kubernetes.observed_status import ConditionDigest
from financehub_scheduler.kubernetes.status.conditions import PAUSED_AFTER_FAILURES
from financehub_scheduler.redis.enqueuer import EnqueueOutcome, RunSubmission
from financehub_shared.core.text import counted
from financehub_shared.monitor import RunState


class EventDraft(NamedTuple):
    """The contents of one Event.

    Args:
        type: `Normal` or `Warning`.
        reason: Machine-readable reason in CamelCase.
        message: One sentence for users of `kubectl describe`.
    """

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


#: Kind of an on-demand run → how the user requested it.
_REQUESTED = {"annotation": "by the trigger annotation", "request": "on the command line"}


def from_enqueue_outcome(run: RunSubmission, outcome: EnqueueOutcome) -> list[EventDraft]:
    """Return the Events about the enqueue outcome of a run.

    Args:
        run: The run.
        outcome: Redis's reply.
    """
    schedule, drafts = run.schedule, []
    if run.missed and outcome not in {EnqueueOutcome.ALREADY, EnqueueOutcome.MOVED}:
        limit = schedule.starting_deadline_seconds
        deadline = "" if limit is None else f", startingDeadlineSeconds {limit}"
        count = "1 due time was" if run.missed == 1 else f"{run.missed} due times were"
        message = f"{count} missed, too late to run (catchUp {schedule.catch_up}{deadline})"
        drafts.append(EventDraft("Warning", "Missed", message))
    match outcome:
        case EnqueueOutcome.ENQUEUED if run.kind in _REQUESTED:
            message = f"run {run.message_id} was requested {_REQUESTED[run.kind]}"
            drafts.append(EventDraft("Normal", "Triggered", message))
        case EnqueueOutcome.OVERLAP:
            cause = f"the previous run is still queued, running or retrying (concurrencyPolicy {schedule.policy})"
            drafts.append(EventDraft("Normal", "Skipped", f"a run was skipped: {cause}"))
        case EnqueueOutcome.BACKLOG:
            cause = "this schedule has too many unfinished runs"
            if schedule.policy == "BufferAll":
                cause = "too many runs of this schedule wait for the previous one"
            if schedule.max_queue_depth is None or run.kind in _REQUESTED:
                cause += " (FINANCEHUB_MAX_BACKLOG)"
            else:
                # The outcome does not say which of its two limits was reached.
                depth = f"more than {counted(schedule.max_queue_depth, 'message')} (maxQueueDepth)"
                cause = f"queue {schedule.queue} holds {depth}, or {cause}"
            drafts.append(EventDraft("Warning", "Skipped", f"a run was skipped: {cause}"))
        case EnqueueOutcome.REFUSED:
            drafts.append(EventDraft("Warning", "Skipped", f"a run was skipped: {run.refused}"))
        case EnqueueOutcome.EXHAUSTED:
            enqueued = "the only run has" if schedule.max_runs == 1 else f"all {schedule.max_runs} runs have"
            message = f"{enqueued} been enqueued (maxRuns)"
            drafts.append(EventDraft("Normal", "Exhausted", message))
    return drafts


def from_backfill(state: str, message: str) -> EventDraft:
    """Return the Event about a backfill that started or ended.

    Args:
        state: `started`, `finished` or `refused`.
        message: Number of its runs, or the reason for the refusal.
    """
    match state:
        case "started":
            return EventDraft("Normal", "BackfillStarted", message)
        case "refused":
            return EventDraft("Warning", "BackfillRefused", message)
        case _:
            return EventDraft("Normal", "BackfillFinished", "all due times of the range have been enqueued")


def from_status(status: Mapping[str, Any], before: Sequence[ConditionDigest], *, has_new_run: bool) -> list[EventDraft]:
    """Return the Events about conditions and runs that a status shows for the first time.

    Args:
        status: The status that was written, as a JSON object.
        before: The previous conditions.
        has_new_run: Whether the run that ended last is not in the previous status.
    """
    drafts = []
    last_run = status.get("lastRun")
    if has_new_run and last_run and last_run["outcome"] in {RunState.DEAD_LETTERED, RunState.LOST}:
        message = f"run {last_run['id']} was {last_run['outcome']}: {last_run.get('error', '')}"
        drafts.append(EventDraft("Warning", "Failed", message))
    known = {(condition.type, condition.status, condition.generation) for condition in before}
    was_suspended = any((condition.type, condition.status) == ("Suspended", "True") for condition in before)
    for condition in status["conditions"]:
        if condition["reason"] == PAUSED_AFTER_FAILURES and not was_suspended:
            drafts.append(EventDraft("Warning", condition["reason"], condition["message"]))
        if (condition["type"], condition["status"], condition["observedGeneration"]) in known:
            continue
        # An exhausted schedule has already been reported for the enqueue outcome.
        if (condition["type"], condition["status"]) == ("Ready", "False") and condition["reason"] != "Exhausted":
            drafts.append(EventDraft("Warning", condition["reason"], condition["message"]))
    return drafts
