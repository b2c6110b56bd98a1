"""The engine: a single loop that turns due times into messages. It does not know where schedules come from.

One step of the loop does three things, in this order:

1. Register. Pending changes from the source are sent to Redis, which replies with the high-water mark of each schedule.
   The planner computes the next due time after that mark and queues it.
2. Fire. All due runs leave the queue in batches, and one Lua script per batch enqueues their messages. The next batch
   is prepared while Redis processes the previous one.
3. Advance. For each reply, the engine adopts the high-water mark that Redis has moved, and the planner queues the next
   due time. The records of enqueued runs, which listings show, are written a moment later, when there is no other work.

Redis has the final say. Any number of schedulers can run this loop at the same time without communicating with each
other, and each due time is still settled exactly once. If Redis is unavailable, the runs return to the due queue.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Iterable, Sequence

import structlog
from redis.exceptions import RedisError

from financehub_scheduler.core.changes import Changes
from financehub_scheduler.core.clock_jumps import ClockJumps
from financehub_scheduler.core.health_probe import LoopHealth
from financehub_scheduler.core.listener import SchedulerListener
from financehub_scheduler.core.planner import ArgumentCheck, Planner
from financehub_scheduler.core.registration import PendingRegistrations
from financehub_scheduler.core.run_record_batch import DELAY_SECONDS, RunRecordBatch
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.core.warnings import spec_warnings
from financehub_scheduler.redis.enqueuer import EncodedRun, EnqueueOutcome, Enqueuer, EnqueueResult
from financehub_scheduler.redis.registry import Registry
from financehub_shared.core.clock import Clock
from financehub_shared.core.outage import Outage
from financehub_shared.schedules import Pause
from financehub_shared.spec.predecessors import Predecessor

log = structlog.get_logger(__name__)

#: Schedules per script, which takes Redis 3 ms. Larger batches gain little, and the first run in a batch waits for the
#: last one.
BATCH = 200
#: Maximum number of concurrent batches: Redis processes one while the next is prepared.
_BATCHES_IN_FLIGHT = 2
#: Replies processed between two checks for due runs, which takes about 3 ms.
_ANSWER_BATCH = 64
#: The longest sleep. It limits how late the loop notices a jump of the wall clock or that the machine resumed from
#: sleep.
_MAX_SLEEP_SECONDS = 1.0
#: Pauses while Redis is unavailable: the first, and the longest.
_PAUSE_SECONDS = (0.1, 2.0)
#: The pause of a schedule until `Pauses` has read who paused it and why.
_NEW_PAUSE = Pause(problem="it was paused a moment ago; the user and the reason are read within a second")
#: Pause after Redis has found a due time too far ahead of its own clock.
_AHEAD_PAUSE_SECONDS = 2.0


class Engine:
    """Enqueues the due runs of all schedules.

    Args:
        clock: The clock.
        registry: The registry of schedules in Redis.
        enqueuer: Sends runs to Redis.
        states: uid → state of each active schedule. The engine fills it; other components read it.
        listener: Is notified of everything that happens.
        check_arguments: Refuses schedules whose arguments are currently invalid.
        record_delay_seconds: Seconds for which run records wait for each other before they are written.
    """

    def __init__(
        self,
        clock: Clock,
        registry: Registry,
        enqueuer: Enqueuer,
        states: dict[str, ScheduleState],
        listener: SchedulerListener,
        check_arguments: ArgumentCheck,
        record_delay_seconds: float = DELAY_SECONDS,
    ) -> None:
        self._clock = clock
        self._enqueuer = enqueuer
        self._listener = listener
        self._planner = Planner(clock, states, listener, check_arguments)
        self._registrations = PendingRegistrations(registry)
        self._run_records = RunRecordBatch(clock, enqueuer, record_delay_seconds)
        #: Unprocessed replies: a state, its runs, their results, and the time of the reply (Unix seconds).
        self._answers: deque[tuple[ScheduleState, Sequence[EncodedRun], Sequence[EnqueueResult], float]] = deque()
        first, longest = _PAUSE_SECONDS
        self._outage = Outage("redis", clock.monotonic, log, pause_seconds=first, longest_pause_seconds=longest)
        self._paused_until = 0.0
        self._wake = asyncio.Event()
        self._stopping = False
        self._jumps = ClockJumps(clock)
        self.health = LoopHealth(clock.monotonic(), clock.monotonic())
        self.states = states

    # called by other parts of the process -------------------------------------------------------------
    def apply(self, changes: Changes) -> None:
        """Accept changes that a source reported. The loop applies them in order as soon as Redis is available."""
        self._registrations.add(changes, self._clock.now())
        self._wake.set()

    @property
    def all_registered(self) -> bool:
        """Whether everything that the source has reported is registered."""
        return self._registrations.all_registered

    def restore(self, uids: Iterable[str]) -> None:
        """Register again the schedules that Redis has lost, with the high-water marks in our memory."""
        self._registrations.repeat(
            (state.schedule, max(state.high_water_mark, state.since)) for uid in uids if (state := self.states.get(uid))
        )
        self._wake.set()

    def reregister_superseded(self, observed_at: float) -> None:
        """Register again the superseded schedules that our source still has.

        Usually, the other scheduler has seen a newer state, which our source reports within seconds. If it does not,
        the other scheduler's source differs permanently or was outdated itself, and our schedule must keep running if
        that scheduler ends.

        Args:
            observed_at: Time at which our source last confirmed its schedules, monotonic seconds.
        """
        now = self._clock.now()
        superseded = (
            (state.schedule, now)
            for state in self.states.values()
            if state.superseded_at is not None and state.superseded_at <= observed_at
        )
        self._registrations.repeat(superseded, confirmed=True)
        self._wake.set()

    def recheck_arguments(self) -> None:
        """Check all schedules' arguments again. Runs that were due during a refusal are subject to catch-up."""
        self._planner.recheck_arguments()
        self._wake.set()

    def set_pause(self, uid: str, paused: Pause | None, resumed_at: float = 0.0) -> None:
        """Pause or resume a schedule, if it is active. See `Planner.set_pause`."""
        if state := self.states.get(uid):
            self._planner.set_pause(state, paused, resumed_at)
            self._wake.set()

    def follow(self, uid: str, predecessor: Predecessor, success: float | None) -> None:
        """Adopt what was found about the predecessor of a follower, if it is active. See `Planner.follow`."""
        if (state := self.states.get(uid)) and self._planner.follow(state, predecessor, success):
            self._wake.set()

    def stop(self) -> None:
        """End the loop after the current batch."""
        self._stopping = True
        self._wake.set()

    def due_lag(self) -> float:
        """Return for how many seconds the earliest due run has been waiting; 0 if nothing is late. Thread-safe."""
        earliest = self.health.earliest_due
        return max(0.0, self._clock.now() - earliest) if earliest is not None else 0.0

    def on_redis_unavailable(self, error: RedisError) -> None:
        """Pause the loop briefly, because Redis did not reply or returned an error."""
        self.health.last_failure = self._clock.monotonic()
        self._outage.failed(error)

    def on_redis_reply(self) -> None:
        """Record that Redis has replied."""
        self._outage.succeeded()
        self.health.last_reply = self._clock.monotonic()

    # the loop -----------------------------------------------------------------------------------------
    async def run(self) -> None:
        """Run the loop until `stop`."""
        # The clock may have been corrected by the time of Redis since this object was built.
        self._jumps.restart()
        while not self._stopping:
            self._wake.clear()
            wait = await self.step()
            try:
                await asyncio.wait_for(self._wake.wait(), wait)
            except TimeoutError:
                continue
        self._process_answers(len(self._answers))
        while self._run_records.pending and not self._outage.active:
            try:
                await self._run_records.write_batch()
            except RedisError as error:
                self.on_redis_unavailable(error)

    async def step(self) -> float:
        """Do everything that is due, and return the seconds until the next deadline."""
        self.health.last_step = self._clock.monotonic()
        try:
            return await self._step()
        finally:
            # Probes run in another thread, which must not touch the due queue.
            self.health.earliest_due = self._planner.next_time()

    async def _step(self) -> float:
        self._jumps.check()
        if (pause := self._pause_seconds()) > 0:
            return min(pause, _MAX_SLEEP_SECONDS)
        try:
            if self._registrations.pending:
                await self._register()
            await self._fire()
            if self._run_records.pending and not self._answers and self._run_records.seconds_until_write() <= 0:
                await self._run_records.write_batch()
        except RedisError as error:
            self.on_redis_unavailable(error)
            return 0.0
        if self._answers:
            self._process_answers(_ANSWER_BATCH)
            return 0.0
        if self._registrations.pending:
            return 0.0
        return self._seconds_until_next_deadline()

    def _pause_seconds(self) -> float:
        return max(self._outage.remaining_seconds(), self._paused_until - self._clock.monotonic())

    def _seconds_until_next_deadline(self) -> float:
        waits = [_MAX_SLEEP_SECONDS]
        if self._run_records.pending:
            waits.append(self._run_records.seconds_until_write())
        if (earliest := self._planner.next_time()) is not None:
            waits.append(earliest - self._clock.now())
        return max(0.0, min(waits))

    # 1. register --------------------------------------------------------------------------------------
    async def _register(self) -> None:
        for uid in await self._registrations.unregister():
            if state := self._planner.remove(uid):
                log.info("schedule_removed", schedule=state.schedule.name)
        for uid in await self._registrations.deactivate():
            self._planner.remove(uid)
        registered = await self._registrations.register(self._clock.now(), self.states)
        self.on_redis_reply()
        for registration, result in registered:
            schedule = registration.schedule
            if result.outcome == "created" and result.paused:
                log.warning("schedule_pause_restored", schedule=schedule.name)
            self._planner.add(ScheduleState.registered(schedule, result))
            self._listener.schedule_registered(schedule)
            for warning in spec_warnings(schedule, self._clock.now()):
                log.warning("spec_warning_found", schedule=schedule.name, warning=warning)
        if counts := Counter[str](result.outcome for _, result in registered):
            log.info("schedules_registered", total=len(self.states), **counts)

    # 2. fire ------------------------------------------------------------------------------------------
    async def _fire(self) -> None:
        in_flight: set[asyncio.Task[None]] = set()
        try:
            while batch := self._planner.pop_due(BATCH):
                in_flight.add(asyncio.create_task(self._submit(batch)))
                if len(in_flight) >= _BATCHES_IN_FLIGHT:
                    done, in_flight = await asyncio.wait(in_flight, return_when=asyncio.FIRST_COMPLETED)
                    # Every exception is retrieved, because asyncio would log the others.
                    for error in [task.exception() for task in done]:
                        if error:
                            raise error
        finally:
            # All batches are processed or put back, even if one of them has failed.
            results = await asyncio.gather(*in_flight, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _submit(self, batch: Sequence[tuple[ScheduleState, Sequence[EncodedRun]]]) -> None:
        all_runs = [run for _, runs in batch for run in runs]
        try:
            results = await self._enqueuer.submit(all_runs, self._clock.now()) if all_runs else []
        except RedisError:
            # Whether Redis executed the batch is unknown. Submitting the same runs again does no harm.
            for state, _ in batch:
                self._planner.put_back(state)
            raise
        now = self._clock.now()
        self.on_redis_reply()
        remaining = iter(results)
        for state, runs in batch:
            self._answers.append((state, runs, [next(remaining) for _ in runs], now))

    # 3. advance ---------------------------------------------------------------------------------------
    def _process_answers(self, limit: int) -> None:
        for _ in range(min(limit, len(self._answers))):
            state, runs, results, at = self._answers.popleft()
            for encoded, result in zip(runs, results, strict=True):
                self._listener.run_answered(encoded.run, result.outcome, at)
                if result.outcome is EnqueueOutcome.ENQUEUED:
                    self._run_records.add(encoded.run, at)
            # The schedule may have been replaced or removed while its batch was in progress.
            if self._planner.is_current(state):
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
                self.restore([state.schedule.uid])
            case EnqueueOutcome.DELETED | EnqueueOutcome.CHANGED:
                # Another scheduler has seen a newer state of the source. Our source reports it within seconds, or
                # `reregister_superseded` registers our state again.
                state.next_run, state.superseded_at = None, self._clock.monotonic()
                log.warning("schedule_superseded", schedule=state.schedule.name, reason=str(result.outcome))
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
                state.high_water_mark = runs[-1].run.due
                self._planner.plan_next(state)
            case EnqueueOutcome.REFUSED | EnqueueOutcome.WAIT:
                raise AssertionError(f"{result.outcome!r} is an answer to on-demand runs only, not to a due run")

    def _pause_until_due(self, state: ScheduleState, redis_now: float) -> None:
        """Pause the loop and put a run back, because its due time is too far ahead of Redis's clock."""
        now = self._clock.monotonic()
        if not self.health.is_ahead(now):
            log.error("clock_skew_detected", seconds=round(self._clock.now() - redis_now, 1))
        self.health.last_ahead = now
        self._paused_until = now + _AHEAD_PAUSE_SECONDS
        self._planner.put_back(state)
