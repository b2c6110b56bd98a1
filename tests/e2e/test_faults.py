"""Tests of faults that clusters cause: no run is missing or duplicated afterwards, and the fleet recovers by itself."""

import json
import os
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from e2e.cluster import Cluster, eventually
from e2e.conftest import RESEARCH_IMAGE, skip_on_external_cluster
from e2e.release import NAME, PROCESSES, Release
from e2e.report import note, timed

_TIER = {
    "image": RESEARCH_IMAGE,
    "module": "research.worker",
    "replicas": 2,
    "shutdownTimeoutSeconds": 20,
    "autoscaling": {"enabled": False},
    "resources": {"requests": {"memory": "64Mi"}, "limits": {"memory": "192Mi"}},
}
_SCHEDULE = "record-run"
_PERIOD_SECONDS = 2
#: Every due time runs later if a fault delays it, however long the fault lasts.
_SPEC: dict[str, Any] = {
    "task": "record_run",
    "queue": "research",
    "schedule": f"@every {_PERIOD_SECONDS}s",
    "catchUp": "All",
    "concurrencyPolicy": "Allow",
}
_ENQUEUE_ALLOCATION = """
import dramatiq
from financehub_shared.worker.build import build_broker
from financehub_shared.core.settings import load_settings
build_broker(load_settings()).enqueue(dramatiq.Message("research", "allocate", (), {"mebibytes": 400}, {}))
"""


@dataclass(frozen=True)
class Recording:
    """A schedule that runs throughout a fault, and whose every run records its id in Redis.

    Args:
        release: The release with the schedule.
        uid: Uid of the ScheduledTask. A run's id is derived from it and from the due time.
        since: Unix time in seconds after which due times count.
    """

    release: Release
    uid: str
    since: float

    def runs(self) -> Counter[str]:
        """Return how many times each run id was recorded."""
        return Counter(self.release.redis_cli("lrange", "run_ids", "0", "-1"))

    def enqueued_runs(self) -> int:
        """Return how many runs were enqueued if the schedule is suspended, and -1 if it is not suspended yet."""
        (schedule,) = [entry for entry in self.release.cli("schedules", "list") if entry["uid"] == self.uid]
        assert schedule["missed"] == 0
        return int(schedule["runs"]) if schedule["suspended"] else -1

    def due_run_ids(self, until: float) -> set[str]:
        """Return the ids of the runs that were due up to a Unix time in seconds."""
        first = int(self.since) // _PERIOD_SECONDS * _PERIOD_SECONDS + _PERIOD_SECONDS
        return {self.run_id(due_at) for due_at in range(first, int(until) + 1, _PERIOD_SECONDS)}

    def run_id(self, due_at: int) -> str:
        """Return the run id for a due time, which is a Unix time in seconds."""
        return str(uuid.uuid5(uuid.UUID(self.uid), str(due_at * 1000)))


@pytest.fixture(scope="module")
def release(release_in: Callable[..., Release]) -> Release:
    """A release with an added tier whose tasks record what they do. One per module."""
    release = release_in("e2e-faults")
    release.install(tiers={"research": _TIER})
    return release


@pytest.fixture
def recording(release: Release) -> Iterator[Recording]:
    """A schedule that runs during one test. The teardown checks that each due time ran and was enqueued once."""
    release.redis_cli("del", "run_ids", "started", "finished", "allocations")
    since = time.time()
    uid = release.apply(_SCHEDULE, **_SPEC)["metadata"]["uid"]
    try:
        yield from _record_and_check(Recording(release, uid, since))
    finally:
        release.kubectl("delete", "st", _SCHEDULE)


def _record_and_check(recording: Recording) -> Iterator[Recording]:
    eventually(lambda: len(recording.runs()) >= 2, "the schedule runs", 60)
    # The first due time that counts is the first one with a recorded run.
    recorded = recording.runs()
    seconds = range(int(recording.since), int(time.time()) + 1)
    first = next(second for second in seconds if recording.run_id(second) in recorded)
    recording = Recording(recording.release, recording.uid, first - _PERIOD_SECONDS)
    yield recording
    expected = recording.due_run_ids(time.time())
    eventually(lambda: expected <= set(recording.runs()), "every due time has run", 120)
    recording.release.kubectl("patch", "st", _SCHEDULE, "--type=merge", "-p", '{"spec": {"suspend": true}}')
    # Each due time has one run id. The schedule counts a due time that was enqueued twice as two runs, while an
    # interrupted run only records the same id twice.
    eventually(
        lambda: recording.enqueued_runs() == len(set(recording.runs())),
        "as many due times have run as were enqueued",
        60,
    )
    assert expected <= set(recording.runs())
    note(f"due times through {_current_test()}", f"{len(expected)}, 0 missing, 0 doubled")


def _current_test() -> str:
    return os.environ.get("PYTEST_CURRENT_TEST", "").partition("::")[2].partition(" ")[0].removeprefix("test_")


def wait_for_recovery(recording: Recording, fault: str, fault_at: float) -> None:
    """Wait until all runs since the fault are recorded and the fleet is healthy, and note how long that took.

    Args:
        recording: The schedule whose runs are expected.
        fault: Description of the fault.
        fault_at: Unix time of the fault in seconds.
    """
    # At least one due time is later than the fault.
    until = max(fault_at, time.time()) + _PERIOD_SECONDS

    def has_recovered() -> bool:
        return time.time() > until and recording.due_run_ids(time.time() - 1) <= set(recording.runs())

    eventually(has_recovered, f"all due times since {fault} have run", 120)
    duration = time.time() - fault_at
    note(f"recovery: {fault}", f"{duration:.1f} s, of which {_PERIOD_SECONDS} s for the next due time")
    recording.release.wait_until_healthy(150)


def delete_pod(release: Release, name: str, *arguments: str) -> None:
    """Delete a pod without waiting until it is gone."""
    release.kubectl("delete", "pod", name, "--wait=false", *arguments)


@pytest.mark.parametrize(
    ("action", "options"), [("deleted", ()), ("killed", ("--grace-period=0", "--force"))], ids=["deleted", "killed"]
)
def test_fleet_with_a_lost_worker_pod_recovers(
    release: Release, recording: Recording, action: str, options: tuple[str, ...]
) -> None:
    """If a worker's pod is deleted or killed during runs, the other pods continue and a new pod starts."""
    fault_at = time.time()
    delete_pod(release, release.ready_pods("research")[0], *options)
    wait_for_recovery(recording, f"a worker's pod {action}", fault_at)
    eventually(lambda: len(release.ready_pods("research")) == 2, "two pods again", 60)


def test_message_of_a_worker_out_of_memory_runs_again(release: Release, recording: Recording) -> None:
    """If a task exceeds its pod's memory limit, Kubernetes restarts the worker, which runs the message again."""
    fault_at = time.time()
    release.run_python(_ENQUEUE_ALLOCATION)
    with timed("recovery: a worker out of memory → its message finished in another attempt"):
        eventually(
            lambda: release.redis_cli("lrange", "finished", "0", "-1") == ["allocate"], "the message has finished", 120
        )
    assert release.redis_cli("lrange", "started", "0", "-1") == ["allocate", "allocate"]
    wait_for_recovery(recording, "a worker out of memory", fault_at)
    eventually(lambda: len(release.ready_pods("research")) == 2, "two pods again", 60)
    terminations = [
        container["lastState"].get("terminated", {})
        for pod in release.pods("research")
        for container in pod["status"]["containerStatuses"]
    ]
    # With cgroups v1 the kernel kills only the worker process, and dramatiq's parent process then ends with an error.
    assert any(end.get("reason") in {"OOMKilled", "Error"} and end["exitCode"] != 0 for end in terminations)


def test_fleet_with_a_deleted_redis_pod_recovers_without_restarts(release: Release, recording: Recording) -> None:
    """If the Redis pod is deleted, its replacement has the data, and all other processes continue without a restart."""
    fault_at = time.time()
    (before,) = [pod["metadata"]["uid"] for pod in release.pods("redis")]
    delete_pod(release, f"{NAME}-redis-0")
    # The new pod has the same name, and may be ready before the next look.
    eventually(lambda: before not in [pod["metadata"]["uid"] for pod in release.pods("redis")], "Redis is gone", 60)
    eventually(lambda: release.ready_pods("redis"), "Redis is back", 120)
    wait_for_recovery(recording, "Redis's pod deleted", fault_at)
    for component in (*PROCESSES, "research"):
        for pod in release.pods(component):
            name = pod["metadata"]["name"]
            restarts = [container["restartCount"] for container in pod["status"]["containerStatuses"]]
            assert component == "research" or restarts == [0], name


def test_redis_pod_marked_not_ready_still_resolves(release: Release, recording: Recording) -> None:
    """The Redis hostname resolves even while its pod is marked not ready, as when the node controller loses a node."""
    status = {"status": {"conditions": [{"type": "Ready", "status": "False", "reason": "NodeNotReady"}]}}
    fault_at = time.time()
    patch = ("--subresource=status", "--patch", json.dumps(status), "--output=json")
    patched = json.loads(release.kubectl("patch", "pod", f"{NAME}-redis-0", *patch).stdout)
    # The kubelet may correct the condition at once, so the answer of the patch is the only one that surely has it.
    assert [each["status"] for each in patched["status"]["conditions"] if each["type"] == "Ready"] == ["False"]
    # 8 s is longer than CoreDNS caches entries.
    until = time.time() + 8
    while time.time() < until:
        assert release.cli("schedules", "list")
    wait_for_recovery(recording, "Redis's pod marked as not ready", fault_at)


@pytest.mark.parametrize("role", ["leader", "other"])
def test_fleet_with_a_killed_scheduler_recovers(release: Release, recording: Recording, role: str) -> None:
    """If the leader or the other scheduler is killed, due runs continue and status is written again."""
    leader = release.get("lease", f"{NAME}-scheduler")["spec"]["holderIdentity"].partition("_")[0]

    def ready_pods() -> list[str]:
        found = release.ready_pods("scheduler")
        return found if leader in found and len(found) == 2 else []

    # A scheduler is ready again some seconds after a fault of a previous test.
    pods = eventually(ready_pods, "two schedulers are ready", 60)
    victim = leader if role == "leader" else next(name for name in pods if name != leader)
    fault_at = time.time()
    delete_pod(release, victim, "--grace-period=0", "--force")
    writes = "writes" if role == "leader" else "does not write"
    wait_for_recovery(recording, f"the scheduler killed that {writes} status", fault_at)
    eventually(lambda: len(release.ready_pods("scheduler")) == 2, "two schedulers again", 60)
    with timed(f"status written again ({role} killed)"):
        wait_for_status_write(release)


def wait_for_status_write(release: Release) -> None:
    """Wait until the status of the recording schedule changes."""
    before = release.scheduled_tasks()[_SCHEDULE].get("status")
    eventually(
        lambda: release.scheduled_tasks()[_SCHEDULE].get("status") != before, "the scheduler writes the status", 90
    )


def test_drained_node_keeps_one_pod_of_a_tier(release: Release, cluster: Cluster, recording: Recording) -> None:
    """The disruption budget allows one eviction of a tier and refuses the second until there is a replacement."""
    skip_on_external_cluster(cluster, "the node")
    (node,) = {pod["spec"]["nodeName"] for pod in release.pods("research")}
    eventually(lambda: len(release.ready_pods("research")) == 2, "two pods are ready", 60)
    first, second = release.ready_pods("research")
    fault_at = time.time()
    cluster.kubectl("cordon", node)
    try:
        # Kubernetes updates the budget a moment after the pods of a previous test have become ready.
        eventually(lambda: evict(release, first) == "", "the first eviction is allowed", 60)
        refusal = eventually(lambda: evict(release, second), "the second eviction is refused", 10)
        assert "disruption budget" in refusal
    finally:
        cluster.kubectl("uncordon", node)
    wait_for_recovery(recording, "a node cordoned, a pod evicted, the node back", fault_at)
    eventually(lambda: len(release.ready_pods("research")) == 2, "two pods again", 60)


def evict(release: Release, pod: str) -> str:
    """Request an eviction as `kubectl drain` does. Return the reason if it is refused, otherwise an empty string."""
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": release.namespace},
    }
    path = f"/api/v1/namespaces/{release.namespace}/pods/{pod}/eviction"
    done = release.cluster.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction), check=False)
    return "" if done.returncode == 0 else str(done.stderr)


def test_fleet_with_a_restarted_api_server_recovers(release: Release, cluster: Cluster, recording: Recording) -> None:
    """While the API server restarts, due runs continue. Status is written again, and no scheduler pod restarts."""
    skip_on_external_cluster(cluster, "the API server")
    with timed("the API server unavailable"):
        cluster.target.restart_api_server()
    # The expected runs include those that were due while the API server was unavailable.
    wait_for_recovery(recording, "the API server back", time.time())
    assert {pod["status"]["containerStatuses"][0]["restartCount"] for pod in release.pods("scheduler")} == {0}
    with timed("status written again (API server back)"):
        wait_for_status_write(release)
