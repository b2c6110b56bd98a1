"""What is worth an Event, and in which words: pure. Never a normal run."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from financehub_scheduler.kubernetes.observed_status import Standing
from financehub_scheduler.redis.enqueuer import Run
from financehub_shared.monitor.states import RunState


class Happening(NamedTuple):
    """One thing to tell.

    Args:
        type: `Normal` or `Warning`.
        reason: one CamelCase word.
        message: a sentence for whoever reads `kubectl describe`.
    """

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


_ASKED = {"annotation": "by its annotation", "request": "by the command line"}


def of_verdict(run: Run, verdict: str) -> list[Happening]:
    """What Redis's verdict on a run means to whoever wrote its schedule.

    Args:
        run: the run.
        verdict: as `Enqueuer.submit` gives it.
    """
    schedule, found = run.schedule, []
    if run.missed and verdict != "already" and not verdict.startswith("moved"):
        deadline = f", startingDeadlineSeconds {schedule.deadline}" if schedule.deadline is not None else ""
        count = "1 due time was" if run.missed == 1 else f"{run.missed} due times were"
        found.append(
            Happening("Warning", "Missed", f"{count} too late and given up (catchUp {schedule.catch_up}{deadline})")
        )
    match verdict:
        case "enqueued" if run.kind in _ASKED:
            found.append(Happening("Normal", "Triggered", f"run {run.message_id}, asked for {_ASKED[run.kind]}"))
        case "overlap":
            why = f"the last run is still queued, running or retrying (concurrencyPolicy {schedule.policy})"
            found.append(Happening("Normal", "Skipped", f"a run was left out: {why}"))
        case "backlog":
            why = f"queue {schedule.queue} holds more than {schedule.max_queue_depth} messages (maxQueueDepth)"
            found.append(Happening("Warning", "Skipped", f"a run was left out: {why}"))
        case "refused":
            found.append(Happening("Warning", "Skipped", f"a run was left out: {run.refused}"))
        case "exhausted":
            found.append(
                Happening("Normal", "Exhausted", f"all of its {schedule.max_runs} runs are enqueued (maxRuns)")
            )
    return found


def of_backfill(state: str, message: str) -> Happening:
    """What became of a backfill.

    Args:
        state: `started`, `finished` or `refused`.
        message: how many runs it has, or why it was refused.
    """
    match state:
        case "started":
            return Happening("Normal", "BackfillStarted", message)
        case "refused":
            return Happening("Warning", "BackfillRefused", message)
        case _:
            return Happening("Normal", "BackfillFinished", "all due times of the range are enqueued")


def of_status(status: Mapping[str, Any], before: Sequence[Standing], *, fresh: bool) -> list[Happening]:
    """What a status that was written says for the first time.

    Args:
        status: as JSON has it.
        before: the conditions until then.
        fresh: the run that ended last did so since the last look.
    """
    found = []
    last = status.get("lastRun")
    if fresh and last and last["outcome"] in {RunState.DEAD_LETTERED, RunState.LOST}:
        found.append(Happening("Warning", "Failed", f"run {last['id']} was {last['outcome']}: {last.get('error', '')}"))
    known = {(each.type, each.status, each.generation) for each in before}
    for each in status["conditions"]:
        told = (each["type"], each["status"], each["observedGeneration"]) in known
        if each["type"] == "Ready" and each["status"] == "False" and not told and each["reason"] != "Exhausted":
            found.append(Happening("Warning", each["reason"], each["message"]))
    return found
