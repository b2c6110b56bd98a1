"""The health-check task: close lost runs, check the fleet and record the health report."""

import json

import redis

from financehub_shared.core.clock import Clock
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.health.checker import HealthChecker
from financehub_shared.health.report import HealthStatus
from financehub_shared.monitor import TaskMonitor
from financehub_shared.redis import keys


def check_health(*, checker: HealthChecker, monitor: TaskMonitor, client: "redis.Redis", clock: Clock) -> TaskSummary:
    """Record a health report of the fleet at `keys.HEALTH`.

    An unhealthy fleet does not fail this task; the report describes it.

    Args:
        checker: Creates the report.
        monitor: Closes lost runs.
        client: The queue Redis, where the report is stored.
        clock: Source of time.

    Returns:
        A summary with the number of checks (`requested`), the number of checks that are ok (`stored`), and the reason
        of every other check (`missing`).

    Raises:
        redis.RedisError: The report could not be stored.
    """
    lost = monitor.declare_lost(clock.now())
    report = checker.report()
    client.set(keys.HEALTH, json.dumps(report.as_dict()))
    problems = {check.name: check.reason for check in report.checks if check.status is not HealthStatus.OK}
    return TaskSummary(
        requested=len(report.checks),
        stored=len(report.checks) - len(problems),
        missing=problems,
        missing_count=len(problems),
        details={"status": report.status.value, "lost_runs": lost},
    )
