"""Updates the metrics for every event of a run or a schedule."""

from collections.abc import Mapping, Sequence

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.listener import SchedulerListener
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.redis.enqueuer import EnqueueOutcome, RunSubmission
from financehub_shared.metrics import Metrics

#: Maximum number of schedules with their own series. Each has 18 series and takes 10 kB, and a scrape must not delay
#: due runs.
MAX_LABELS = 200
#: The label value that all other schedules share.
OTHER = "other"


class Reporter(SchedulerListener):
    """Counts events.

    Args:
        metrics: The metrics of the process.
        states: uid → state of each active schedule.
    """

    def __init__(self, metrics: Metrics, states: Mapping[str, ScheduleState]) -> None:
        self._metrics = metrics
        self._states = states
        self._labels: set[str] = set()
        #: Queues and tasks that have a series of `messages_enqueued` → uids of the schedules that use them.
        self._enqueued: dict[tuple[str, str], set[str]] = {}

    def _label(self, name: str) -> str:
        if name not in self._labels:
            if len(self._labels) >= MAX_LABELS:
                return OTHER
            self._labels.add(name)
            # `rate()` ignores the event that creates a series.
            self._metrics.schedule_missed.labels(name)
        return name

    def _enqueued_labels(self, schedule: Schedule) -> tuple[str, str]:
        pair = (schedule.queue, schedule.task)
        # The reply for a schedule's last run may arrive after the schedule was deleted.
        is_full = pair not in self._enqueued and len(self._enqueued) >= MAX_LABELS
        if is_full or schedule.uid not in self._states:
            return (OTHER, OTHER)
        self._enqueued.setdefault(pair, set()).add(schedule.uid)
        return pair

    @property
    def labels(self) -> frozenset[str]:
        """Names of the schedules that have their own series."""
        return frozenset(self._labels)

    def run_answered(self, run: RunSubmission, outcome: EnqueueOutcome, at: float) -> None:
        schedule = run.schedule
        # The reply for a schedule's last run may arrive after the schedule was deleted.
        label = self._label(schedule.name) if schedule.uid in self._states else OTHER
        if outcome is EnqueueOutcome.ALREADY:
            return
        if run.missed and outcome not in {EnqueueOutcome.MOVED, EnqueueOutcome.PAUSED}:
            self._metrics.schedule_missed.labels(label).inc(run.missed)
        match outcome:
            case EnqueueOutcome.ENQUEUED:
                self._run_enqueued(run, label, at)
            case EnqueueOutcome.OVERLAP | EnqueueOutcome.BACKLOG | EnqueueOutcome.REFUSED:
                self._metrics.schedule_skipped.labels(label, outcome).inc()

    def _run_enqueued(self, run: RunSubmission, label: str, at: float) -> None:
        if (lag := run.lag_seconds(at)) is not None:
            self._metrics.schedule_lag.labels(label).observe(max(0.0, lag))
        self._metrics.messages_enqueued.labels(*self._enqueued_labels(run.schedule)).inc()

    def runs_taken_over(self, schedules: Sequence[Schedule]) -> None:
        for schedule in schedules:
            # It may have been removed while its batch was in progress.
            label = self._label(schedule.name) if schedule.uid in self._states else OTHER
            self._metrics.schedule_taken_over.labels(label).inc()

    def next_run_published(self, name: str, at: float | None) -> None:
        """Update the metric for a schedule's next run.

        Args:
            name: Name of the schedule.
            at: Time of its next run (due time plus jitter), Unix seconds; None if there is no next run.
        """
        if (label := self._label(name)) != OTHER:
            self._metrics.schedule_next_run.labels(label).set(at or 0)

    def schedule_removed(self, schedule: Schedule) -> None:
        """Remove a schedule's series, and those of its queue and task if no other schedule uses them."""
        for pair in [pair for pair, uids in self._enqueued.items() if schedule.uid in uids]:
            self._enqueued[pair].discard(schedule.uid)
            if not self._enqueued[pair]:
                del self._enqueued[pair]
                self._metrics.remove_enqueued(*pair)
        if schedule.name in self._labels:
            self._labels.discard(schedule.name)
            self._metrics.remove_schedule(schedule.name)
