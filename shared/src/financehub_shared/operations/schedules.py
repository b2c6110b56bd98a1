"""Pauses and resumes schedules, and says who is missing to run one."""

from collections.abc import Sequence

import redis

from financehub_shared.core.errors import InvalidArgumentsError
from financehub_shared.health.presence import Absence, missing_scheduler, missing_worker
from financehub_shared.health.processes import ProcessInfo
from financehub_shared.redis.server_clock import server_time
from financehub_shared.schedules import ScheduleInfo, find_schedules
from financehub_shared.schedules.pauses import add_pauses, new_pause, remove_pauses

#: Largest number of schedules in one request. Redis serves no other client while it changes them.
MAX_SCHEDULES = 1_000


def pause_schedules(client: "redis.Redis", names: Sequence[str], reason: str, by: str) -> list[str]:
    """Pause schedules, and return the full names of those that were not paused before.

    No due run of them is enqueued until somebody resumes them. Triggers and backfills still run them, and runs that
    are queued or running go on. A schedule that is already paused keeps its first reason.

    Args:
        client: Client for the queue Redis, with replies as bytes.
        names: Names, as `namespace/name`, or `name` if it is unique.
        reason: Why, in at most 200 characters.
        by: Name of the user.

    Raises:
        InvalidArgumentsError: A name or the reason is wrong. Nothing was changed.
    """
    pause = new_pause(by, reason, server_time(client))
    uids = _find(client, names)
    gone, paused = add_pauses(client, list(uids), pause)
    if gone:
        deleted = ", ".join(uids[uid] for uid in gone)
        problem = f"{deleted}: deleted or not registered in the meantime; nothing was changed"
        raise InvalidArgumentsError("schedules", "name", problem)
    return [uids[uid] for uid in paused]


def resume_schedules(client: "redis.Redis", names: Sequence[str]) -> list[str]:
    """Resume schedules, and return the full names of those that were paused.

    The due times that passed while a schedule was paused are not caught up, regardless of `catchUp`.

    Args:
        client: Client for the queue Redis, with replies as bytes.
        names: Names, as `namespace/name`, or `name` if it is unique.

    Raises:
        InvalidArgumentsError: A name is wrong. Nothing was changed.
    """
    uids = _find(client, names)
    return [uids[uid] for uid in remove_pauses(client, list(uids))]


def missing_for(info: ScheduleInfo, processes: Sequence[ProcessInfo], now: float) -> list[Absence]:
    """Return the processes that are missing so that a requested run of a schedule is enqueued and processed.

    Args:
        info: The schedule.
        processes: The live processes.
        now: The current time in Unix seconds.
    """
    scheduler = missing_scheduler(processes)
    if scheduler is None and not info.is_claimed(now):
        hint = "check that its file or its ScheduledTask still exists and is valid"
        scheduler = Absence("no live scheduler runs this schedule", "start one", hint)
    return [absence for absence in (scheduler, missing_worker(processes, info.queue, info.task)) if absence]


def _find(client: "redis.Redis", names: Sequence[str]) -> dict[str, str]:
    """Return uid → full name of schedules."""
    if not 0 < len(names) <= MAX_SCHEDULES:
        raise InvalidArgumentsError("schedules", "name", f"name 1 to {MAX_SCHEDULES:,} schedules")
    return dict(find_schedules(client, names))
