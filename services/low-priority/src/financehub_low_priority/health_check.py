"""The work of the health-check task: look at the fleet, close what nobody can end, record the result."""

import json

import redis

from financehub_shared.core.clock import Clock
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.health import HealthChecker, Status
from financehub_shared.monitor import TaskMonitor
from financehub_shared.redis import keys


def check_health(*, checker: HealthChecker, monitor: TaskMonitor, client: "redis.Redis", clock: Clock) -> TaskSummary:
    """Record a health report of the fleet at `keys.HEALTH`.

    A fleet that is not well is no failure of this task: the report says so, and that is what it is for.

    Args:
        checker: looks.
        monitor: closes lost runs.
        client: Redis of the queues, where the report goes.
        clock: the time.

    Returns:
        asked: checks made; stored: those that are ok; missing: the others, with the reason.

    Raises:
        redis.RedisError: the report could not be recorded.
    """
    lost = monitor.reap_lost(clock.now())
    report = checker.report()
    client.set(keys.HEALTH, json.dumps(report.as_dict()))
    problems = {check.name: check.reason for check in report.checks if check.status is not Status.OK}
    shown = dict(list(problems.items())[: TaskSummary.MISSING_SHOWN])
    return TaskSummary(
        asked=len(report.checks),
        stored=len(report.checks) - len(problems),
        missing=shown,
        missing_count=len(problems),
        details={"status": report.status.value, "lost_runs": lost},
    )
