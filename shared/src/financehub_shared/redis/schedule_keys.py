"""The types of the keys that the scheduler uses, for setting aside keys of another type."""

from collections.abc import Iterable

from financehub_shared.redis import keys, queue_keys

_FLEET = {
    keys.SCHEDULES: "zset",
    keys.SCHEDULES_CHANGED: "set",
    keys.SCHEDULE_BACKFILLS: "set",
    keys.HIGH_WATER_MARKS: "hash",
    keys.SCHEDULE_NAMES: "hash",
    keys.SCHEDULES_BUFFERED: "hash",
    keys.SCHEDULE_NEXT_RUNS: "hash",
    keys.SCHEDULE_TRIGGERS: "hash",
    keys.SCHEDULES_FAILING: "hash",
    keys.SCHEDULES_PAUSED: "hash",
    keys.SCHEDULERS: "zset",
}


def fleet_types() -> dict[str, str]:
    """Return the keys that exist once on the queue Redis, each with its type."""
    return _FLEET | {keys.TASKS: "set", keys.PROCESSES: "zset", queue_keys.HEARTBEATS: "zset"}


def schedule_types(
    uids: Iterable[str] = (), queues: Iterable[str] = (), backfills: Iterable[str] = ()
) -> dict[str, str]:
    """Return the keys of all schedules and those of some, each with its type.

    Args:
        uids: Schedules whose records are included.
        queues: Queues to which messages are enqueued.
        backfills: Backfills whose records are included.
    """
    types = dict(_FLEET)
    for uid in uids:
        types |= {keys.schedule(uid): "hash", keys.schedule_recent(uid): "list", keys.schedule_backlog(uid): "list"}
        types |= {keys.schedule_buffered(uid): "list", keys.schedule_backfills(uid): "list"}
    for queue in queues:
        types |= {queue_keys.ready(queue): "list", queue_keys.messages(queue): "hash"}
    return types | {keys.backfill(id): "hash" for id in backfills}
