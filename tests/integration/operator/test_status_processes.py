"""Real schedulers, a real API server, a real Redis: who writes status, and what kubectl makes of it."""

import json
from collections.abc import Callable

import pytest

from financehub_scheduler.app import Cluster as Origin
from support.control_plane.cluster import Cluster
from support.operator import Tasks, ready
from support.schedules import SchedulerProcess, eventually, resource

Start = Callable[..., SchedulerProcess]
#: A holder that ends leaves at once, and the others look every two seconds.
SUCCESSION = 10.0


@pytest.fixture
def tasks(crd_installed: Cluster, namespace: str) -> Tasks:
    """The ScheduledTasks of this test."""
    return Tasks(crd_installed, namespace)


def holder(cluster: Cluster, namespace: str) -> str:
    """Who the Lease says it is."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{Origin().lease}"
    return str(cluster.request("GET", path)["spec"]["holderIdentity"])


def holding(*processes: SchedulerProcess) -> list[SchedulerProcess]:
    """Those that began to hold the Lease."""
    return [each for each in processes if each.events("lease_acquired")]


def test_a_holder_that_ends_is_followed_within_seconds(crd_installed: Cluster, tasks: Tasks, operator: Start) -> None:
    """SIGTERM gives the Lease back: the other scheduler writes status seconds later, and nothing before it has to."""
    tasks.apply(schedule="@yearly")
    processes = [ready(operator()), ready(operator())]
    eventually(lambda: tasks.condition("Ready"), "the status is written")
    (first,) = holding(*processes)
    before = tasks.get()["metadata"]["resourceVersion"]
    assert first.stop() == 0
    assert holder(crd_installed, tasks.namespace) == ""
    (heir,) = [each for each in processes if each is not first]
    eventually(lambda: holding(heir), "the other one takes over", within=SUCCESSION)
    assert tasks.get()["metadata"]["resourceVersion"] == before
    tasks.apply(schedule="@monthly")
    eventually(lambda: tasks.condition("Ready").get("observedGeneration") == 2, "it writes", within=SUCCESSION)


def test_kubectl_shows_what_runs_and_applies_without_conflict(
    crd_installed: Cluster, tasks: Tasks, operator: Start
) -> None:
    """`kubectl get st` tells of schedule and next run, and an apply, server-side too, meets no conflict."""
    manifest = json.dumps(resource(schedule="@yearly"))
    arguments = ("-n", tasks.namespace, "apply", "--server-side", "-f", "-")
    crd_installed.kubectl(*arguments, stdin=manifest)
    ready(operator())
    eventually(lambda: tasks.status().get("nextScheduleTimes"), "the status is written")
    line = crd_installed.kubectl("-n", tasks.namespace, "get", "st", "--no-headers").stdout.split()
    assert line[:2] == ["demo", "@yearly"]
    before = tasks.get()
    crd_installed.kubectl(*arguments, stdin=manifest)
    after = tasks.get()
    assert (after["metadata"]["generation"], after["status"]) == (1, before["status"])
    changed = json.dumps(resource(schedule="@every 2h"))
    crd_installed.kubectl(*arguments, stdin=changed)
    eventually(lambda: tasks.status().get("schedule") == "@every 2h", "the status follows", within=SUCCESSION)
