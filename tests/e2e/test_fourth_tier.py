"""A tier that a user adds with values only: an image, a module and a queue."""

from collections.abc import Callable
from typing import Any

import pytest

from e2e.cluster import eventually
from e2e.conftest import RESEARCH_IMAGE
from e2e.release import Release

TIER = {"image": RESEARCH_IMAGE, "module": "research.worker", "replicas": 2, "autoscaling": {"enabled": False}}
SCHEDULES = {
    "record-run": {"enabled": True, "spec": {"task": "record_run", "queue": "research", "schedule": "@every 5s"}}
}


@pytest.fixture(scope="module")
def release(release_in: Callable[..., Release]) -> Release:
    """A release with a fourth tier of two pods and a schedule for it, both added by values. One per module."""
    release = release_in("e2e-fourth")
    release.install(tiers={"research": TIER}, schedules=SCHEDULES)
    return release


def test_added_tier_with_a_schedule_runs_it_and_reports_outcomes(release: Release) -> None:
    """The tier's pods run its scheduled task, its log contains the runs, and status and fleet status include it."""
    assert len(release.ready_pods("research")) == 2

    def last_outcome() -> Any:
        return release.scheduled_tasks()["record-run"].get("status", {}).get("lastRun", {}).get("outcome")

    eventually(lambda: last_outcome() == "succeeded", "the last run succeeded", 60)
    columns = release.kubectl("get", "st", "record-run").stdout.splitlines()[1].split()
    assert columns[1:4] == ["@every", "5s", "research"]

    def is_logged() -> bool:
        return any('"task_succeeded"' in line and '"record_run"' in line for line in release.logs("research"))

    eventually(is_logged, "the log contains a run", 60)
    release.wait_until_healthy()
    # A worker publishes its state every five seconds, and may be busy at that moment.
    idle = {"tier": "research", "processes": 2, "threads": 4, "busy": 0, "draining": 0}
    eventually(lambda: idle in release.cli("status")["tiers"], "the tier in the fleet's status", 60)
