"""The faults of a soak: those of the end-to-end tests, and those of the node that they run on.

A fault is a function that begins it, keeps it active for some seconds, and ends it. The nemesis then waits for the
recovery. Faults that end processes choose the newest pod of a component (see `World.newest`).
"""

from collections.abc import Callable
from dataclasses import dataclass

from soak import fault_acts as act
from soak.site import TIERS
from soak.world import World

#: Components of which a pod may be hit, with those that are hit more often named twice.
_WORKERS = (*TIERS, "research", "research")


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault.

    Args:
        act: Inflicts it, and ends it.
        repeats: Whether runs may be repeated: it kills, stops or cuts off workers or Redis.
        everywhere: Whether it hits all pods; otherwise, only the target and its replacement.
        fails: Whether tasks may fail because of it.
        replaces_all: Whether it replaces all pods of a component. Such a fault ends the lifetimes that show slow leaks,
            so it is only drawn in the first third of a soak.
    """

    act: Callable[[World], None]
    repeats: bool = False
    everywhere: bool = False
    fails: bool = False
    replaces_all: bool = False


def _worker(name: str) -> Callable[[World], None]:
    return lambda world: getattr(act, name)(world, world.one_of(_WORKERS))


def _of(name: str, component: str) -> Callable[[World], None]:
    return lambda world: getattr(act, name)(world, component)


#: Name → fault.
FAULTS: dict[str, Fault] = {
    # Workers.
    "worker pod deleted": Fault(_worker("pod_deleted"), repeats=True),
    "worker pod killed": Fault(_worker("pod_killed"), repeats=True),
    "worker process killed": Fault(_worker("process_killed"), repeats=True),
    "worker child killed": Fault(_worker("child_killed"), repeats=True),
    "worker stopped for a moment": Fault(_worker("process_stopped"), repeats=True),
    "worker stopped beyond the heartbeat timeout": Fault(_worker("process_stopped_long"), repeats=True),
    "worker out of memory": Fault(act.out_of_memory, repeats=True),
    "worker cut off from Redis": Fault(_worker("cut_off_from_redis"), repeats=True),
    "worker cut off beyond the heartbeat timeout": Fault(_worker("cut_off_from_redis_long"), repeats=True),
    "worker on a slow network": Fault(_worker("slow_network"), repeats=True),
    "worker evicted from a cordoned node": Fault(act.evicted, repeats=True),
    "tier scaled up and down": Fault(act.scaled, repeats=True),
    # Schedulers.
    "scheduler killed that writes status": Fault(act.leader_killed),
    "scheduler killed that does not write status": Fault(act.follower_killed),
    "scheduler process killed": Fault(_of("process_killed", "scheduler")),
    "companion of a scheduler killed": Fault(_of("child_killed", "scheduler")),
    "scheduler stopped for a moment": Fault(_of("process_stopped", "scheduler")),
    "scheduler stopped beyond the heartbeat timeout": Fault(_of("process_stopped_long", "scheduler")),
    "scheduler cut off from Redis": Fault(_of("cut_off_from_redis", "scheduler")),
    "scheduler cut off from the API server": Fault(act.scheduler_cut_off_from_api),
    # Redis.
    "Redis pod deleted": Fault(_of("pod_deleted", "redis"), repeats=True, everywhere=True, fails=True),
    "Redis process killed": Fault(_of("process_killed", "redis"), repeats=True, everywhere=True, fails=True),
    "Redis stopped for a moment": Fault(_of("process_stopped", "redis"), repeats=True, everywhere=True, fails=True),
    "Redis cut off from all clients": Fault(
        _of("cut_off_from_redis", "redis"), repeats=True, everywhere=True, fails=True
    ),
    "Redis on a slow network": Fault(_of("slow_network", "redis"), repeats=True, everywhere=True, fails=True),
    "Redis marked as not ready": Fault(act.redis_not_ready),
    "connections of Redis closed": Fault(act.connections_closed, repeats=True, everywhere=True, fails=True),
    "memory of Redis full": Fault(act.redis_full, repeats=True, everywhere=True, fails=True),
    # Console and upstreams.
    "console pod killed": Fault(_of("pod_killed", "web")),
    "console stopped for a moment": Fault(_of("process_stopped", "web")),
    "simulator killed, so all upstreams fail": Fault(_of("pod_killed", "simulator"), fails=True),
    "an upstream fails": Fault(act.upstream_fails, fails=True),
    "an upstream sends damaged answers": Fault(act.upstream_damaged, fails=True),
    "all upstreams are slow": Fault(act.upstreams_slow, fails=True),
    # Kubernetes.
    "API server restarted": Fault(act.api_server_restarted),
    "API server stopped for a moment": Fault(act.server_stopped("api-server")),
    "etcd stopped for a moment": Fault(act.server_stopped("etcd")),
    "kubelet killed": Fault(act.kubelet_killed),
    "container runtime restarted": Fault(act.runtime_restarted),
    "kube-proxy killed": Fault(act.proxy_killed),
    "DNS server stopped for a moment": Fault(act.server_stopped("coredns"), fails=True),
    # Operations.
    "rollout of a tier": Fault(_worker("rollout"), repeats=True, replaces_all=True),
    "rollout of the scheduler": Fault(_of("rollout", "scheduler"), replaces_all=True),
    "rollout of the console": Fault(_of("rollout", "web")),
    "upgrade that replaces all processes": Fault(act.upgrade, repeats=True, everywhere=True, replaces_all=True),
}
