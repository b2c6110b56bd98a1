"""Tests that the shipped roles grant exactly the rights that a scheduler uses."""

from collections.abc import Callable
from pathlib import Path

from support.operator import Tasks, rules, scheduler_user, wait_until_ready
from support.schedules import SchedulerProcess
from support.waiting import eventually
from test_cluster.control_plane.control_plane import ControlPlane
from test_cluster.control_plane.manifests import install

GRANTED = {
    (resource, verb)
    for kind in ("Role", "ClusterRole")
    for rule in rules(kind)
    for resource in rule["resources"]
    for verb in rule["verbs"]
}


def test_shipped_roles_grant_exactly_the_used_rights(
    own_control_plane: Callable[..., ControlPlane], redis_url: str, tmp_path: Path
) -> None:
    """A scheduler that watches, enqueues, skips and writes Events is never denied a request and uses every right."""
    plane = own_control_plane()
    install(plane)
    namespace = plane.create_namespace()
    user = scheduler_user(plane, namespace, cluster_wide=True)
    tasks = Tasks(plane, namespace)
    # While the first run waits, every second run is skipped, so an Event is updated half a minute later.
    tasks.apply(schedule="@every 1s")
    process = SchedulerProcess(redis_url, user.kubeconfig, tmp_path / "operator.log").start()
    try:
        wait_until_ready(process)

        def used() -> set[tuple[str, str]]:
            found = set()
            for record in plane.audit(user.name):
                if resource := record.get("objectRef", {}).get("resource"):
                    assert record["responseStatus"]["code"] != 403, record
                    part = record["objectRef"].get("subresource")
                    found.add((f"{resource}/{part}" if part else resource, record["verb"]))
            return found

        eventually(lambda: used() >= GRANTED, "all rights are used", within=180)
        assert used() == GRANTED
    finally:
        process.end()
