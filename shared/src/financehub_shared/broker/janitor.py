"""Housekeeping of the queues: what dead workers held goes back, expired dead letters go."""

import re
from collections.abc import Iterator
from typing import Any

import redis
import structlog
from dramatiq.common import q_name

from financehub_shared.broker import scripts
from financehub_shared.broker.dead_letters import DeadLetters
from financehub_shared.broker.queues import SCAN_COUNT
from financehub_shared.redis import queue_keys as keys

log = structlog.get_logger(__name__)

#: How long the count of lost workers outlives its last change, seconds; a message is long settled by then.
LOSSES_TTL_SECONDS = 7 * 86_400


class Janitor:
    """Stock dramatiq leaves this to one in a thousand commands; the scheduler runs it every few seconds.

    Works with zero workers, for every queue that exists, and side by side with janitors of other schedulers.

    Args:
        client: of the queues' Redis, answers bytes.
        heartbeat_timeout_seconds: a worker silent for this long is dead.
        dead_letter_retention_days: older dead letters are dropped.
    """

    def __init__(
        self, client: "redis.Redis", *, heartbeat_timeout_seconds: float, dead_letter_retention_days: float
    ) -> None:
        self._client = client
        self._heartbeat_timeout = heartbeat_timeout_seconds
        self._retention = dead_letter_retention_days * 86_400
        self._reclaim = client.register_script(scripts.RECLAIM)
        self._dead_letters = DeadLetters(client)

    def run(self) -> dict[str, int]:
        """One round.

        Returns:
            Every queue found → how many of its messages (delayed ones too) were given back.

        Raises:
            redis.RedisError: Redis does not answer or refuses; the next round makes up for it.
        """
        seconds, microseconds = self._client.time()
        now = seconds + microseconds / 1e6
        silent_since = now - self._heartbeat_timeout
        found_beats: Any = self._client.zrange(keys.HEARTBEATS, 0, -1, withscores=True)
        beats: dict[bytes, float] = dict(found_beats)
        found = list(self._scan())
        reclaimed = {queue: 0 for name in found if (queue := _queue(name))}
        for name in found:
            match = keys.ACKS_KEY.match(name)
            if match is None or beats.get(match["worker"].encode(), 0) / 1000 > silent_since:
                continue
            worker, queue = match["worker"], match["queue"]
            count = self._reclaim_from(worker, queue, silent_since)
            reclaimed[q_name(queue)] = reclaimed.get(q_name(queue), 0) + count
            if count:
                log.warning("messages_reclaimed", queue=queue, worker=worker, count=count)
        # a worker that holds something new since the scan has sent a heartbeat with it
        self._client.zremrangebyscore(keys.HEARTBEATS, "-inf", silent_since * 1000)
        if dropped := self._dead_letters.drop_older(now - self._retention):
            log.info("dead_letters_expired", count=dropped)
        return reclaimed

    def _reclaim_from(self, worker: str, queue: str, silent_since: float) -> int:
        # a delayed message waits in memory and runs nothing, so its worker's death is not its doing
        counts = int(queue == q_name(queue))
        names = [
            keys.acks(worker, queue),
            keys.ready(queue),
            keys.messages(queue),
            keys.losses(queue),
            keys.HEARTBEATS,
        ]
        return int(self._reclaim(keys=names, args=[worker, round(silent_since * 1000), counts, LOSSES_TTL_SECONDS]))

    def _scan(self) -> Iterator[str]:
        for key in self._client.scan_iter(match=keys.EVERYTHING, count=SCAN_COUNT):
            yield key.decode()


def _queue(name: str) -> str | None:
    match: re.Match[str] | None = keys.QUEUE_KEY.match(name)
    return match["queue"] if match else None
