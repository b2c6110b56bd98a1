"""What the scheduler tells the world about its runs: one log line and the metrics per event."""

from collections.abc import Callable

import structlog

from financehub_scheduler.redis.enqueuer import Run
from financehub_shared.metrics import Metrics

log = structlog.get_logger(__name__)

#: Schedules with their own series: 18 series and 10 kB each, and a scrape must not keep due runs waiting.
MAX_LABELS = 200
OTHER = "other"


class Observer:
    """Logs and counts.

    Args:
        metrics: the process's metrics.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        #: Told of every verdict on a run.
        self.on_verdict: Callable[[Run, str], None] = lambda *_: None
        self._labels: set[str] = set()

    def _label(self, name: str) -> str:
        if name not in self._labels:
            if len(self._labels) >= MAX_LABELS:
                return OTHER
            self._labels.add(name)
            # `rate()` does not see the event that makes a series
            self._metrics.schedule_missed.labels(name)
        return name

    @property
    def labels(self) -> frozenset[str]:
        """Schedules that have their own series."""
        return frozenset(self._labels)

    def verdict(self, run: Run, verdict: str, at: float, *, known: bool = True) -> None:
        """Note what became of a run.

        Args:
            run: the run.
            verdict: enqueue.lua's answer.
            at: when the answer came, Unix seconds.
            known: the schedule still exists; the verdict on its last run may come after it was deleted.
        """
        schedule = run.schedule
        label = self._label(schedule.name) if known else OTHER
        if verdict == "already":
            return
        self.on_verdict(run, verdict)
        if run.missed and not verdict.startswith("moved"):
            self._metrics.schedule_missed.labels(label).inc(run.missed)
            log.warning("schedule_runs_missed", schedule=schedule.name, missed=run.missed, catch_up=schedule.catch_up)
        if verdict == "enqueued":
            lag = round(at - run.due - schedule.timing.offset, 4)
            if run.kind == "due":
                self._metrics.schedule_lag.labels(label).observe(max(0.0, lag))
            self._metrics.messages_enqueued.labels(schedule.queue, schedule.task).inc()
            log.info(
                "run_enqueued",
                schedule=schedule.name,
                task=schedule.task,
                queue=schedule.queue,
                kind=run.kind,
                due_at=run.due,
                lag_seconds=lag if run.kind == "due" else None,
                message_id=run.message_id,
                correlation_id=run.message_id,
            )
        elif verdict in {"overlap", "backlog", "refused"}:
            self._metrics.schedule_skipped.labels(label, verdict).inc()
            log.info("run_skipped", schedule=schedule.name, task=schedule.task, due_at=run.due, reason=verdict)
        elif verdict in {"buffered", "exhausted"}:
            log.info(f"run_{verdict}" if verdict == "buffered" else "schedule_exhausted", schedule=schedule.name)

    def next_run(self, name: str, at: float | None) -> None:
        """Show when a schedule is due next."""
        if (label := self._label(name)) != OTHER:
            self._metrics.schedule_next_run.labels(label).set(at or 0)

    def forgotten(self, name: str) -> None:
        """Drop the series of a deleted schedule."""
        if name in self._labels:
            self._labels.discard(name)
            self._metrics.schedule_forgotten(name)
