"""Requires that the names exist with which a user filters a list, so that a typo is not mistaken for an empty list."""

import redis

from financehub_shared.broker.queues import discover_queues
from financehub_shared.core.catalog import CATALOG, Tier
from financehub_shared.core.errors import InvalidArgumentsError
from financehub_shared.core.near_names import require_known
from financehub_shared.health.processes import ProcessRegistry
from financehub_shared.monitor import TaskMonitor
from financehub_shared.schedules.names import find_schedule


def named_schedule(client: "redis.Redis", name: str) -> str:
    """Return the full name of a schedule by which a list is filtered. A full name may be that of a deleted schedule.

    Args:
        client: Client for the queue Redis, with replies as bytes.
        name: `namespace/name`, or `name` if it is unique.

    Raises:
        InvalidArgumentsError: There is no such schedule, or there are several.
    """
    try:
        return find_schedule(client, name)[1]
    except InvalidArgumentsError:
        if "/" in name:
            return name
        raise


def require_names(
    client: "redis.Redis",
    monitor: TaskMonitor,
    *,
    task: str | None = None,
    queue: str | None = None,
    schedule: str | None = None,
) -> None:
    """Check the names of a filter that nothing matches.

    Args:
        client: Client for the queue Redis, with replies as bytes.
        monitor: Knows the tasks that have run.
        task: Name of a task; None to check none.
        queue: Name of a queue; None to check none.
        schedule: Name of a schedule; None or empty to check none.

    Raises:
        UnknownNameError: The task or the queue is unknown. The message has names that the user may have meant.
        InvalidArgumentsError: The schedule is unknown. The message has names that the user may have meant.
    """
    processes = ProcessRegistry(client).live() if task is not None or queue is not None else []
    if task is not None:
        announced = {name for process in processes for name in process.actors or ()}
        require_known("task", task, {*CATALOG, *announced, *monitor.get_all_stats()})
    if queue is not None:
        served = {name for process in processes for name in process.queues}
        require_known("queue", queue, {*map(str, Tier), *served, *discover_queues(client)})
    if schedule:
        find_schedule(client, schedule)
