"""The status of a ScheduledTask after Redis has lost its data (F8)."""

from collections.abc import Callable

import pytest
import redis

from financehub_shared.schedules import list_schedules
from support.operator import Tasks
from support.schedules import SchedulerProcess, messages
from support.waiting import eventually

pytestmark = pytest.mark.faults


def test_status_after_a_loss_shows_the_runs_since(
    tasks: Tasks, start_operator: Callable[..., SchedulerProcess], redis_client: "redis.Redis"
) -> None:
    """Active and suspended resources are registered again, run on, and their conditions stay true."""
    process = start_operator()
    tasks.apply("active", schedule="@every 1s", concurrencyPolicy="Allow", queue="q")
    tasks.apply("suspended", schedule="@every 1s", suspend=True, queue="q")
    eventually(lambda: tasks.condition("Ready", "active").get("status") == "True", "the status is written", 60)
    eventually(lambda: tasks.condition("Suspended", "suspended").get("status") == "True", "the status is written", 60)
    eventually(lambda: len(messages(redis_client)) >= 3, "it runs")
    redis_client.flushall()
    eventually(lambda: len(messages(redis_client)) >= 3, "it runs again")
    names = {f"{tasks.namespace}/active", f"{tasks.namespace}/suspended"}
    eventually(lambda: {info.name for info in list_schedules(redis_client)} == names, "both are registered", 60)
    runs = tasks.status("active").get("runs", 0)
    eventually(lambda: tasks.status("active").get("runs", 0) not in {0, runs}, "the status follows", 90)
    assert tasks.condition("Ready", "active")["status"] == "True"
    assert tasks.condition("Suspended", "suspended")["status"] == "True"
    assert process.process.poll() is None
    assert process.events("schedules_lost") or process.events("schedule_reregistered")
