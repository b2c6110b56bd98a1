"""Writes the run records of enqueued runs, shortly after the runs themselves."""

from collections import deque
from itertools import islice

from financehub_scheduler.redis.enqueuer import Enqueuer, RunSubmission
from financehub_shared.core.clock import Clock

#: Maximum number of records per script, which takes Redis 2 ms.
_BATCH = 50
#: Seconds for which a record waits for others, so that most runs cost the loop a single Redis reply instead of two.
DELAY_SECONDS = 0.25
#: Maximum number of records kept while Redis is unavailable or busy with due runs. The workers write any others.
_MAX_PENDING = 20_000


class RunRecordBatch:
    """Collects enqueued runs and records them in batches.

    Args:
        clock: The clock.
        enqueuer: Writes the records.
        delay_seconds: Seconds for which a record waits for others.
    """

    def __init__(self, clock: Clock, enqueuer: Enqueuer, delay_seconds: float) -> None:
        self._clock = clock
        self._enqueuer = enqueuer
        self._delay_seconds = delay_seconds
        self._pending: deque[tuple[RunSubmission, float]] = deque(maxlen=_MAX_PENDING)
        self._write_at = 0.0

    def add(self, run: RunSubmission, at: float) -> None:
        """Add a run, with its enqueue time in Unix seconds."""
        if not self._pending:
            self._write_at = self._clock.monotonic() + self._delay_seconds
        self._pending.append((run, at))

    @property
    def pending(self) -> bool:
        """Whether there are records to write."""
        return bool(self._pending)

    def seconds_until_write(self) -> float:
        """Return the seconds until the next batch should be written; 0 or less if it should be written now."""
        return self._write_at - self._clock.monotonic()

    async def write_batch(self) -> None:
        """Write one batch.

        Raises:
            redis.RedisError: Redis did not reply or returned an error; the batch stays pending.
        """
        batch = list(islice(self._pending, _BATCH))
        await self._enqueuer.record_enqueued_runs(batch)
        for _ in batch:
            self._pending.popleft()
