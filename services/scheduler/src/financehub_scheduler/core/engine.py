"""The engine: a single loop that turns due times into messages. It does not know where schedules come from.

One step of the loop does three things, in this order:

1. Register (`Registrar`). Pending changes from the source are sent to Redis, which replies with the high-water mark of
   each schedule. The planner computes the next due time after that mark and queues it.
2. Fire (`Firing`). All due runs leave the queue in batches, and one Lua script per batch enqueues their messages. The
   next batch is prepared while Redis processes the previous one. Of the runs that another live scheduler owns, the loop
   only reads the high-water marks, half a second later, and submits what is not settled by then.
3. Advance (`Answers`). For each reply, the engine adopts the high-water mark that Redis has moved, and the planner
   queues the next due time. The records of enqueued runs, which listings show, are written a moment later, when all
   other work is done.

Redis has the final say. Any number of schedulers can run this loop at the same time. They agree on the owner of each
schedule (`Shares`), but nothing depends on it except who does the work first: each due time is settled exactly once. If
Redis is unavailable, the runs return to the due queue.
"""

import asyncio
from collections.abc import Iterable

import structlog
from redis.exceptions import RedisError

from financehub_scheduler.core.answers import Answers
from financehub_scheduler.core.changes import Changes
from financehub_scheduler.core.clock_jumps import ClockJumps
from financehub_scheduler.core.firing import Firing
from financehub_scheduler.core.health_probe import LoopHealth
from financehub_scheduler.core.listener import SchedulerListener
from financehub_scheduler.core.planner import ArgumentCheck, Planner
from financehub_scheduler.core.registrar import Registrar
from financehub_scheduler.core.run_record_batch import DELAY_SECONDS, RunRecordBatch
from financehub_scheduler.core.shares import Shares
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.redis.enqueuer import Enqueuer
from financehub_scheduler.redis.registry import Registry
from financehub_shared.core.clock import Clock
from financehub_shared.core.outage import Outage
from financehub_shared.schedules import Pause
from financehub_shared.spec.predecessors import Predecessor

log = structlog.get_logger(__name__)

#: Replies processed between two checks for due runs, which takes about 3 ms.
_ANSWER_BATCH = 64
#: The longest sleep. It limits how late the loop notices a jump of the wall clock or that the machine resumed from
#: sleep.
_MAX_SLEEP_SECONDS = 1.0
#: Pauses while Redis is unavailable: the first, and the longest.
_PAUSE_SECONDS = (0.1, 2.0)


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
        shares: Decides which schedules are submitted at their due times; None to submit all of them.
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
        shares: Shares | None = None,
    ) -> None:
        self._clock = clock
        shares = shares or Shares(clock)
        self.health = LoopHealth(clock.monotonic(), clock.monotonic())
        self.states = states
        self._planner = Planner(clock, states, listener, check_arguments, shares)
        self._registrar = Registrar(clock, registry, states, self._planner, listener, self.on_redis_reply)
        self._run_records = RunRecordBatch(clock, enqueuer, record_delay_seconds)
        self._answers = Answers(clock, self._planner, listener, self._run_records, self.health, self.restore)
        self._firing = Firing(
            clock, registry, enqueuer, self._planner, shares, self._answers, listener, self.on_redis_reply
        )
        first, longest = _PAUSE_SECONDS
        self._outage = Outage("redis", clock.monotonic, log, pause_seconds=first, longest_pause_seconds=longest)
        self._wake = asyncio.Event()
        self._stopping = False
        self._jumps = ClockJumps(clock)

    # called by other parts of the process -------------------------------------------------------------
    def apply(self, changes: Changes) -> None:
        """Accept changes that a source reported. The loop applies them in order as soon as Redis is available."""
        self._registrar.add(changes)
        self._wake.set()

    @property
    def all_registered(self) -> bool:
        """Whether everything that the source has reported is registered."""
        return self._registrar.all_registered

    def restore(self, uids: Iterable[str]) -> None:
        """Register again the schedules that Redis has lost. See `Registrar.restore`."""
        self._registrar.restore(uids)
        self._wake.set()

    def reregister_superseded(self, observed_at: float) -> None:
        """Register again the superseded schedules that our source still has. See `Registrar.repeat_superseded`."""
        self._registrar.repeat_superseded(observed_at)
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

    @property
    def is_stopping(self) -> bool:
        """Whether the loop ends, or never begins, because of `stop`."""
        return self._stopping

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
        self._answers.process(len(self._answers))
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
            if self._registrar.pending:
                await self._registrar.step(self._answers)
            await self._firing.fire()
            if self._run_records.pending and not self._answers and self._run_records.seconds_until_write() <= 0:
                await self._run_records.write_batch()
        except RedisError as error:
            self.on_redis_unavailable(error)
            return 0.0
        if self._answers:
            self._answers.process(_ANSWER_BATCH)
            return 0.0
        if self._registrar.pending:
            return 0.0
        return self._seconds_until_next_deadline()

    def _pause_seconds(self) -> float:
        return max(self._outage.remaining_seconds(), self._answers.paused_until - self._clock.monotonic())

    def _seconds_until_next_deadline(self) -> float:
        waits = [_MAX_SLEEP_SECONDS]
        if self._run_records.pending:
            waits.append(self._run_records.seconds_until_write())
        if (earliest := self._planner.next_time()) is not None:
            waits.append(earliest - self._clock.now())
        return max(0.0, min(waits))
