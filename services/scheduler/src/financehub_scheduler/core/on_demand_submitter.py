"""Submits runs that do not wait for a due time. `Firing` submits due runs, in the loop of the engine."""

from collections.abc import Sequence

from financehub_scheduler.core.listener import SchedulerListener
from financehub_scheduler.core.shares import Shares
from financehub_scheduler.redis.enqueuer import EnqueueOutcome, Enqueuer, RunSubmission, encode
from financehub_shared.core.chunks import chunks
from financehub_shared.core.clock import Clock

#: Runs per script. After a restart, thousands of annotations may be submitted. Between two scripts, due runs go first.
_BATCH = 200


class OnDemandSubmitter:
    """Sends on-demand runs to Redis in batches, reports the outcomes, and records the runs that were enqueued.

    Args:
        clock: The clock.
        enqueuer: Sends runs to Redis.
        listener: Is notified of enqueue outcomes.
        shares: Is told when this scheduler has submitted a run of a schedule that another one owns.
    """

    def __init__(self, clock: Clock, enqueuer: Enqueuer, listener: SchedulerListener, shares: Shares) -> None:
        self._clock = clock
        self._enqueuer = enqueuer
        self._listener = listener
        self._shares = shares
        self._released: set[str] = set()

    @property
    def released(self) -> frozenset[str]:
        """Uids of the schedules of which a buffered run was enqueued, even if a later batch failed."""
        return frozenset(self._released)

    def forget_released(self) -> None:
        """Begin a new step, in which no buffered run was enqueued yet."""
        self._released.clear()

    async def submit(self, runs: Sequence[RunSubmission]) -> None:
        """Submit runs, in their order.

        Args:
            runs: Runs of any kind except `due`.

        Raises:
            redis.RedisError: Redis is unavailable. Submitting the same runs again does no harm.
        """
        for batch in chunks(runs, _BATCH):
            now = self._clock.now()
            results = await self._enqueuer.submit([encode(run, now) for run in batch], now)
            enqueued = []
            for run, result in zip(batch, results, strict=True):
                self._listener.run_answered(run, result.outcome, now)
                if result.outcome is EnqueueOutcome.ENQUEUED:
                    enqueued.append((run, now))
                    if run.kind != "annotation" and not self._shares.owns(run.schedule.uid):
                        # Its owner hangs, or does not have it. Further runs must not wait as long.
                        self._shares.took_over(run.schedule)
                    if run.kind == "buffered":
                        self._released.add(run.schedule.uid)
            if enqueued:
                await self._enqueuer.record_enqueued_runs(enqueued)
