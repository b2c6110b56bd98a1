"""What each fault of a soak does. `faults` lists them."""

import json
import signal
from collections.abc import Callable
from typing import Any

import httpx

from e2e.cluster import eventually
from e2e.release import NAME
from soak.site import RECORDING_TIER, REPLICAS
from soak.world import API_PORT, RECOVERY_SECONDS, World
from test_cluster.node.kubernetes import start_api_server, start_node
from test_cluster.node.processes import stop
from test_cluster.node.runtime import start_runtime

_REDIS_PORT, _SIMULATOR_PORT = 6379, 8099
#: The heartbeat timeout of the release is 10 s.
_MOMENT, _LONG = (2.0, 5.0), (13.0, 16.0)
_ENQUEUE_ALLOCATION = """
import dramatiq
from financehub_shared.worker.build import build_broker
from financehub_shared.core.settings import load_settings
build_broker(load_settings()).enqueue(dramatiq.Message("research", "allocate", (), {"mebibytes": 600}, {}))
"""
_RECORDS_OF_ALLOCATION = ("started", "finished", "allocations", "allocated_on")
#: The option of Helm that replaces the timeout of the end-to-end tests.
PATIENT = "--timeout=540s"
_ROLLOUT_SECONDS = 540.0
_UPSTREAMS = ("binance", "coingecko", "kraken", "yahoo", "finnhub")


def pod_deleted(world: World, component: str) -> None:
    """Delete a pod, whose processes get SIGTERM."""
    world.delete(world.newest(component))


def pod_killed(world: World, component: str) -> None:
    """Delete a pod, whose processes get SIGKILL."""
    world.kill_pod(world.newest(component))


def process_killed(world: World, component: str) -> None:
    """Kill all processes of a container, which the kubelet starts again."""
    world.signal(world.newest(component), signal.SIGKILL)


def child_killed(world: World, component: str) -> None:
    """Kill the process that a worker or a scheduler has started, but not this parent."""
    world.signal(world.newest(component), signal.SIGKILL, children=True)


def process_stopped(world: World, component: str) -> None:
    """Stop all processes of a pod for less than the heartbeat timeout."""
    with world.stopped(world.any(component)):
        world.wait(*_MOMENT)


def process_stopped_long(world: World, component: str) -> None:
    """Stop all processes of a pod for longer than the heartbeat timeout."""
    with world.stopped(world.any(component)):
        world.wait(*_LONG)


def cut_off_from_redis(world: World, component: str) -> None:
    """Drop the packets between a pod and Redis for less than the heartbeat timeout."""
    with world.cut_off(world.any(component), _REDIS_PORT):
        world.wait(*_MOMENT)


def cut_off_from_redis_long(world: World, component: str) -> None:
    """Drop the packets between a pod and Redis for longer than the heartbeat timeout."""
    with world.cut_off(world.any(component), _REDIS_PORT):
        world.wait(*_LONG)


def slow_network(world: World, component: str) -> None:
    """Delay and lose packets of a pod."""
    with world.slow_network(world.any(component)):
        world.wait(5, 10)


def out_of_memory(world: World) -> None:
    """Let a task exceed the memory limit of its pod. Its message must run again, and then succeeds."""
    server: Any = world.site.redis()
    assert server is not None
    server.delete(*_RECORDS_OF_ALLOCATION)
    world.site.release.run_python(_ENQUEUE_ALLOCATION)

    def has_ended() -> bool:
        # Any pod may get the message. The first attempt names the pod before it allocates.
        world.hits(*server.lrange("allocated_on", 0, -1))
        return bool(server.lrange("finished", 0, -1) == ["allocate"])

    eventually(has_ended, "the message that needed memory has ended", 120)
    world.note = " ".join(sorted(world.hit))
    assert server.lrange("started", 0, -1) == ["allocate", "allocate"]
    server.delete(*_RECORDS_OF_ALLOCATION)


def evicted(world: World) -> None:
    """Cordon the node, evict a pod as `kubectl drain` does, and uncordon the node."""
    release = world.site.release
    pod = world.newest(RECORDING_TIER)
    release.cluster.kubectl("cordon", "--selector", "kubernetes.io/os=linux")
    try:
        metadata = {"name": pod.name, "namespace": release.namespace}
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
        path = f"/api/v1/namespaces/{release.namespace}/pods/{pod.name}/eviction"
        release.cluster.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))
        world.wait(*_MOMENT)
    finally:
        release.cluster.kubectl("uncordon", "--selector", "kubernetes.io/os=linux")


def scaled(world: World) -> None:
    """Add a pod to the tier, and remove one when it is ready."""
    name = f"deployment/{NAME}-{RECORDING_TIER}"
    usual = REPLICAS[RECORDING_TIER]
    world.site.release.kubectl("scale", name, f"--replicas={usual + 1}")
    eventually(lambda: len(world.site.ready(RECORDING_TIER)) > usual, "the added pod is ready", RECOVERY_SECONDS)
    before = {pod.name for pod in world.site.ready(RECORDING_TIER)}
    world.site.release.kubectl("scale", name, f"--replicas={usual}")
    eventually(lambda: hit_those_that_end(world, before), "a pod of the tier is being deleted", RECOVERY_SECONDS)
    world.note = " ".join(sorted(world.hit))


def hit_those_that_end(world: World, names: set[str]) -> set[str]:
    """Record those of some pods that are being deleted or gone as hit, and return them.

    Args:
        world: What the fault acts on.
        names: Names of pods that existed.
    """
    ending = names - {pod.name for pod in world.site.refresh() if not pod.ending}
    world.hits(*ending)
    return ending


def leader_killed(world: World) -> None:
    """Kill the scheduler that writes status."""
    _kill_scheduler(world, is_leader=True)


def follower_killed(world: World) -> None:
    """Kill a scheduler that does not write status."""
    _kill_scheduler(world, is_leader=False)


def _kill_scheduler(world: World, *, is_leader: bool) -> None:
    holder = str(world.site.release.get("lease", f"{NAME}-scheduler")["spec"]["holderIdentity"]).partition("_")[0]
    pods = world.site.ready("scheduler")
    victim = next((pod for pod in pods if (pod.name == holder) is is_leader), pods[-1])
    world.hits(victim.name)
    world.note = victim.name
    world.kill_pod(victim)


def scheduler_cut_off_from_api(world: World) -> None:
    """Drop the packets between a scheduler and the API server."""
    with world.cut_off(world.any("scheduler"), API_PORT):
        world.wait(*_LONG)


def redis_not_ready(world: World) -> None:
    """Mark the pod of Redis as not ready, as the node controller does when it loses a node."""
    status = {"status": {"conditions": [{"type": "Ready", "status": "False", "reason": "NodeNotReady"}]}}
    name = f"{NAME}-redis-0"
    world.site.release.kubectl("patch", "pod", name, "--subresource=status", "-p", json.dumps(status))
    world.wait(*_MOMENT)


def connections_closed(world: World) -> None:
    """Close all connections of clients, as `CLIENT KILL` or a failing proxy does."""
    server = world.site.redis()
    assert server is not None
    server.client_kill_filter(_type="normal", skipme=True)


def redis_full(world: World) -> None:
    """Reduce the memory of Redis below what it uses, so that it refuses all writes."""
    server: Any = world.site.redis()
    assert server is not None
    usual = server.config_get("maxmemory")["maxmemory"]
    server.config_set("maxmemory", 1_000_000)
    try:
        world.wait(4, 8)
    finally:
        server.config_set("maxmemory", usual)


def upstream_fails(world: World) -> None:
    """Let one upstream answer with errors."""
    _disturb_upstream(world, world.random.choice(("server-error", "unavailable")))


def upstream_damaged(world: World) -> None:
    """Let one upstream answer with pages of HTML, or close connections in the middle of the body."""
    _disturb_upstream(world, world.random.choice(("html", "cut")))


def _disturb_upstream(world: World, fault: str) -> None:
    upstream = world.random.choice(_UPSTREAMS)
    world.note = f"{upstream}: {fault}"
    _control(world, "POST", {"fault": fault, "upstream": upstream})
    try:
        world.wait(10, 15)
    finally:
        _control(world, "DELETE")


def upstreams_slow(world: World) -> None:
    """Delay every answer of every upstream."""
    _control(world, "POST", {"latency": 3})
    try:
        world.wait(10, 15)
    finally:
        _control(world, "DELETE")


def _control(world: World, method: str, body: dict[str, object] | None = None) -> None:
    (pod,) = world.site.ready("simulator")
    url = f"http://{pod.address}:{_SIMULATOR_PORT}/_control"
    with httpx.Client(trust_env=False, timeout=10) as client:
        client.request(method, url, json=body).raise_for_status()


def api_server_restarted(world: World) -> None:
    """Stop the API server, wait, and start it again."""
    world.note = "api-server"
    stop(world.layout, "api-server")
    world.wait(*_MOMENT)
    start_api_server(world.layout)


def server_stopped(name: str) -> Callable[[World], None]:
    """Return a fault that stops a server of the node for a moment.

    Args:
        name: Its name in the node.
    """

    def act(world: World) -> None:
        with world.server_stopped(name):
            world.wait(*_MOMENT)

    return act


def kubelet_killed(world: World) -> None:
    """Kill the kubelet, as a crash of the node's agent does, and start it again."""
    world.kill_server("kubelet")
    world.wait(*_MOMENT)
    start_node(world.layout)


def proxy_killed(world: World) -> None:
    """Kill kube-proxy and start it again."""
    world.kill_server("kube-proxy")
    world.wait(*_MOMENT)
    start_node(world.layout)


def runtime_restarted(world: World) -> None:
    """Stop containerd and start it again. Containers live on, as during an upgrade of the runtime."""
    world.note = "containerd"
    stop(world.layout, "containerd")
    world.wait(*_MOMENT)
    start_runtime(world.layout)


def rollout(world: World, component: str) -> None:
    """Replace all pods of a component one after the other."""
    name = f"deployment/{NAME}-{component}"
    world.note = component
    before = {pod.name for pod in world.site.ready(component)}
    world.site.release.kubectl("rollout", "restart", name)
    # Each pod counts as hit from the time at which it is being deleted, and new pods do not.
    eventually(lambda: hit_those_that_end(world, before) == before, "all pods are being deleted", _ROLLOUT_SECONDS)
    world.site.release.kubectl("rollout", "status", name, f"--timeout={_ROLLOUT_SECONDS:.0f}s")


def upgrade(world: World) -> None:
    """Run `helm upgrade` with a changed setting, which replaces every process of FinanceHub."""
    release = world.site.release
    changed = {"FINANCEHUB_QUARANTINE_RETENTION_DAYS": world.random.randint(10, 90)}
    release.upgrade(PATIENT, settings={**release.values["settings"], **changed})
