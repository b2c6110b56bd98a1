"""Reads the Redis of the release: its figures, its keys by kind, its queues, and the records of the runs."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import redis

from financehub_shared.redis import keys, queue_keys
from financehub_shared.redis.schedule_record import SKIPPED_FIELDS, ScheduleField
from soak.accounts import Attempt, ScheduleCounts
from soak.key_kinds import kind_of

#: The stream in which the tasks of tests/e2e/research record their attempts.
ATTEMPTS = "attempts"
_BATCH = 1_000
_TIMEOUT_SECONDS = 5.0
_COUNTERS = (ScheduleField.RUNS, ScheduleField.MISSED, *SKIPPED_FIELDS.values())


def client(host: str, password: str) -> "redis.Redis":
    """Return a client of the embedded Redis that never waits for long.

    Args:
        host: Address of its pod.
        password: Its password.
    """
    timeouts = {"socket_timeout": _TIMEOUT_SECONDS, "socket_connect_timeout": _TIMEOUT_SECONDS}
    return redis.Redis(host=host, password=password, decode_responses=True, **timeouts)  # type: ignore[arg-type]


def figures(server: "redis.Redis") -> dict[str, int]:
    """Return the memory of the data in bytes, the number of connections and the number of keys."""
    info: Any = server.info()
    return {
        "used_memory": int(info["used_memory"]),
        "clients": int(info["connected_clients"]),
        "keys": int(info.get("db0", {}).get("keys", 0)),
    }


def kinds(server: "redis.Redis") -> Counter[str]:
    """Return the number of keys of each kind."""
    return Counter(map(kind_of, server.scan_iter(count=_BATCH)))


def queues(server: "redis.Redis", names: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return the messages of queues by state.

    Args:
        server: Client of Redis.
        names: Names of the queues.
    """
    pipeline = server.pipeline(transaction=False)
    for name in names:
        pipeline.llen(queue_keys.ready(name))
        pipeline.hlen(queue_keys.messages(name))
        pipeline.hlen(queue_keys.messages(f"{name}.DQ"))
        pipeline.zcard(queue_keys.dead(name))
    replies = iter(pipeline.execute())
    return {name: dict(zip(("ready", "held", "delayed", "dead"), replies, strict=False)) for name in names}


def attempts_after(server: "redis.Redis", last: str) -> tuple[list[tuple[str, Attempt]], str]:
    """Return the recorded attempts after an entry of the stream, each with its token, and the id of the last entry.

    Args:
        server: Client of Redis.
        last: Id of the last entry that was read, `0` for none.
    """
    entries: Any = server.xrange(ATTEMPTS, f"({last}", "+", count=5 * _BATCH)
    found = [
        (fields["token"], Attempt(fields["run"], int(id.partition("-")[0]) / 1000, fields["pod"]))
        for id, fields in entries
    ]
    return found, entries[-1][0] if entries else last


def forget_attempts(server: "redis.Redis", last: str) -> None:
    """Remove the entries of the stream before one that was read, so that the stream does not fill Redis."""
    server.xtrim(ATTEMPTS, minid=last, approximate=False)


def schedule_counts(server: "redis.Redis", uids: Sequence[str]) -> list[ScheduleCounts]:
    """Return the counters of schedules. Those of one schedule belong together; an unknown schedule is left out.

    Args:
        server: Client of Redis.
        uids: Uids of the schedules.
    """
    found = []
    for begin in range(0, len(uids), _BATCH):
        batch = uids[begin : begin + _BATCH]
        pipeline = server.pipeline(transaction=True)
        pipeline.hmget(keys.HIGH_WATER_MARKS, *batch)
        for uid in batch:
            pipeline.hmget(keys.schedule(uid), *_COUNTERS)
        marks, *counters = pipeline.execute()
        for uid, mark, values in zip(batch, marks, counters, strict=True):
            if mark is not None:
                runs, missed, *skipped = (int(value or 0) for value in values)
                found.append(ScheduleCounts(uid, int(mark) / 1000, runs, missed, sum(skipped)))
    return found
