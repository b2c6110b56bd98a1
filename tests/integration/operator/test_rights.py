"""The shipped roles grant what a scheduler uses, and nothing that it does not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from support.control_plane.control_plane import ControlPlane
from support.control_plane.manifests import install
from support.operator import Tasks, ready, rules, scheduler_user
from support.schedules import SchedulerProcess, eventually

GRANTED = {
    (resource, verb)
    for kind in ("Role", "ClusterRole")
    for rule in rules(kind)
    for resource in rule["resources"]
    for verb in rule["verbs"]
}


@pytest.mark.timeout(150)
def test_every_right_is_used_and_none_is_lacking(
    own_control_plane: Callable[..., ControlPlane], redis_url: str, tmp_path: Path
) -> None:
    """A scheduler that sees, fires, skips and says so is never forbidden anything, and has used all it may."""
    plane = own_control_plane()
    install(plane)
    namespace = plane.create_namespace()
    user = scheduler_user(plane, namespace, wide=True)
    tasks = Tasks(plane, namespace)
    # skipped each second once the first run waits: an Event, counted up half a minute later
    tasks.apply(schedule="@every 1s")
    process = SchedulerProcess(redis_url, user.kubeconfig, tmp_path / "operator.log").start()
    try:
        ready(process)

        def used() -> set[tuple[str, str]]:
            found = set()
            for record in plane.audit(user.name):
                if resource := record.get("objectRef", {}).get("resource"):
                    assert record["responseStatus"]["code"] != 403, record
                    part = record["objectRef"].get("subresource")
                    found.add((f"{resource}/{part}" if part else resource, record["verb"]))
            return found

        eventually(lambda: used() >= GRANTED, "all rights are used", within=90)
        assert used() == GRANTED
    finally:
        process.end()
