"""A control plane with thousands of ScheduledTasks, schedulers for them, and counts of the schedulers' writes."""

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

#: Number of connections that create resources.
_CREATORS = 32
_WRITES = {"create", "update", "patch", "delete"}
_TIMEOUT_SECONDS = 300
SCHEDULED_TASKS = "/apis/financehub.io/v1alpha1/namespaces/{}/scheduledtasks"


@dataclass
class OperatorCluster:
    """The processes that all phases of the benchmark share.

    Args:
        plane: The control plane.
        redis: The queue Redis. `scheduler` empties it by default.
        logs: Folder for the logs of the schedulers.
    """

    plane: ControlPlane
    redis: RedisServer
    logs: Path

    def create(self, path: str, bodies: Iterable[Mapping[str, Any]]) -> None:
        """Create many resources over parallel connections.

        Args:
            path: Path of their list.
            bodies: The resources.
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
        """Create a namespace with a scheduler account that has the rights of deploy/operator."""
        self.plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        return scheduler_user(self.plane, namespace)

    @contextmanager
    def scheduler(self, user: User, count: int, *, empty_redis: bool = True) -> Iterator[tuple[int, float]]:
        """Run a scheduler that has registered all ScheduledTasks of the user's namespace.

        Yields its process id and the seconds from its start until all of them were registered.

        Args:
            user: Account of the scheduler.
            count: Number of ScheduledTasks.
            empty_redis: Whether to empty Redis first.
        """
        client: Any = self.redis.client()
        if empty_redis:
            client.flushall()
        # Redis may have records of an earlier scheduler, so only schedules that are claimed from now on count.
        started_at = time.time()
        log = self.logs / f"{user.namespace}.log"
        process = SchedulerProcess(self.redis.url, user.kubeconfig, log, "--namespace", user.namespace).start()
        try:
            wait_until(
                lambda: client.zcount(keys.SCHEDULES, started_at, "+inf") >= count,
                lambda: (
                    f"{client.zcount(keys.SCHEDULES, started_at, '+inf')} of {count} schedules are registered: {log}"
                ),
            )
            yield process.process.pid, time.time() - started_at
            if process.process.poll() is not None:
                raise RuntimeError(f"the scheduler has ended: {log.read_text(encoding='utf-8')[-2_000:]}")
            process.stop()
        finally:
            process.end()

    def first_writes(self, user: User, begin: float) -> dict[str, float]:
        """Return the Unix time at which a user wrote each ScheduledTask for the first time since another one."""
        found: dict[str, float] = {}
        for record in self.plane.audit(user.name):
            # A request to a path such as /readyz has no object. Writes have one.
            if record["verb"] not in _WRITES:
                continue
            at, target = unix_seconds(record["requestReceivedTimestamp"]), record["objectRef"]
            if target["resource"] == "scheduledtasks" and at >= begin:
                found[target["name"]] = min(at, found.get(target["name"], at))
        return found

    def writes(self, user: User, begin: float, end: float) -> Counter[tuple[str, str]]:
        """Count a user's writes between two Unix times, by resource and name, without writes to the Lease."""
        return Counter(
            (record["objectRef"]["resource"], record["objectRef"].get("name", ""))
            for record in self.plane.audit(user.name)
            if record["verb"] in _WRITES
            and record["objectRef"]["resource"] != "leases"
            and begin <= unix_seconds(record["requestReceivedTimestamp"]) < end
        )

    def versions(self, namespace: str) -> Counter[str]:
        """Return how often each ScheduledTask of a namespace was stored, by name.

        etcd counts a write only if it changes the resource.
        """
        prefix = f"/registry/financehub.io/scheduledtasks/{namespace}/"
        body = {"key": _base64(prefix), "range_end": _base64(prefix[:-1] + "0"), "keys_only": True}
        answer = httpx.post(f"{self.plane._etcd_url}/v3/kv/range", json=body, trust_env=False, timeout=30)
        entries = answer.raise_for_status().json().get("kvs", [])
        return Counter(
            {base64.b64decode(entry["key"]).decode()[len(prefix) :]: int(entry["version"]) for entry in entries}
        )


@contextmanager
def operator_cluster(directory: Path) -> Iterator[OperatorCluster]:
    """Run a control plane with deploy/operator and with the controllers of Kubernetes, and an empty Redis."""
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


def unix_seconds(text: str) -> float:
    """Convert a timestamp in the audit log to Unix seconds."""
    return datetime.fromisoformat(text).timestamp()


def wait_until(condition: Callable[[], object], problem: Callable[[], str], every: float = 0.02) -> None:
    """Wait until a condition holds.

    Args:
        condition: Returns whether it holds.
        problem: Returns the error message for a timeout.
        every: Seconds between two checks.

    Raises:
        RuntimeError: The condition does not hold at the timeout.
    """
    limit = time.monotonic() + _TIMEOUT_SECONDS
    while not condition():
        if time.monotonic() > limit:
            raise RuntimeError(problem())
        time.sleep(every)


def log_progress(text: str) -> None:
    """Print a line of progress."""
    sys.stderr.write(f"bench: operator: {text}\n")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
