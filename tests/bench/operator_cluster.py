"""A control plane with thousands of resources, a scheduler on them, and what both did."""

import asyncio
import base64
import ssl
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import httpx

from financehub_shared.redis import keys
from support.operator import scheduler_user
from support.redis_server import RedisServer
from support.schedules import SchedulerProcess
from test_cluster.control_plane.control_plane import ControlPlane, start_control_plane
from test_cluster.control_plane.manifests import install
from test_cluster.control_plane.tokens import User

#: Connections that create resources.
_CREATORS = 32
_WRITES = {"create", "update", "patch", "delete"}
_PATIENCE_SECONDS = 300
SCHEDULED_TASKS = "/apis/financehub.io/v1alpha1/namespaces/{}/scheduledtasks"


@dataclass
class OperatorCluster:
    """What the phases of the benchmark share.

    Args:
        plane: the API server.
        redis: of the queues; emptied by each scheduler that starts anew.
        logs: folder of the schedulers' lines.
    """

    plane: ControlPlane
    redis: RedisServer
    logs: Path

    def create(self, path: str, bodies: Iterable[Mapping[str, Any]]) -> None:
        """Create many resources at once.

        Args:
            path: of their list.
            bodies: the resources.
        """
        asyncio.run(self._create(self.plane.server + path, iter(bodies)))

    async def _create(self, url: str, bodies: Iterator[Mapping[str, Any]]) -> None:
        pki = self.plane.directory / "pki"
        tls = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        tls.load_cert_chain(pki / "admin.crt", pki / "admin.key")

        async def creator(session: aiohttp.ClientSession) -> None:
            for body in bodies:
                async with session.post(url, json=body) as answer:
                    if answer.status != 201:
                        raise RuntimeError(await answer.text())

        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls, limit=_CREATORS)) as session:
            await asyncio.gather(*(creator(session) for _ in range(_CREATORS)))

    def user(self, namespace: str) -> User:
        """An account of a scheduler, with the rights of deploy/operator in a namespace."""
        self.plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        return scheduler_user(self.plane, namespace)

    @contextmanager
    def scheduler(self, user: User, count: int, *, fresh: bool = True) -> Iterator[tuple[int, float]]:
        """A scheduler that knows all ScheduledTasks of a user's namespace: process id, and seconds it took to.

        Args:
            user: whose rights it has.
            count: how many ScheduledTasks there are.
            fresh: Redis is empty.
        """
        client: Any = self.redis.client()
        if fresh:
            client.flushall()
        # whatever Redis knows of them, known is what is claimed since
        begun = time.time()
        log = self.logs / f"{user.namespace}.log"
        process = SchedulerProcess(self.redis.url, user.kubeconfig, log, "--namespace", user.namespace).start()
        try:
            until(
                lambda: client.zcount(keys.SCHEDULES, begun, "+inf") >= count,
                lambda: f"the scheduler knows {client.zcount(keys.SCHEDULES, begun, '+inf')} of {count}: see {log}",
            )
            yield process.process.pid, time.time() - begun
            if process.process.poll() is not None:
                raise RuntimeError(f"the scheduler has ended: {log.read_text(encoding='utf-8')[-2_000:]}")
            process.stop()
        finally:
            process.end()

    def writes(self, user: User, begin: float, end: float) -> Counter[tuple[str, str]]:
        """Writes of a user between two moments (Unix seconds), by resource and name, but for the Lease."""
        return Counter(
            (record["objectRef"]["resource"], record["objectRef"].get("name", ""))
            for record in self.plane.audit(user.name)
            if record["verb"] in _WRITES
            and record["objectRef"]["resource"] != "leases"
            and begin <= moment(record["requestReceivedTimestamp"]) < end
        )

    def versions(self, namespace: str) -> Counter[str]:
        """How often each ScheduledTask of a namespace was stored, by name: etcd counts what really changes it."""
        prefix = f"/registry/financehub.io/scheduledtasks/{namespace}/"
        body = {"key": _base64(prefix), "range_end": _base64(prefix[:-1] + "0"), "keys_only": True}
        answer = httpx.post(f"{self.plane._etcd_url}/v3/kv/range", json=body, trust_env=False, timeout=30)
        found = answer.raise_for_status().json().get("kvs", [])
        return Counter({base64.b64decode(each["key"]).decode()[len(prefix) :]: int(each["version"]) for each in found})


@contextmanager
def operator_cluster(directory: Path) -> Iterator[OperatorCluster]:
    """A control plane with deploy/operator in force and the controllers of Kubernetes, and an empty Redis."""
    redis = RedisServer(directory, aof=False).start()
    try:
        plane = start_control_plane(directory / "control-plane", controller_manager=True)
        try:
            install(plane)
            yield OperatorCluster(plane, redis, directory)
        finally:
            plane.stop()
    finally:
        redis.stop()


def moment(text: str) -> float:
    """Unix seconds of a time in the audit log."""
    return datetime.fromisoformat(text).timestamp()


def until(reached: Callable[[], object], problem: Callable[[], str], every: float = 0.02) -> None:
    """Poll, `every` so many seconds, until `reached`; RuntimeError with the text of `problem` if it takes too long."""
    limit = time.monotonic() + _PATIENCE_SECONDS
    while not reached():
        if time.monotonic() > limit:
            raise RuntimeError(problem())
        time.sleep(every)


def tell(text: str) -> None:
    """A line of progress."""
    sys.stderr.write(f"bench: operator: {text}\n")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
