"""Reads what the fleet does: schedules, runs, tasks and dead letters."""

from collections.abc import Sequence
from math import inf

from financehub_shared.broker.dead_letter import DeadLetter
from financehub_shared.broker.dead_letter_queue import DeadLetterFilter, DeadLetterQueue, FoundLetters
from financehub_shared.core.catalog import CATALOG
from financehub_shared.monitor import RunRecord, RunState, TaskStats
from financehub_shared.monitor.outcome_history import OutcomeHour, no_outcomes, outcomes_by_task, sum_outcomes
from financehub_shared.monitor.run_filter import RunFilter, RunPosition
from financehub_shared.monitor.run_listing import ALL_RUNS, RunPage
from financehub_shared.redis.schedule_record import BackfillInfo
from financehub_shared.schedules import ScheduleInfo, list_schedules, refused_schedules
from financehub_shared.schedules.backfill_list import list_backfills
from financehub_web.reading.base import Readings
from financehub_web.reading.cache import Reading

#: Number of runs in progress that are listed.
_MOST_RUNNING = 1_000


class WorkReadings(Readings):
    """Readings of the queue Redis."""

    def schedules(self) -> Reading[list[ScheduleInfo]]:
        """Return all registered schedules, sorted by name."""
        return self._queues.get("schedules", lambda: list_schedules(self._client))

    def refused_schedules(self) -> Reading[dict[str, str]]:
        """Return position (`file:line`) → problem of each document that the scheduler refused."""
        return self._queues.get("refused-schedules", lambda: refused_schedules(self._client))

    def schedule_backfills(self, uid: str) -> Reading[list[BackfillInfo]]:
        """Return the newest backfills of a schedule, at most ten, newest first."""
        return self._queues.get(("schedule-backfills", uid), lambda: list_backfills(self._client, uid))

    def schedule_runs(self, uid: str) -> Reading[list[RunRecord]]:
        """Return the newest runs of a schedule, at most ten, newest first."""
        return self._queues.get(("schedule-runs", uid), lambda: self._monitor.get_schedule_runs(uid))

    def task_stats(self) -> Reading[dict[str, TaskStats]]:
        """Return task → statistics, for each task that is in the catalog or has run."""
        return self._queues.get("tasks", lambda: dict.fromkeys(CATALOG, TaskStats()) | self._monitor.get_all_stats())

    def task_runs(self, task: str) -> Reading[list[RunRecord]]:
        """Return the newest runs of a task, first those in progress, at most 20."""
        return self._queues.get(("task-runs", task), lambda: self._monitor.get_recent_runs(task))

    def runs(
        self, wanted: RunFilter = ALL_RUNS, *, after: RunPosition | None = None, limit: int = 100
    ) -> Reading[RunPage]:
        """Return the newest runs that match a filter: by their start while they run, and later by their end."""
        return self._queues.get(
            ("runs", wanted, after, limit),
            lambda: self._monitor.find_runs(wanted, after=after, limit=limit),
            is_kept=after is None and wanted.since is None,
        )

    def running(self) -> Reading[RunPage]:
        """Return the runs in progress, newest first. At most 1,000 are listed; a fleet has fewer threads."""
        return self.runs(RunFilter(state=RunState.RUNNING), limit=_MOST_RUNNING)

    def runs_of(self, ids: Sequence[str]) -> Reading[list[RunRecord]]:
        """Return the runs with these ids, in the same order, without those whose record has expired."""
        return self._queues.get(("runs-of", tuple(ids)), lambda: self._monitor.get_runs(ids))

    def outcomes(self) -> Reading[list[OutcomeHour]]:
        """Return the number of runs that ended and failed in each of the last 24 hours, oldest first."""
        return self._queues.get("outcomes", lambda: sum_outcomes(self.task_outcomes().required(), self.clock.now()))

    def task_outcomes(self) -> Reading[dict[str, list[OutcomeHour]]]:
        """Return task → the same for its runs, for each task that is in the catalog or has run."""
        return self._queues.get("task-outcomes", self._read_outcomes)

    def run(self, id: str) -> Reading[RunRecord | None]:
        """Return one run, or None if it is unknown or its record has expired."""
        return self._queues.get(("run", id), lambda: self._monitor.get_run(id))

    def dead_letters(self, wanted: DeadLetterFilter, *, limit: int) -> Reading[list[DeadLetter]]:
        """Return the dead letters that match a filter, newest first."""
        return self._queues.get(
            ("dead-letters", wanted, limit),
            lambda: DeadLetterQueue(self._client).find(wanted, limit=limit),
            is_kept=wanted.died_until == inf,
        )

    def search_dead_letters(self, wanted: DeadLetterFilter, *, limit: int) -> Reading[FoundLetters]:
        """Return the newest matching dead letters, and how many were searched if the search stopped."""
        return self._queues.get(
            ("search-dead-letters", wanted, limit), lambda: DeadLetterQueue(self._client).search(wanted, limit=limit)
        )

    def dead_letter(self, id: str) -> Reading[DeadLetter | None]:
        """Return one dead letter, or None if there is none with this id."""
        return self._queues.get(("dead-letter", id), lambda: DeadLetterQueue(self._client).show(id))

    def _read_outcomes(self) -> dict[str, list[OutcomeHour]]:
        now = self.clock.now()
        return {task: no_outcomes(now) for task in CATALOG} | outcomes_by_task(self._client, now)
