"""A scheduler and its writer of status on a real Redis and a real API server, driven by hand."""

from dataclasses import dataclass, field, replace
from typing import Any

from financehub_scheduler.app import Cluster as Origin
from financehub_scheduler.core.state import Changes
from financehub_scheduler.kubernetes.client.api import KubeApi
from financehub_scheduler.kubernetes.events.recorder import Recorder
from financehub_scheduler.kubernetes.lease import Lease
from financehub_scheduler.kubernetes.observed_status import seen
from financehub_scheduler.kubernetes.status.sender import Sender
from financehub_scheduler.kubernetes.status.writer import StatusWriter
from financehub_scheduler.kubernetes.watch.resource import Resource, read
from financehub_shared.logging import Redactor
from financehub_shared.redis import keys
from support.control_plane.cluster import Cluster
from support.control_plane.tokens import User
from support.hand_driven import Scheduler
from support.operator import Tasks


@dataclass
class Shown:
    """Resources as the API server showed them when it was last asked."""

    resources: dict[str, Resource] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)


class Rig:
    """One scheduler process without its watch and its timers.

    Args:
        cluster: the API server, as its administrator sees it.
        namespace: whose resources.
        user: who writes.
        api: the writer's connection.
        scheduler: the rest of the process.
        identity: of the process.
    """

    def __init__(
        self, cluster: Cluster, namespace: str, user: User, api: KubeApi, scheduler: Scheduler, identity: str = "one"
    ) -> None:
        self.tasks = Tasks(cluster, namespace)
        self.user = user
        self.cluster = cluster
        self.scheduler = scheduler
        self.clock = scheduler.clock
        self.api = api
        self.lease = Lease(api, self.clock, identity, Origin().lease)
        self.shown = Shown()
        self.writer = StatusWriter(
            self.clock, self.lease, Sender(api, self.clock), self.shown, scheduler.engine.live, scheduler.connection
        )
        scheduler.engine.on_moved = self.writer.moved.add
        self.events = Recorder(self.clock, api, self.shown.resources, Redactor(["hunter2-secret"]))
        self.events.listen(scheduler.observer, scheduler.errands, self.writer)

    async def look(self) -> None:
        """Let the source see what the API server has, and the engine take it over."""
        path = f"/apis/financehub.io/v1alpha1/namespaces/{self.tasks.namespace}/scheduledtasks"
        before = dict(self.shown.resources)
        found = {
            body["metadata"]["uid"]: _newer(before.get(body["metadata"]["uid"]), body)
            for body in self.cluster.request("GET", path)["items"]
        }
        self.shown.resources.clear()
        self.shown.resources.update(found)
        self.shown.touched |= {uid for uid, each in found.items() if each != before.get(uid)}
        changed = [each for uid, each in found.items() if (each.generation, each.asked) != _wish(before.get(uid))]
        self.scheduler.engine.apply(
            Changes(
                upserts=[each.schedule for each in changed if each.schedule],
                removed=[uid for uid in before if uid not in found],
                withdrawn={each.uid: each.problem for each in changed if each.problem},
                initial=True,
            )
        )
        await self.scheduler.settle()

    async def step(self) -> None:
        """What happens every second; the watch shows what came of it."""
        await self.scheduler.errands.step()
        await self.scheduler.settle()
        await self.lease.step()
        await self.writer.step()
        await self.events.step()
        await self.look()

    async def pass_time(self, seconds: int) -> None:
        """Let seconds pass, one by one."""
        for _ in range(seconds):
            await self.scheduler.pass_time(1)
            await self.step()

    async def apply(self, name: str = "demo", annotations: dict[str, str] | None = None, **spec: Any) -> str:
        """Apply a resource, one of every minute unless `spec` says otherwise, and let the watch show it; its uid."""
        timing = {} if "schedules" in spec else {"schedule": "@every 1m"}
        uid = str(self.tasks.apply(name, annotations, **timing | spec)["metadata"]["uid"])
        await self.look()
        return uid

    def end_run(self, uid: str, outcome: str = "succeeded", error: str = "") -> str:
        """Do to Redis what a worker and its monitor do when the newest run of a schedule ends; its id."""
        client, now = self.scheduler.client, self.clock.now()
        id = self.scheduler.field(uid, "last_message_id")
        assert id
        self.scheduler.end_run(id, outcome)
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
        client.sadd(keys.SCHEDULES_TOUCHED, uid)
        return id

    def writes(self) -> list[int]:
        """What the API server answered to our writes of status, in order."""
        return [
            record["responseStatus"]["code"]
            for record in self.cluster.audit(self.user.name)
            if record["verb"] == "patch" and record["objectRef"].get("subresource") == "status"
        ]


def _newer(before: Resource | None, body: Any) -> Resource:
    if before and before.same_wish(body):
        return replace(before, status=seen(body.get("status")))
    return read(body)


def _wish(resource: Resource | None) -> Any:
    return resource and (resource.generation, resource.asked)
