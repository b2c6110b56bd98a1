"""A scheduler with its status writer and event recorder on a real Redis and API server, stepped by the test."""

from dataclasses import dataclass, field, replace
from typing import Any

from financehub_scheduler.core.changes import Changes
from financehub_scheduler.kubernetes.client.api import KubeApi
from financehub_scheduler.kubernetes.events.recorder import EventRecorder
from financehub_scheduler.kubernetes.lease import Lease
from financehub_scheduler.kubernetes.observed_status import observe
from financehub_scheduler.kubernetes.status.sender import StatusSender
from financehub_scheduler.kubernetes.status.writer import StatusWriter
from financehub_scheduler.kubernetes.watch.resource import WatchedResource, parse_resource
from financehub_scheduler.link.origin import ClusterOrigin
from financehub_shared.logging import Redactor
from financehub_shared.redis import keys
from support.hand_driven import Scheduler
from support.operator import Tasks
from test_cluster.control_plane.cluster import Cluster
from test_cluster.control_plane.tokens import User


@dataclass
class PolledSource:
    """Replaces the watch. Contains the resources as the API server returned them when the test last polled it."""

    resources: dict[str, WatchedResource] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)


class OperatorRig:
    """One scheduler process without its watch and without its timers. The test calls each step.

    `poll` replaces the watch, `step` does everything that the process does every second, and `pass_time` advances the
    clock and steps once per second. `apply` acts as a user, and `end_run` as a worker.

    Args:
        cluster: The API server with administrator rights.
        namespace: The watched namespace.
        user: Service account of the scheduler.
        api: The scheduler's API client.
        scheduler: The engine and the on-demand runs.
        identity: The process's identity in the leader election.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        user: User,
        api: KubeApi,
        scheduler: Scheduler,
        identity: str = "first",
    ) -> None:
        self.tasks = Tasks(cluster, namespace)
        self.user = user
        self.cluster = cluster
        self.scheduler = scheduler
        self.clock = scheduler.clock
        self.api = api
        self.lease = Lease(api, self.clock, identity, ClusterOrigin().lease)
        self.source = PolledSource()
        self.events = EventRecorder(self.clock, api, self.source.resources, Redactor(["hunter2-secret"]))
        self.writer = StatusWriter(
            self.clock,
            self.lease,
            StatusSender(api, self.clock),
            self.source,
            scheduler.engine.states,
            scheduler.connection,
            self.events,
        )
        scheduler.listeners += [self.writer, self.events]

    async def poll(self) -> None:
        """Read all resources from the API server, and pass the changes to the engine."""
        path = f"/apis/financehub.io/v1alpha1/namespaces/{self.tasks.namespace}/scheduledtasks"
        before = dict(self.source.resources)
        found = {
            body["metadata"]["uid"]: _updated(before.get(body["metadata"]["uid"]), body)
            for body in self.cluster.request("GET", path)["items"]
        }
        self.source.resources.clear()
        self.source.resources.update(found)
        self.source.changed |= {uid for uid, resource in found.items() if resource != before.get(uid)}
        changed = [
            resource
            for uid, resource in found.items()
            if (resource.generation, resource.annotations) != _spec_version(before.get(uid))
        ]
        self.scheduler.engine.apply(
            Changes(
                upserts=[resource.schedule for resource in changed if resource.schedule],
                removed=[uid for uid in before if uid not in found],
                deactivated={resource.uid: resource.problem for resource in changed if resource.problem},
                keep_known_state=True,
            )
        )
        await self.scheduler.step_until_idle()

    async def step(self) -> None:
        """Do everything that the process does every second, then poll the resources."""
        await self.scheduler.on_demand.step()
        await self.scheduler.followers.step()
        await self.scheduler.step_until_idle()
        await self.lease.step()
        await self.writer.step()
        await self.events.step()
        await self.poll()

    async def pass_time(self, seconds: int) -> None:
        """Advance the clock second by second, with one step in each."""
        for _ in range(seconds):
            await self.scheduler.pass_time(1)
            await self.step()

    async def apply(self, name: str = "demo", annotations: dict[str, str] | None = None, **spec: Any) -> str:
        """Apply a resource, which is due every minute unless `spec` differs, poll, and return its uid."""
        timing = {} if {"schedules", "after"} & spec.keys() else {"schedule": "@every 1m"}
        uid = str(self.tasks.apply(name, annotations, **timing | spec)["metadata"]["uid"])
        await self.poll()
        return uid

    def end_run(self, uid: str, outcome: str = "succeeded", error: str = "", queue: str = "q") -> str:
        """Write to Redis what a worker and its monitor write when the newest run ends, and return the run's id."""
        client, now = self.scheduler.client, self.clock.now()
        id = self.scheduler.field(uid, "last_message_id")
        assert id
        self.scheduler.end_run(id, outcome, queue)
        client.hset(keys.run(id), mapping={"finished_at": now, "duration": "2.0"})
        ended: dict[Any, Any] = {
            "last_run_id": id,
            "last_run_outcome": outcome,
            "last_run_at": now,
            "last_run_duration": "2.0",
            "last_run_error": error,
            "last_success_at" if outcome == "succeeded" else "last_failure_at": now,
        }
        client.hset(keys.schedule(uid), mapping=ended)
        client.hincrby(keys.schedule(uid), "ended", 1)
        if outcome != "succeeded":
            client.hincrby(keys.schedule(uid), "failures", 1)
        client.sadd(keys.SCHEDULES_CHANGED, uid)
        return id

    def write_codes(self) -> list[int]:
        """Return the HTTP status codes of the scheduler's status writes, in order."""
        return [
            record["responseStatus"]["code"]
            for record in self.cluster.audit(self.user.name)
            if record["verb"] == "patch" and record["objectRef"].get("subresource") == "status"
        ]


def _updated(before: WatchedResource | None, body: Any) -> WatchedResource:
    if before and before.same_spec(body):
        return replace(before, status=observe(body.get("status")))
    return parse_resource(body)


def _spec_version(resource: WatchedResource | None) -> Any:
    return resource and (resource.generation, resource.annotations)
