"""Tests with real schedulers, API server and Redis: leader changes, and the status in kubectl."""

import json
from collections.abc import Callable

from financehub_scheduler.link.origin import ClusterOrigin
from support.operator import Tasks, wait_until_ready
from support.schedules import SchedulerProcess, resource
from support.waiting import eventually
from test_cluster.control_plane.cluster import Cluster

Start = Callable[..., SchedulerProcess]
#: A leader that exits releases the Lease immediately, and the others check it every two seconds. On a busy machine,
#: this takes longer, but less than the 30 s for which a Lease is held that was not released.
SUCCESSION_SECONDS = 25.0


def holder_of_lease(cluster: Cluster, namespace: str) -> str:
    """Return the holder identity in the Lease."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{ClusterOrigin().lease}"
    return str(cluster.request("GET", path)["spec"]["holderIdentity"])


def leaders(*processes: SchedulerProcess) -> list[SchedulerProcess]:
    """Return the processes that have become the leader."""
    return [process for process in processes if process.events("lease_acquired")]


def test_stopped_leader_is_replaced_within_seconds(crd_installed: Cluster, tasks: Tasks, start_operator: Start) -> None:
    """SIGTERM releases the Lease. The other scheduler becomes the leader within seconds and writes only changes."""
    tasks.apply(schedule="@yearly")
    processes = [wait_until_ready(start_operator()), wait_until_ready(start_operator())]
    eventually(lambda: tasks.condition("Ready"), "the status is written")
    (first,) = leaders(*processes)
    assert first.stop() == 0
    before = tasks.get()["metadata"]["resourceVersion"]
    assert holder_of_lease(crd_installed, tasks.namespace) == ""
    (second,) = [process for process in processes if process is not first]
    eventually(lambda: leaders(second), "the other one becomes the leader", within=SUCCESSION_SECONDS)
    assert tasks.get()["metadata"]["resourceVersion"] == before
    tasks.apply(schedule="@monthly")
    eventually(lambda: tasks.condition("Ready").get("observedGeneration") == 2, "it writes", within=SUCCESSION_SECONDS)


def test_kubectl_shows_status_and_applies_without_conflict(
    crd_installed: Cluster, tasks: Tasks, start_operator: Start
) -> None:
    """`kubectl get st` shows the schedule and its next run, and a repeated server-side apply has no conflict."""
    manifest = json.dumps(resource(schedule="@yearly"))
    arguments = ("-n", tasks.namespace, "apply", "--server-side", "-f", "-")
    crd_installed.kubectl(*arguments, stdin=manifest)
    wait_until_ready(start_operator())
    eventually(lambda: tasks.status().get("nextScheduleTimes"), "the status is written")
    line = crd_installed.kubectl("-n", tasks.namespace, "get", "st", "--no-headers").stdout.split()
    assert line[:2] == ["demo", "@yearly"]
    before = tasks.get()
    crd_installed.kubectl(*arguments, stdin=manifest)
    after = tasks.get()
    assert (after["metadata"]["generation"], after["status"]) == (1, before["status"])
    changed = json.dumps(resource(schedule="@every 2h"))
    crd_installed.kubectl(*arguments, stdin=changed)
    eventually(lambda: tasks.status().get("schedule") == "@every 2h", "status changes", within=SUCCESSION_SECONDS)
