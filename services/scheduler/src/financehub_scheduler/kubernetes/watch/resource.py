"""Converts a ScheduledTask from the API server into the fields that the scheduler keeps. Pure functions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from financehub_scheduler.api.schedule import Schedule, compile_schedule
from financehub_scheduler.kubernetes.observed_status import ObservedStatus, observe, unix_seconds
from financehub_shared.spec.scheduled_task import BACKFILL, TRIGGER, from_resource

#: Maximum number of characters of a problem. It may quote a field or an annotation, which may have 1 MB, and a message
#: to the engine process has the problems of hundreds of resources. Statuses and Events show less.
MAX_PROBLEM_CHARACTERS = 10_000


@dataclass(frozen=True, slots=True)
class WatchedResource:
    """The part of one ScheduledTask that the scheduler keeps.

    Args:
        uid, namespace, name, generation: Taken from its metadata.
        problem: Why it cannot run as written, and the fix; empty if it can.
        schedule: The compiled schedule; None if there is a problem.
        since: Unix seconds after which due times count if Redis does not know the schedule: the latest of its creation,
            the last change of its spec and its last run.
        annotations: Values of the trigger and backfill annotations.
        status: Its status when it was last observed.
    """

    uid: str
    namespace: str
    name: str
    generation: int
    problem: str
    schedule: Schedule | None
    since: float
    annotations: tuple[str, str]
    status: ObservedStatus

    @property
    def full_name(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    def same_spec(self, body: Mapping[str, Any]) -> bool:
        """Whether a newer state has the same spec and requests, so that at most its status or labels differ.

        Args:
            body: The newer state, as the API server sent it.
        """
        metadata = body["metadata"]
        return self.generation == metadata["generation"] and self.annotations == _annotations(metadata)


@dataclass(frozen=True, slots=True)
class ResourceApplied:
    """Watch event: a resource was added, or its spec or annotations changed."""

    resource: WatchedResource

    @property
    def uid(self) -> str:
        """Uid of the resource."""
        return self.resource.uid


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """Watch event: only the status or labels of a resource changed, if anything."""

    resource: WatchedResource

    @property
    def uid(self) -> str:
        """Uid of the resource."""
        return self.resource.uid


@dataclass(frozen=True, slots=True)
class ResourceDeleted:
    """Watch event: a resource was deleted, or its deletion began."""

    uid: str


@dataclass(frozen=True, slots=True)
class ListCompleted:
    """Watch event: all resources that a watch's list contains have been delivered, and all deletions before it.

    Args:
        namespace: The watched namespace, or None for all of them.
    """

    namespace: str | None


WatchEvent = ResourceApplied | StatusChanged | ResourceDeleted | ListCompleted


def parse_resource(body: Mapping[str, Any]) -> WatchedResource:
    """Validate and compile one resource. If it is invalid, its `problem` says why.

    Args:
        body: The resource, as the API server sent it.
    """
    metadata = body["metadata"]
    problem, schedule, status = "", None, observe(body.get("status"))
    try:
        schedule = compile_schedule(from_resource(body), metadata["uid"])
    except ValueError as error:
        problem = str(error)
    if len(problem) > MAX_PROBLEM_CHARACTERS:
        problem = f"{problem[: MAX_PROBLEM_CHARACTERS - 1]}…"
    return WatchedResource(
        uid=metadata["uid"],
        namespace=metadata["namespace"],
        name=metadata["name"],
        generation=metadata["generation"],
        problem=problem,
        schedule=schedule,
        since=_since(metadata, status.last_schedule_time),
        annotations=_annotations(metadata),
        status=status,
    )


def _annotations(metadata: Mapping[str, Any]) -> tuple[str, str]:
    annotations = metadata.get("annotations") or {}
    return annotations.get(TRIGGER, ""), annotations.get(BACKFILL, "")


def _since(metadata: Mapping[str, Any], last_schedule_time: float | None) -> float:
    spec_changes = [
        entry.get("time")
        for entry in metadata.get("managedFields") or ()
        if not entry.get("subresource") and "f:spec" in (entry.get("fieldsV1") or {})
    ]
    times = [last_schedule_time, *map(unix_seconds, [metadata["creationTimestamp"], *spec_changes])]
    return max(filter(None, times), default=0.0)
