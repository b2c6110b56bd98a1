"""Step 3 of the loop: processes the replies of Redis to submitted runs, so that their schedules advance."""

from collections import deque
from collections.abc import Callable, Collection, Sequence

import structlog

from financehub_scheduler.core.health_probe import LoopHealth
from financehub_scheduler.core.listener import SchedulerListener
from financehub_scheduler.core.planner import Planner
from financehub_scheduler.core.run_record_batch import RunRecordBatch
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.core.takeover import SETTLING
from financehub_scheduler.redis.enqueuer import EncodedRun, EnqueueOutcome, EnqueueResult
from financehub_shared.core.clock import Clock
from financehub_shared.schedules import Pause

log = structlog.get_logger(__name__)

#: The pause of a schedule until `Pauses` has read who paused it and why.
_NEW_PAUSE = Pause(problem="it was paused a moment ago; the user and the reason are read within a second")
#: Pause of the loop after Redis has found a due time too far ahead of its own clock.
_AHEAD_PAUSE_SECONDS = 2.0


class Answers:
    """Keeps the replies until the loop has time for them.

    Args:
        clock: The clock.
        planner: Plans the next run of each schedule.
        listener: Is notified of the outcome of each run.
        run_records: Writes the records of enqueued runs.
        health: Notes a clock that is ahead.
        restore: Registers schedules again, by their uids, because Redis does not know them.
    """

    def __init__(
        self,
        clock: Clock,
        planner: Planner,
        listener: SchedulerListener,
        run_records: RunRecordBatch,
        health: LoopHealth,
        restore: Callable[[Collection[str]], None],
    ) -> None:
        self._clock = clock
        self._planner = planner
        self._listener = listener
        self._run_records = run_records
        self._health = health
        self._restore = restore
        #: A state, its runs, their results, and the time of the reply (Unix seconds).
        self._waiting: deque[tuple[ScheduleState, Sequence[EncodedRun], Sequence[EnqueueResult], float]] = deque()
        #: Monotonic time until which the loop must not submit anything.
        self.paused_until = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(
        self, state: ScheduleState, runs: Sequence[EncodedRun], results: Sequence[EnqueueResult], at: float
    ) -> None:
        """Add the results of the runs of one schedule, with the time of the reply in Unix seconds."""
        self._waiting.append((state, runs, results, at))

    def process(self, limit: int) -> None:
        """Process up to `limit` replies, in their order."""
        for _ in range(min(limit, len(self._waiting))):
            self._process(*self._waiting.popleft())

    def process_of(self, uids: Collection[str]) -> None:
        """Process only the replies about some schedules. A burst may have left thousands of others."""
        found = [answer for answer in self._waiting if answer[0].schedule.uid in uids]
        if found:
            self._waiting = deque(answer for answer in self._waiting if answer[0].schedule.uid not in uids)
        for answer in found:
            self._process(*answer)

    def _process(
        self, state: ScheduleState, runs: Sequence[EncodedRun], results: Sequence[EnqueueResult], at: float
    ) -> None:
        for encoded, result in zip(runs, results, strict=True):
            self._listener.run_answered(encoded.run, result.outcome, at)
            if result.outcome is EnqueueOutcome.ENQUEUED:
                self._run_records.add(encoded.run, at)
        # The schedule may have been replaced or removed while its batch was in progress.
        if self._planner.is_current(state):
            if len(runs) > 1:
                _adopt_settled(state, runs, results)
            self._advance(state, runs, results)

    def _advance(self, state: ScheduleState, runs: Sequence[EncodedRun], results: Sequence[EnqueueResult]) -> None:
        """Advance a schedule according to the enqueue outcome of its last run."""
        if not runs:
            self._planner.plan_next(state)
            return
        result = results[-1]
        match result.outcome:
            case EnqueueOutcome.UNKNOWN:
                log.warning("schedule_reregistered", schedule=state.schedule.name)
                self._restore([state.schedule.uid])
            case EnqueueOutcome.DELETED | EnqueueOutcome.CHANGED:
                # Another scheduler has seen a newer state of the source. Our source reports it within seconds, or
                # `Registrar.repeat_superseded` registers our state again.
                state.next_run, state.superseded_at = None, self._clock.monotonic()
                log.warning("schedule_superseded", schedule=state.schedule.name, reason=str(result.outcome))
                self._listener.schedule_superseded(state.schedule)
            case EnqueueOutcome.PAUSED:
                # The pause is newer than what `Pauses` has read, which it does again within a second.
                self._planner.set_pause(state, _NEW_PAUSE, 0.0)
            case EnqueueOutcome.EXHAUSTED:
                self._planner.exhaust(state)
            case EnqueueOutcome.AHEAD:
                self._pause_until_due(state, redis_now=result.time)
            case EnqueueOutcome.MOVED:
                state.high_water_mark = max(state.high_water_mark, result.time)
                self._planner.plan_next(state)
            case (
                EnqueueOutcome.ENQUEUED
                | EnqueueOutcome.MISSED
                | EnqueueOutcome.OVERLAP
                | EnqueueOutcome.BACKLOG
                | EnqueueOutcome.BUFFERED
                | EnqueueOutcome.ALREADY
            ):
                # The due time is settled, so the mark in Redis is at least this high.
                state.high_water_mark = max(runs[-1].run.due, result.time)
                self._planner.plan_next(state)
            case EnqueueOutcome.REFUSED | EnqueueOutcome.WAIT:
                raise AssertionError(f"{result.outcome!r} is an answer to on-demand runs only, not to a due run")

    def _pause_until_due(self, state: ScheduleState, redis_now: float) -> None:
        """Pause the loop and put a run back, because its due time is too far ahead of Redis's clock."""
        now = self._clock.monotonic()
        if not self._health.is_ahead(now):
            log.error("clock_skew_detected", seconds=round(self._clock.now() - redis_now, 1))
        self._health.last_ahead = now
        self.paused_until = now + _AHEAD_PAUSE_SECONDS
        self._planner.put_back(state)


def _adopt_settled(state: ScheduleState, runs: Sequence[EncodedRun], results: Sequence[EnqueueResult]) -> None:
    """Adopt the newest due time that was settled. The last run may be refused, such as one beyond `maxRuns`."""
    for encoded, result in zip(runs, results, strict=True):
        if result.outcome in SETTLING:
            state.high_water_mark = max(state.high_water_mark, encoded.run.due)
