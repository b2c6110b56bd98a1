"""What clusters do to pods: each time nothing is lost, no due run is doubled, and the fleet is well again by itself."""

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
from e2e.conftest import RESEARCH, not_given
from e2e.release import NAME, Release
from e2e.report import note, timed

_TIER = {
    "image": RESEARCH,
    "module": "research.worker",
    "replicas": 2,
    "shutdownTimeoutSeconds": 20,
    "autoscaling": {"enabled": False},
    "resources": {"requests": {"memory": "64Mi"}, "limits": {"memory": "192Mi"}},
}
_PERIOD = 2
#: All due times are made up for, however long the fault lasts.
_SPEC: dict[str, Any] = {
    "task": "tell",
    "queue": "research",
    "schedule": f"@every {_PERIOD}s",
    "catchUp": "All",
    "concurrencyPolicy": "Allow",
}


@dataclass(frozen=True)
class Beat:
    """A schedule that runs all along, whose every run tells who it is.

    Args:
        release: where.
        uid: of the ScheduledTask; with the due time it makes the run's id.
        since: Unix seconds.
    """

    release: Release
    uid: str
    since: float

    def ran(self) -> Counter[str]:
        """Id of a run → how often it began."""
        return Counter(self.release.redis("lrange", "ran", "0", "-1"))

    def enqueued(self) -> int:
        """How often it was enqueued, once it is suspended; before that -1."""
        (schedule,) = [one for one in self.release.cli("schedules", "list") if one["uid"] == self.uid]
        assert schedule["missed"] == 0
        return int(schedule["runs"]) if schedule["suspended"] else -1

    def due(self, until: float) -> set[str]:
        """Ids of the runs that were due up to then."""
        first = int(self.since) // _PERIOD * _PERIOD + _PERIOD
        return {self._id(at) for at in range(first, int(until) + 1, _PERIOD)}

    def _id(self, at: int) -> str:
        return str(uuid.uuid5(uuid.UUID(self.uid), str(at * 1000)))


@pytest.fixture(scope="module")
def release(release_in: Callable[..., Release]) -> Release:
    """With a tier whose tasks tell what they do, and a schedule that beats."""
    release = release_in("e2e-faults")
    release.install(tiers={"research": _TIER})
    return release


@pytest.fixture
def beat(release: Release) -> Iterator[Beat]:
    """Beats through a fault; afterwards each due time up to the recovery has run, and was enqueued once."""
    release.redis("del", "ran", "began", "ended", "swollen")
    since = time.time()
    made = release.apply("beat", **_SPEC)["metadata"]
    try:
        yield from _beating(release, made["uid"], since)
    finally:
        release.kubectl("delete", "st", "beat")


def _beating(release: Release, uid: str, since: float) -> Iterator[Beat]:
    beat = Beat(release, uid, since)
    eventually(lambda: len(beat.ran()) >= 2, 60, "the schedule runs")
    # the first due time that counts is one that was seen to run
    first = next(at for at in range(int(beat.since), int(time.time()) + 1) if beat._id(at) in beat.ran())
    beat = Beat(release, uid, first - _PERIOD)
    yield beat
    wanted = beat.due(time.time())
    eventually(lambda: wanted <= set(beat.ran()), 120, "every due time has run")
    release.kubectl("patch", "st", "beat", "--type=merge", "-p", '{"spec": {"suspend": true}}')
    # an id is of one due time: enqueued twice it would count twice here, and a run that was cut off begins twice there
    eventually(lambda: beat.enqueued() == len(set(beat.ran())), 60, "as many due times have run as were enqueued")
    assert wanted <= set(beat.ran())
    note(f"due times through {_current()}", f"{len(wanted)}, 0 missing, 0 doubled")


def _current() -> str:
    return os.environ.get("PYTEST_CURRENT_TEST", "").partition("::")[2].partition(" ")[0].removeprefix("test_")


def recovers(release: Release, beat: Beat, name: str, fault: float) -> None:
    """Wait until all that was due since the fault has run, and the fleet is well; keep how long it took.

    Args:
        release: where.
        beat: what is due.
        name: of the fault.
        fault: when it was made, Unix seconds.
    """
    # at least one due time lies behind the fault
    until = max(fault, time.time()) + _PERIOD
    eventually(lambda: time.time() > until and beat.due(time.time() - 1) <= set(beat.ran()), 120, name)
    note(f"recovery: {name}", f"{time.time() - fault:.1f} s, of which {_PERIOD} s for the next due time")
    release.settled(150)


def delete_pod(release: Release, name: str, *arguments: str) -> None:
    """Delete a pod, and do not wait for its end."""
    release.kubectl("delete", "pod", name, "--wait=false", *arguments)


@pytest.mark.parametrize("how", [(), ("--grace-period=0", "--force")], ids=["deleted", "killed"])
def test_a_worker_pod_is_lost(release: Release, beat: Beat, how: tuple[str, ...]) -> None:
    """A worker's pod is deleted, or killed, in the midst of runs: the others go on, and a new one comes."""
    fault = time.time()
    delete_pod(release, release.ready("research")[0], *how)
    recovers(release, beat, f"a worker's pod {'killed' if how else 'deleted'}", fault)
    eventually(lambda: len(release.ready("research")) == 2, 60, "two pods again")


def test_a_worker_runs_out_of_memory(release: Release, beat: Beat) -> None:
    """A task hits its pod's limit: Kubernetes kills it and starts it anew, and the message runs again and ends."""
    script = (
        "import dramatiq; from financehub_shared.worker.build import build_broker;"
        "from financehub_shared.core.settings import load_settings;"
        "build_broker(load_settings()).enqueue(dramatiq.Message('research', 'swell', (), {'mebibytes': 400}, {}))"
    )
    fault = time.time()
    release.python(script)
    with timed("recovery: a worker out of memory → its message ended elsewhere or anew"):
        eventually(lambda: release.redis("lrange", "ended", "0", "-1") == ["swell"], 120, "the message ended")
    assert release.redis("lrange", "began", "0", "-1") == ["swell", "swell"]
    recovers(release, beat, "a worker out of memory", fault)
    eventually(lambda: len(release.ready("research")) == 2, 60, "two pods again")
    ends = [
        container["lastState"].get("terminated", {})
        for pod in release.pods("research")
        for container in pod["status"]["containerStatuses"]
    ]
    # with cgroups of the first version the kernel kills the worker alone, and dramatiq's parent ends because of it
    assert any(end.get("reason") in {"OOMKilled", "Error"} and end["exitCode"] != 0 for end in ends)


def test_the_redis_pod_is_deleted(release: Release, beat: Beat) -> None:
    """Redis' pod is deleted: it comes back with its data, and all go on without a restart."""
    fault = time.time()
    delete_pod(release, f"{NAME}-redis-0")
    eventually(lambda: not release.ready("redis"), 60, "it is gone")
    eventually(lambda: release.ready("redis"), 90, "it is back")
    recovers(release, beat, "Redis' pod deleted", fault)
    for component in ("scheduler", "research", "high", "medium", "low"):
        for pod in release.pods(component):
            name = pod["metadata"]["name"]
            restarts = [one["restartCount"] for one in pod["status"]["containerStatuses"]]
            assert component == "research" or restarts == [0], name


def test_redis_pod_marked_not_ready_still_resolves(release: Release, beat: Beat) -> None:
    """The name of Redis resolves while its pod is marked not ready, as it is when the node controller loses a node."""
    marked = {"status": {"conditions": [{"type": "Ready", "status": "False", "reason": "NodeNotReady"}]}}
    fault = time.time()
    release.kubectl("patch", "pod", f"{NAME}-redis-0", "--subresource=status", "-p", json.dumps(marked))
    assert not release.ready("redis")
    # longer than CoreDNS caches; the kubelet may correct the condition before that
    until = time.time() + 8
    while time.time() < until:
        assert release.cli("schedules", "list")
    recovers(release, beat, "Redis' pod marked as not ready", fault)


@pytest.mark.parametrize("role", ["leader", "other"])
def test_a_scheduler_is_killed(release: Release, beat: Beat, role: str) -> None:
    """The scheduler that holds the Lease, or the other one, is killed: due runs go on, and status is written again."""
    holder = release.get("lease", f"{NAME}-scheduler")["spec"]["holderIdentity"].partition("_")[0]
    pods = release.ready("scheduler")
    assert holder in pods
    victim = holder if role == "leader" else next(name for name in pods if name != holder)
    fault = time.time()
    delete_pod(release, victim, "--grace-period=0", "--force")
    recovers(
        release, beat, f"the scheduler killed that {'writes' if role == 'leader' else 'does not write'} status", fault
    )
    eventually(lambda: len(release.ready("scheduler")) == 2, 60, "two schedulers again")
    with timed(f"status written again ({role} killed)"):
        seen = release.scheduled_tasks()["beat"].get("status")
        eventually(lambda: release.scheduled_tasks()["beat"].get("status") != seen, 90, "status is written")


def test_a_node_is_drained(release: Release, cluster: Cluster, beat: Beat) -> None:
    """Cordon and evict: the budget lets one pod of a tier go, and refuses the second until there is another."""
    not_given(cluster, "the node")
    (node,) = {pod["spec"]["nodeName"] for pod in release.pods("research")}
    first, second = release.ready("research")
    fault = time.time()
    cluster.kubectl("cordon", node)
    try:
        assert evict(release, first) == ""
        refused = eventually(lambda: evict(release, second), 10, "the refusal")
        assert "disruption budget" in refused
    finally:
        cluster.kubectl("uncordon", node)
    recovers(release, beat, "a node cordoned, a pod evicted, the node back", fault)
    eventually(lambda: len(release.ready("research")) == 2, 60, "two pods again")


def evict(release: Release, pod: str) -> str:
    """Ask for an eviction, as `kubectl drain` does; why it was refused, empty if it was not."""
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": release.namespace},
    }
    path = f"/api/v1/namespaces/{release.namespace}/pods/{pod}/eviction"
    done = release.cluster.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction), check=False)
    return "" if done.returncode == 0 else str(done.stderr)


def test_the_api_server_restarts(release: Release, cluster: Cluster, beat: Beat) -> None:
    """The API server is restarted: due runs go on beside it, status is written again, no pod restarts."""
    not_given(cluster, "the API server")
    with timed("the API server away"):
        cluster.target.restart_api_server()
    # what was due while it was away is among what must have run
    recovers(release, beat, "the API server back", time.time())
    assert {pod["status"]["containerStatuses"][0]["restartCount"] for pod in release.pods("scheduler")} == {0}
    seen = release.scheduled_tasks()["beat"].get("status")
    with timed("status written again (API server back)"):
        eventually(lambda: release.scheduled_tasks()["beat"].get("status") != seen, 90, "status is written")
