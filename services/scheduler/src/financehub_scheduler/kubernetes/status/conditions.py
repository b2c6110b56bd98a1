"""Ready, Suspended and Failing: pure."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.api.status import Condition
from financehub_scheduler.core.state import Live
from financehub_scheduler.kubernetes.observed_status import Standing
from financehub_scheduler.kubernetes.status.snapshot import Record
from financehub_scheduler.kubernetes.watch.resource import Resource
from financehub_scheduler.recurrence.calendar import CalendarHorizonError
from financehub_shared.monitor.states import RunState

#: An error line longer than this is cut, and so is what is wrong with a spec.
ERROR_CHARACTERS = 300
PROBLEM_CHARACTERS = 1_000


class Verdict(NamedTuple):
    """One condition without its history."""

    type: Literal["Ready", "Suspended", "Failing"]
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str


def judge(resource: Resource, live: Live | None, record: Record) -> tuple[Verdict, Verdict, Verdict]:
    """What holds for a resource now.

    Args:
        resource: as the API server has it.
        live: its schedule under the engine's care; None: it is refused.
        record: what Redis knows of it.
    """
    return _ready(resource, live, record), _suspended(resource.schedule), _failing(record)


def conditions(
    verdicts: Sequence[Verdict], generation: int, before: Sequence[Standing], now: datetime
) -> list[Condition]:
    """The conditions as they are written.

    Args:
        verdicts: what holds now.
        generation: of the resource that they are about.
        before: the conditions so far; one whose status stays keeps its time.
        now: time of those that change.
    """
    since = {(each.type, each.status): each.since for each in before}
    return [
        Condition(
            type=each.type,
            status=each.status,
            reason=each.reason,
            message=each.message,
            last_transition_time=since.get((each.type, each.status), now),
            observed_generation=generation,
        )
        for each in verdicts
    ]


def differ(verdicts: Sequence[Verdict], generation: int, before: Sequence[Standing]) -> bool:
    """Whether a status changes, or is about another generation: what cannot wait.

    Args:
        verdicts: what holds now.
        generation: of the resource that they are about.
        before: the conditions so far.
    """
    return {(each.type, each.status, generation) for each in verdicts} != {each[:3] for each in before}


def one_line(text: str, limit: int = ERROR_CHARACTERS) -> str:
    """A text that people read in a listing, cut where it is too long."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _ready(resource: Resource, live: Live | None, record: Record) -> Verdict:
    if live is None:
        return Verdict("Ready", "False", "Invalid", one_line(resource.problem, PROBLEM_CHARACTERS))
    if live.refused:
        return Verdict("Ready", "False", "Refused", one_line(live.refused, PROBLEM_CHARACTERS))
    if live.schedule.suspended:
        return Verdict("Ready", "True", "Suspended", "the spec is valid; nothing is due while it is suspended")
    return _stopped(live, record) if live.problem else Verdict("Ready", "True", "Scheduled", "runs as scheduled")


def _stopped(live: Live, record: Record) -> Verdict:
    schedule = live.schedule
    if schedule.max_runs is not None and record.runs >= schedule.max_runs:
        message = f"all of its {schedule.max_runs} runs are enqueued; raise spec.maxRuns to go on"
        return Verdict("Ready", "False", "Exhausted", message)
    try:
        schedule.timing.next_after(live.mark)
    except CalendarHorizonError as error:
        return Verdict("Ready", "False", "CalendarEnded", str(error))
    message = f"{live.problem}; change spec.endTime, spec.calendar or the schedule, or delete it"
    return Verdict("Ready", "False", "NoDueTime", message)


def _suspended(schedule: Schedule | None) -> Verdict:
    if schedule is None:
        return Verdict("Suspended", "Unknown", "Invalid", "the spec is not valid")
    if not schedule.suspended:
        return Verdict("Suspended", "False", "Active", "spec.suspend is not set")
    reason = json.loads(schedule.summary).get("suspendReason") or "spec.suspend is set"
    return Verdict("Suspended", "True", "Suspended", reason)


def _failing(record: Record) -> Verdict:
    outcome = record.outcome
    match outcome.last_run_outcome:
        case RunState.DEAD_LETTERED:
            return Verdict("Failing", "True", "RunFailed", one_line(outcome.last_run_error) or "the last run failed")
        case RunState.LOST:
            return Verdict("Failing", "True", "RunLost", one_line(outcome.last_run_error) or "the last run was lost")
        case RunState.SUCCEEDED:
            return Verdict("Failing", "False", "RunSucceeded", "the last run succeeded")
        case RunState.SKIPPED:
            return Verdict("Failing", "False", "RunSkipped", "the last run was skipped by its worker")
        case _:
            return Verdict("Failing", "False", "NoRunEnded", "no run has ended yet")
