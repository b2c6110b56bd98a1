"""Reclaims the messages of dead workers and deletes expired dead letters.

`cleanup_failed_tasks_task` also deletes expired dead letters, once a day and on request. The janitor does so too
because it runs in the scheduler, so it works even if no worker of the `low` tier is running.
"""

import time
from collections.abc import Callable
from typing import Any

import redis
from dramatiq.common import q_name

from financehub_shared.broker import queue_scripts
from financehub_shared.broker.dead_letter_queue import DeadLetterQueue
from financehub_shared.broker.queues import queue_of, scan_names
from financehub_shared.broker.stranded import StrandedMessages
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.log import get_logger
from financehub_shared.redis import queue_keys as keys
from financehub_shared.redis.key_types import repaired, report_wrong_key, set_aside_wrong_keys, wrong_keys
from financehub_shared.redis.replies import is_wrong_type
from financehub_shared.redis.schedule_keys import fleet_types

log = get_logger(__name__)

#: Default of the setting `max_dead_letters`, which has the reason.
MAX_DEAD_LETTERS = 10_000
#: Seconds for which loss counts are kept after their last change. No message is in flight that long.
LOSSES_TTL_SECONDS = 7 * DAY_SECONDS
#: Seconds after an outage and after the start of the process in which no worker counts as dead. Heartbeats may then be
#: as old as the outage. A live worker sends its next one up to 8 s later, after the timeout of a command and dramatiq's
#: pause before a new consumer.
RECOVERY_SECONDS = 10.0
#: Steps of the Redis clock beyond this make the heartbeats of live workers look old, or those of dead workers new. No
#: script or reply takes as long, since clients wait 5 s for one.
CLOCK_STEP_SECONDS = 5.0


class Janitor:
    """Maintains the queues. The scheduler runs it every `janitor_interval_seconds`, by default 15 s.

    Stock dramatiq instead does this at random, with about one in 1,000 commands. The janitor works without workers,
    covers every existing queue, and can run alongside other schedulers' janitors.

    Args:
        client: Client for the queue Redis, with replies as bytes.
        heartbeat_timeout_seconds: Age of its last heartbeat at which a worker counts as dead.
        dead_letter_retention_days: Age in days at which dead letters are deleted.
        max_dead_letters: Number of dead letters of a queue beyond which the oldest are deleted.
        recovery_seconds: Seconds in which Redis has to take writes before a silent worker counts as dead. They begin
            with the first round, because the process may have started just after an outage.
        monotonic: Returns the monotonic time in seconds.
    """

    def __init__(
        self,
        client: "redis.Redis",
        *,
        heartbeat_timeout_seconds: float,
        dead_letter_retention_days: float,
        max_dead_letters: int = MAX_DEAD_LETTERS,
        recovery_seconds: float = RECOVERY_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._heartbeat_timeout = heartbeat_timeout_seconds
        self._retention = dead_letter_retention_days * DAY_SECONDS
        self._max_dead_letters = max_dead_letters
        self._reclaim = client.register_script(queue_scripts.RECLAIM)
        self._stranded = StrandedMessages(client)
        self._dead_letters = DeadLetterQueue(client)
        self._recovery_seconds = recovery_seconds
        self._monotonic = monotonic
        #: Monotonic time since which Redis has taken our writes; None while it does not, and before the first round.
        self._available_since: float | None = None
        #: Redis time of the last round minus its monotonic time.
        self._clock_offset: float | None = None

    def run(self) -> dict[str, int]:
        """Run the maintenance once.

        Returns:
            The number of reclaimed messages per queue, including delayed ones. Every existing queue has an entry.

        Raises:
            redis.RedisError: Redis does not answer, or refuses a command. The next run catches up.
        """
        try:
            return self._maintain()
        except redis.RedisError:
            self._available_since = None
            raise

    def _maintain(self) -> dict[str, int]:
        begun_at = self._monotonic()
        seconds, microseconds = self._client.time()
        now = seconds + microseconds / 1e6
        reclaim = self._may_reclaim(begun_at, now)
        alive_since = now - self._heartbeat_timeout
        # Some writers only skip such a key, and their data would be missing until someone deletes it.
        set_aside_wrong_keys(self._client, fleet_types())
        heartbeats = self._heartbeats()
        names = self._scan()
        queues = {queue for name in names if (queue := queue_of(name))}
        reclaimed = dict.fromkeys(queues, 0)
        for name in names:
            match = keys.ACKS_KEY.match(name)
            if not reclaim or match is None:
                continue
            heartbeat = heartbeats.get(match["worker"].encode(), 0) / 1000
            if alive_since < heartbeat <= now + CLOCK_STEP_SECONDS:
                continue
            worker, queue = match["worker"], match["queue"]
            count = self._reclaim_from(worker, queue, alive_since)
            reclaimed[q_name(queue)] = reclaimed.get(q_name(queue), 0) + count
            if count:
                log.warning("messages_reclaimed", queue=queue, worker=worker, count=count)
        for queue, count in self._stranded.recover(names).items():
            log.warning("stranded_messages_requeued", queue=queue, count=count)
        # A worker that has fetched a message since the scan has sent a heartbeat with the fetch.
        # Without reclaiming, this deletes nothing and only finds out whether Redis takes writes.
        if heartbeats:
            self._client.zremrangebyscore(keys.HEARTBEATS, "-inf", alive_since * 1000 if reclaim else "(-inf")
        if heartbeats and reclaim:  # a live worker has sent a new one since the clock was set back
            self._client.zremrangebyscore(keys.HEARTBEATS, f"({(now + CLOCK_STEP_SECONDS) * 1000}", "+inf")
        if dropped := self._dead_letters.drop_older(now - self._retention, queues=queues):
            log.info("dead_letters_expired", count=dropped)
        for queue, count in self._dead_letters.drop_beyond(self._max_dead_letters, queues=queues).items():
            log.warning("dead_letters_dropped", queue=queue, count=count, limit=self._max_dead_letters)
        return reclaimed

    def _may_reclaim(self, monotonic: float, now: float) -> bool:
        """Whether old heartbeats prove that their workers are dead. After a step of the Redis clock, they do not.

        Args:
            monotonic: Monotonic time in seconds.
            now: Redis time in Unix seconds.
        """
        offset, self._clock_offset = self._clock_offset, now - monotonic
        if offset is not None and abs(self._clock_offset - offset) > CLOCK_STEP_SECONDS:
            log.warning("redis_clock_set", seconds=round(self._clock_offset - offset, 1))
            self._available_since = monotonic
        if self._available_since is None:
            self._available_since = monotonic
        return monotonic - self._available_since >= self._recovery_seconds

    def _reclaim_from(self, worker: str, queue: str, alive_since: float) -> int:
        # A delayed message only waits in memory, so it cannot have killed its worker.
        count_losses = int(queue == q_name(queue))
        names = [
            keys.acks(worker, queue),
            keys.ready(queue),
            keys.messages(queue),
            keys.losses(queue),
            keys.HEARTBEATS,
        ]
        step_ms = round(CLOCK_STEP_SECONDS * 1000)
        args: list[str | int] = [worker, round(alive_since * 1000), count_losses, LOSSES_TTL_SECONDS, step_ms]
        try:
            return int(self._reclaim(keys=names, args=args))
        except redis.ResponseError as error:
            # The other queues and workers must not wait for this one.
            types = keys.types(worker, queue)
            wrong = wrong_keys(self._client, types) if is_wrong_type(error) else []
            if not wrong:
                raise
            for key in wrong:
                report_wrong_key(key, f"it is not a {types[key]}, so the messages of {worker} cannot be reclaimed")
            return 0

    def _scan(self) -> list[str]:
        return scan_names(self._client)

    def _heartbeats(self) -> dict[bytes, float]:
        rows: Any = repaired(
            self._client,
            lambda: {keys.HEARTBEATS: "zset"},
            lambda: self._client.zrange(keys.HEARTBEATS, 0, -1, withscores=True),
        )
        return dict(rows)
