"""A tier that a user adds with values alone: an image, a module, a queue."""

from collections.abc import Callable
from typing import Any

import pytest

from e2e.cluster import eventually
from e2e.conftest import RESEARCH
from e2e.release import Release

TIER = {"image": RESEARCH, "module": "research.worker", "replicas": 2, "autoscaling": {"enabled": False}}
SCHEDULE = {"tell": {"enabled": True, "spec": {"task": "tell", "queue": "research", "schedule": "@every 5s"}}}


@pytest.fixture(scope="module")
def release(release_in: Callable[..., Release]) -> Release:
    """With a fourth tier of two pods and a schedule for it, all in values."""
    release = release_in("e2e-fourth")
    release.install(tiers={"research": TIER}, schedules=SCHEDULE)
    return release


def test_a_tier_of_ones_own_takes_part(release: Release) -> None:
    """Its pods run its schedule's task from its queue, and outcomes come back; its log has its own tasks alone."""
    assert len(release.ready("research")) == 2

    def last_run() -> Any:
        return release.scheduled_tasks()["tell"].get("status", {}).get("lastRun", {}).get("outcome")

    eventually(lambda: last_run() == "succeeded", 60, "an outcome")
    shown = release.kubectl("get", "st", "tell").stdout.splitlines()[1].split()
    assert shown[1:4] == ["@every", "5s", "research"]

    def told() -> bool:
        # of one of its two pods, which may have had no run yet
        return any('"task_succeeded"' in line and '"tell"' in line for line in release.logs("research"))

    eventually(told, 60, "the log has its runs")
    release.settled()
    # a worker tells every five seconds what it is doing, and may be at work just then
    at_rest = {"tier": "research", "processes": 2, "threads": 4, "busy": 0, "draining": 0}
    eventually(lambda: at_rest in release.cli("status")["tiers"], 60, "the tier in the fleet's status")
