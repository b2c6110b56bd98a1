"""One ScheduledTask as the API server shows it, turned into what the scheduler keeps of it: pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from financehub_scheduler.api.schedule import Schedule, compile_schedule
from financehub_scheduler.api.scheduled_task import BACKFILL, TRIGGER, from_resource
from financehub_scheduler.kubernetes.observed_status import Seen, seen, unix


@dataclass(frozen=True, slots=True)
class Resource:
    """What is kept of one ScheduledTask.

    Args:
        uid, namespace, name, generation: of its metadata.
        problem: why it does not run as written, and how to mend it; empty: it does.
        schedule: what runs; None where there is a problem.
        since: Unix seconds from which it is ours, should Redis not know it: the newest of its creation, the last change
            of its spec and its last run.
        asked: values of the trigger and backfill annotations.
        status: what its status says at present.
    """

    uid: str
    namespace: str
    name: str
    generation: int
    problem: str
    schedule: Schedule | None
    since: float
    asked: tuple[str, str]
    status: Seen

    @property
    def full_name(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    def same_wish(self, body: Mapping[str, Any]) -> bool:
        """Whether a newer state asks for the same as this one, and only its status or labels differ."""
        metadata = body["metadata"]
        return self.generation == metadata["generation"] and self.asked == _asked(metadata)


def read(body: Mapping[str, Any]) -> Resource:
    """Check and compile one resource; whatever is wrong with it is its `problem`.

    Args:
        body: as the API server sent it.
    """
    metadata = body["metadata"]
    problem, schedule, status = "", None, seen(body.get("status"))
    try:
        schedule = compile_schedule(from_resource(body), metadata["uid"])
    except ValueError as error:
        problem = str(error)
    return Resource(
        uid=metadata["uid"],
        namespace=metadata["namespace"],
        name=metadata["name"],
        generation=metadata["generation"],
        problem=problem,
        schedule=schedule,
        since=_since(metadata, status.last),
        asked=_asked(metadata),
        status=status,
    )


def _asked(metadata: Mapping[str, Any]) -> tuple[str, str]:
    annotations = metadata.get("annotations") or {}
    return annotations.get(TRIGGER, ""), annotations.get(BACKFILL, "")


def _since(metadata: Mapping[str, Any], last: float | None) -> float:
    times = [
        metadata["creationTimestamp"],
        *(
            entry.get("time")
            for entry in metadata.get("managedFields") or ()
            if not entry.get("subresource") and "f:spec" in (entry.get("fieldsV1") or {})
        ),
    ]
    return max(filter(None, [last, *map(unix, times)]), default=0.0)
