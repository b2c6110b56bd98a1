"""Writes a log line for every event of a run."""

from collections.abc import Sequence

import structlog

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.listener import SchedulerListener
from financehub_scheduler.redis.enqueuer import EnqueueOutcome, RunSubmission

log = structlog.get_logger(__name__)


class RunLog(SchedulerListener):
    """Logs what happens to runs. It is a part of the engine's process, so that no line is lost with another process."""

    def run_answered(self, run: RunSubmission, outcome: EnqueueOutcome, at: float) -> None:
        if outcome is EnqueueOutcome.ALREADY:
            return
        schedule = run.schedule
        if run.missed and outcome not in {EnqueueOutcome.MOVED, EnqueueOutcome.PAUSED}:
            log.warning("schedule_runs_missed", schedule=schedule.name, missed=run.missed, catch_up=schedule.catch_up)
        match outcome:
            case EnqueueOutcome.ENQUEUED:
                log.info(
                    "run_enqueued",
                    schedule=schedule.name,
                    task=schedule.task,
                    queue=schedule.queue,
                    kind=run.kind,
                    due_at=run.due,
                    lag_seconds=run.lag_seconds(at),
                    message_id=run.message_id,
                    correlation_id=run.message_id,
                )
            case EnqueueOutcome.OVERLAP | EnqueueOutcome.BACKLOG | EnqueueOutcome.REFUSED:
                log.info("run_skipped", schedule=schedule.name, task=schedule.task, due_at=run.due, reason=str(outcome))
            case EnqueueOutcome.BUFFERED:
                log.info("run_buffered", schedule=schedule.name)
            case EnqueueOutcome.EXHAUSTED:
                log.info("schedule_exhausted", schedule=schedule.name)

    def runs_taken_over(self, schedules: Sequence[Schedule]) -> None:
        log.warning("runs_taken_over", schedules=len(schedules))
