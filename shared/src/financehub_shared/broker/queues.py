"""Reads queue sizes and ages."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis
from dramatiq.common import dq_name

from financehub_shared.broker import options
from financehub_shared.broker.dead_letter_reason import MessageRefusedError
from financehub_shared.broker.door import decode_object
from financehub_shared.broker.option_rules import is_time, valid_options
from financehub_shared.broker.queue_scripts import HEAD
from financehub_shared.redis import queue_keys as keys
from financehub_shared.redis.key_types import readable, report_wrong_key
from financehub_shared.redis.text import escaped_text

#: Keys per SCAN call: 1,000 take Redis about 0.3 ms.
SCAN_COUNT = 1_000
#: Statistics read no more of the message at the head of a queue, because they are read every few seconds for each of
#: them. A longer one counts as new. Workers refuse an entry of more than 1 MB by default.
HEAD_BYTES = 1_000_000


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
        names = ["", keys.HEARTBEATS]
        pipe.time()
        pipe.zrange(keys.HEARTBEATS, 0, -1, withscores=True)
        for queue in queues:
            names += [keys.ready(queue), keys.messages(queue), keys.messages(dq_name(queue)), keys.dead(queue)]
            names.append(keys.messages(queue))
            pipe.llen(keys.ready(queue))
            pipe.hlen(keys.messages(queue))
            pipe.hlen(keys.messages(dq_name(queue)))
            pipe.zcard(keys.dead(queue))
            pipe.eval(HEAD, 2, keys.ready(queue), keys.messages(queue), HEAD_BYTES)
        replies = readable(names, pipe.execute(raise_on_error=False), None)
        (seconds, microseconds), heartbeats, *figures = replies
        now = seconds + microseconds / 1e6
        alive_since = now - heartbeat_timeout_seconds
        dead_workers = [escaped_text(worker) for worker, at_ms in heartbeats or () if at_ms / 1000 <= alive_since]
        rows = [figures[start : start + 5] for start in range(0, len(figures), 5)]
        names = []
        for queue in queues:
            for worker in dead_workers:
                for name in (keys.acks(worker, queue), keys.acks(worker, dq_name(queue))):
                    pipe.scard(name)
                    names.append(name)
        remaining = iter(readable(names, pipe.execute(raise_on_error=False), None))
    stats = []
    for queue, (ready, messages, delayed, dead, oldest) in zip(queues, rows, strict=True):
        orphaned = sum(next(remaining) or 0 for _ in range(2 * len(dead_workers)))
        age = max(0.0, now - _ready_at(oldest)) if oldest else 0.0
        in_flight = max(0, (messages or 0) - (ready or 0))
        stats.append(QueueStats(queue, ready or 0, in_flight, delayed or 0, dead or 0, age, orphaned))
    return stats


def scan_names(client: "redis.Redis") -> list[str]:
    """Return the names of all keys of the broker, using an incremental SCAN. Other keys in its namespace are reported.

    No process of ours creates a name that is not UTF-8.
    """
    names = []
    for key in client.scan_iter(match=keys.EVERYTHING, count=SCAN_COUNT):
        try:
            names.append(key.decode())
        except UnicodeDecodeError:
            report_wrong_key(key, "its name is not UTF-8, so no process of FinanceHub uses it", remedy="delete the key")
    return names


def queue_of(name: str) -> str | None:
    """Return the queue to which a key belongs, or None if the key does not belong to one queue."""
    match: re.Match[str] | None = keys.QUEUE_KEY.match(name)
    return match["queue"] if match else None


def discover_queues(client: "redis.Redis") -> set[str]:
    """Return the names of all queues that contain anything, using an incremental SCAN.

    Queues outside the catalog are included.
    """
    return {queue for name in scan_names(client) if (queue := queue_of(name))}


def _ready_at(data: bytes) -> float:
    """Return when a message became ready, in Unix seconds, or infinity if the data is not a message."""
    try:
        fields = decode_object(data)
    except MessageRefusedError:
        return math.inf
    at: Any = valid_options(fields.get("options")).get(options.READY_AT, fields.get("message_timestamp"))
    return float(at) / 1000 if is_time(at) else math.inf
