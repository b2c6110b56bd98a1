"""Step 2 of the loop: takes all due runs from the planner, and submits them to Redis in batches."""

import asyncio
from collections.abc import Callable, Sequence

from redis.exceptions import RedisError

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.answers import Answers
from financehub_scheduler.core.listener import SchedulerListener
from financehub_scheduler.core.planner import OthersRun, Planner
from financehub_scheduler.core.shares import Shares
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.core.takeover import SETTLING, Takeover
from financehub_scheduler.redis.enqueuer import EncodedRun, EnqueueOutcome, Enqueuer
from financehub_scheduler.redis.registry import Registry
from financehub_shared.core.clock import Clock

#: Schedules per script, which takes Redis 3 ms. Larger batches gain little, and the first run in a batch waits for the
#: last one.
BATCH = 200
#: Maximum number of concurrent batches: Redis processes one while the next is prepared.
_BATCHES_IN_FLIGHT = 2


class Firing:
    """Submits due runs. Of those that another live scheduler owns, it submits what that one has not settled.

    Args:
        clock: The clock.
        registry: Reads the high-water marks of the runs that others own.
        enqueuer: Sends runs to Redis.
        planner: Hands out the due runs, and gets back those whose batch has failed.
        shares: Decides which schedules are submitted at their due times.
        answers: Gets the replies.
        listener: Is notified of runs that were taken over.
        on_reply: Is called whenever Redis has replied.
    """

    def __init__(
        self,
        clock: Clock,
        registry: Registry,
        enqueuer: Enqueuer,
        planner: Planner,
        shares: Shares,
        answers: Answers,
        listener: SchedulerListener,
        on_reply: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._enqueuer = enqueuer
        self._planner = planner
        self._shares = shares
        self._answers = answers
        self._listener = listener
        self._on_reply = on_reply
        self._takeover = Takeover(registry, planner)

    async def fire(self) -> None:
        """Submit everything that is due.

        Raises:
            redis.RedisError: Redis did not reply or returned an error. The runs of that batch are due again.
        """
        in_flight: set[asyncio.Task[None]] = set()
        try:
            while batch := self._planner.pop_due(BATCH):
                if batch.own:
                    in_flight.add(asyncio.create_task(self._submit(batch.own)))
                if batch.others:
                    in_flight.add(asyncio.create_task(self._look_at(batch.others)))
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

    async def _look_at(self, others: Sequence[OthersRun]) -> None:
        """Submit what the owners of schedules should have settled and did not settle."""
        try:
            found = await self._takeover.look(others)
        except Exception:
            for other in others:
                self._planner.put_back(other.state)
            raise
        now = self._clock.now()
        self._on_reply()
        for state, run, result in found.settled:
            self._shares.owner_works(state.schedule.uid)
            self._answers.add(state, [run], [result], now)
        if found.left:
            await self._submit(found.left, is_takeover=True)

    async def _submit(
        self, batch: Sequence[tuple[ScheduleState, Sequence[EncodedRun]]], *, is_takeover: bool = False
    ) -> None:
        all_runs = [run for _, runs in batch for run in runs]
        try:
            results = await self._enqueuer.submit(all_runs, self._clock.now()) if all_runs else []
        except RedisError:
            # Whether Redis executed the batch is unknown. Submitting the same runs again does no harm.
            for state, _ in batch:
                self._planner.put_back(state)
            raise
        now = self._clock.now()
        self._on_reply()
        remaining, taken_over = iter(results), list[Schedule]()
        for state, runs in batch:
            outcomes = [next(remaining) for _ in runs]
            self._answers.add(state, runs, outcomes, now)
            if any(result.outcome is EnqueueOutcome.ALREADY for result in outcomes):
                self._shares.owner_works(state.schedule.uid)
            elif (
                is_takeover
                and any(result.outcome in SETTLING for result in outcomes)
                and self._shares.took_over(state.schedule)
            ):
                taken_over.append(state.schedule)
        if taken_over:
            self._listener.runs_taken_over(taken_over)
