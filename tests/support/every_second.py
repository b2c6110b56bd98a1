"""A fleet with one schedule that is due every second. Its runs are counted, whatever happens to Redis."""

import json
from typing import Any

from financehub_shared.monitor import TaskMonitor
from financehub_shared.schedules import list_schedules
from support.fleet import Fleet
from support.waiting import eventually

_TASK = "cleanup_old_cache_task"
_NAME = "every-second"
#: The processes of the fleet.
PROCESSES = ("scheduler", "low")


def start(fleet: Fleet) -> None:
    """Start a scheduler and a tier, and wait until runs succeed."""
    fleet.schedule(_NAME, _TASK, "@every 1s", "  catchUp: All\n  concurrencyPolicy: Allow\n")
    fleet.start_scheduler()
    fleet.start_tier("low")
    eventually(lambda: runs(fleet)["succeeded"] >= 2, "runs succeed")


def runs(fleet: Fleet) -> dict[str, int]:
    """Return the numbers of enqueued, missed and succeeded runs, or zeros until the schedule and the task are known."""
    with fleet.redis() as client:
        known = [schedule for schedule in list_schedules(client) if schedule.name == f"default/{_NAME}"]
        stats = TaskMonitor(client).get_all_stats().get(_TASK)
    if not known or stats is None:
        return {"enqueued": 0, "missed": 0, "succeeded": 0}
    return {"enqueued": known[0].runs, "missed": known[0].missed, "succeeded": stats.succeeded}


def count_lines(fleet: Fleet, name: str, event: str, problem: str) -> int:
    """Return how often a process logged the beginning or end of a problem of Redis."""
    lines: list[dict[str, Any]] = [json.loads(line) for line in fleet.log(name).splitlines() if line.startswith("{")]
    return sum(line["event"] == event and line.get("problem") == problem for line in lines)


def assert_recovers(fleet: Fleet, problem: str) -> None:
    """Assert that after a problem no process was restarted, its end is logged, and each due time runs."""
    before = runs(fleet)
    eventually(lambda: runs(fleet)["succeeded"] >= before["succeeded"] + 5, "runs succeed again")
    for name in PROCESSES:
        eventually(lambda name=name: fleet.get(name, "/readyz").get("problems") == [], "ready again")
        eventually(lambda name=name: count_lines(fleet, name, "redis_problem_ended", problem) == 1, "the end is logged")
        assert count_lines(fleet, name, "redis_problem_detected", problem) == 1
        assert fleet.running(name)
    counts = runs(fleet)
    assert counts["missed"] == 0
    eventually(lambda: runs(fleet)["succeeded"] >= counts["enqueued"], "every enqueued run succeeds")
