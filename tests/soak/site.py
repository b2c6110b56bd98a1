"""The release under load, as the sampler, the faults and the checks see it: its pods, processes and Redis."""

import base64
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import redis

from e2e.release import NAME, Release
from soak import redis_view
from soak.api import Api, component_of, is_ready
from soak.patience import PASSING, Patience
from soak.processes import Found, find_processes

#: The tier whose tasks record their attempts. Its name is also that of its queue.
RECORDING_TIER = "research"
TIERS = ("high", "medium", "low", RECORDING_TIER)
#: Component → number of its pods.
REPLICAS = {**dict.fromkeys(TIERS, 2), "scheduler": 2, "web": 1, "redis": 1, "simulator": 1}
#: The components whose processes serve metrics.
WITH_METRICS = (*TIERS, "scheduler", "web")
METRICS_PORT = 8000
_START_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod of the release.

    Args:
        name, uid, component, address: Its name, uid, component and IP address.
        created: Its creation, as the API server writes it.
        ready: Whether it is ready and not being deleted.
        containers: Ids of its containers, without init containers.
        ending: Whether it is being deleted.
    """

    name: str
    uid: str
    component: str
    address: str
    created: str
    ready: bool
    containers: frozenset[str]
    ending: bool = False


class Site:
    """The release.

    Args:
        release: Its operations.
        api: Client of the API server.
        checks: The release with a short timeout of its commands, for checks that have a deadline.
    """

    def __init__(self, release: Release, api: Api, checks: Release) -> None:
        self.release = release
        self.checks = checks
        self.api = api
        path = f"/api/v1/namespaces/{release.namespace}/secrets/{NAME}-redis"
        secret = Patience().read(lambda: api.get(path), _START_SECONDS)
        self._password = base64.b64decode(secret["data"]["redis-password"]).decode()
        self._lock = threading.Lock()
        self._pods: list[Pod] = []
        self._clients: dict[str, redis.Redis] = {}
        self.refresh()

    def refresh(self) -> list[Pod]:
        """Read the pods, oldest first. Without an answer of the API server, the last known ones are returned."""
        try:
            pods = sorted(map(_pod, self.api.pods(self.release.namespace)), key=lambda pod: (pod.created, pod.name))
        except PASSING:
            return self._pods
        with self._lock:
            self._pods = pods
        return pods

    def ready(self, component: str) -> list[Pod]:
        """Return the ready pods of a component, oldest first."""
        return [pod for pod in self.refresh() if pod.component == component and pod.ready]

    def known(self) -> Mapping[str, Pod]:
        """Return the pods that were read last, by uid."""
        return {pod.uid: pod for pod in self._pods}

    def is_complete(self) -> bool:
        """Whether every component has exactly its ready pods, and none of its pods is being deleted."""
        pods = [pod for pod in self.refresh() if pod.component in REPLICAS]
        return all(pod.ready for pod in pods) and Counter(pod.component for pod in pods) == REPLICAS

    def describe(self) -> str:
        """Return how many pods of each component there are, as they were read last."""
        names = sorted({pod.component for pod in self._pods} | REPLICAS.keys())
        of = {name: [pod for pod in self._pods if pod.component == name] for name in names}
        return ", ".join(f"{name} {sum(pod.ready for pod in of[name])}/{len(of[name])}" for name in names)

    def processes(self, pod: Pod) -> list[Found]:
        """Return the processes of a pod's containers, the first one of the container first."""
        found = [each for each in find_processes() if each.pod_uid == pod.uid and each.container in pod.containers]
        return sorted(found, key=lambda each: (not each.is_main, each.started, each.pid))

    def redis(self) -> "redis.Redis | None":
        """Return a client of Redis, or None while no address of its pod is known."""
        addresses = [pod.address for pod in self._pods if pod.component == "redis" and pod.address]
        if not addresses:
            return None
        with self._lock:
            if addresses[-1] not in self._clients:
                self._clients[addresses[-1]] = redis_view.client(addresses[-1], self._password)
            return self._clients[addresses[-1]]


def _pod(item: Mapping[str, Any]) -> Pod:
    statuses = item["status"].get("containerStatuses", [])
    return Pod(
        name=item["metadata"]["name"],
        uid=item["metadata"]["uid"],
        component=component_of(item),
        address=item["status"].get("podIP", ""),
        created=item["metadata"]["creationTimestamp"],
        ready=is_ready(item),
        containers=frozenset(each.get("containerID", "").rpartition("/")[2] for each in statuses),
        ending="deletionTimestamp" in item["metadata"],
    )
