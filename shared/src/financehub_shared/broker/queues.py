"""Reads queue sizes and ages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis
from dramatiq import Message
from dramatiq.common import dq_name
from dramatiq.errors import DecodeError

from financehub_shared.broker import options
from financehub_shared.redis import queue_keys as keys

#: Keys per SCAN call: 1,000 take Redis about 0.3 ms.
SCAN_COUNT = 1_000


@dataclass(frozen=True, slots=True)
class QueueStats:
    """One queue's statistics at one moment.

    Args:
        queue: Name of the queue, without `.DQ`.
        ready: Number of messages that wait for a worker.
        in_flight: Number of messages that workers have fetched but not acknowledged, including orphaned ones.
        delayed: Number of messages in the delay queue, most of them retries.
        dead: Number of dead letters.
        oldest_age_seconds: Time since the message at the head of the queue became ready; 0 if the queue is empty.
        orphaned: Number of messages held by dead workers; the janitor reclaims them.
    """

    queue: str
    ready: int
    in_flight: int
    delayed: int
    dead: int
    oldest_age_seconds: float
    orphaned: int


def queue_stats(
    client: "redis.Redis", queues: Sequence[str], *, heartbeat_timeout_seconds: float = 60
) -> list[QueueStats]:
    """Read the statistics of `queues` in two round trips, regardless of how many there are and how long they are.

    Args:
        client: Client for the queue Redis, with replies as bytes.
        queues: Names of the queues.
        heartbeat_timeout_seconds: Age of its last heartbeat at which a worker counts as dead.
    """
    if not queues:
        return []
    with client.pipeline(transaction=False) as pipe:
        pipe.time()
        pipe.zrange(keys.HEARTBEATS, 0, -1, withscores=True)
        for queue in queues:
            pipe.llen(keys.ready(queue))
            pipe.hlen(keys.messages(queue))
            pipe.hlen(keys.messages(dq_name(queue)))
            pipe.zcard(keys.dead(queue))
            pipe.lindex(keys.ready(queue), 0)
        (seconds, microseconds), heartbeats, *figures = pipe.execute()
        now = seconds + microseconds / 1e6
        alive_since = now - heartbeat_timeout_seconds
        dead_workers = [worker.decode() for worker, at_ms in heartbeats if at_ms / 1000 <= alive_since]
        rows = [figures[start : start + 5] for start in range(0, len(figures), 5)]
        for queue, (*_, head) in zip(queues, rows, strict=True):
            # HGET needs a field name, and no queue contains a message with an empty id.
            pipe.hget(keys.messages(queue), head or b"")
            for worker in dead_workers:
                pipe.scard(keys.acks(worker, queue))
                pipe.scard(keys.acks(worker, dq_name(queue)))
        replies = iter(pipe.execute())
    stats = []
    for queue, (ready, messages, delayed, dead, _) in zip(queues, rows, strict=True):
        oldest = next(replies)
        orphaned = sum(next(replies) for _ in range(2 * len(dead_workers)))
        age = max(0.0, now - _ready_at(oldest)) if oldest else 0.0
        stats.append(QueueStats(queue, ready, max(0, messages - ready), delayed, dead, age, orphaned))
    return stats


def discover_queues(client: "redis.Redis") -> set[str]:
    """Return the names of all queues that contain anything, using an incremental SCAN.

    Queues outside the catalog are included.
    """
    names = (key.decode() for key in client.scan_iter(match=keys.EVERYTHING, count=SCAN_COUNT))
    return {match["queue"] for name in names if (match := keys.QUEUE_KEY.match(name))}


def _ready_at(data: bytes) -> float:
    """Return when a message became ready, in Unix seconds, or infinity if the data is not a message."""
    try:
        message: Message[Any] = Message.decode(data)
        return float(message.options.get(options.READY_AT, message.message_timestamp)) / 1000
    except (DecodeError, AttributeError, TypeError, ValueError):
        return float("inf")
