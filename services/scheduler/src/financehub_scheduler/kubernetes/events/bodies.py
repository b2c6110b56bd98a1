"""An Event as the API server has it: core/v1, whose count `kubectl describe` and `kubectl events` show."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from financehub_scheduler.api.scheduled_task import GROUP, VERSION
from financehub_scheduler.kubernetes.events.correlator import Note

COMPONENT = "financehub-scheduler"
#: Kubernetes takes no longer message.
_MESSAGE_BYTES = 1_024


def news(note: Note, redact: Callable[[str], str]) -> dict[str, Any]:
    """What changes when it happens again.

    Args:
        note: what is told.
        redact: masks secrets.
    """
    # masked first: half a secret would not be recognized
    message = redact(note.happening.message).encode()[:_MESSAGE_BYTES].decode(errors="ignore")
    return {
        "type": note.happening.type,
        "message": message,
        "count": note.count,
        "lastTimestamp": _time(note.last),
    }


def whole(note: Note, redact: Callable[[str], str], host: str) -> dict[str, Any]:
    """All of it, as it is created.

    Args:
        note: what is told.
        redact: masks secrets.
        host: where this process runs.
    """
    resource = note.resource
    return {
        **news(note, redact),
        "metadata": {"name": note.name, "namespace": resource.namespace},
        "involvedObject": {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": "ScheduledTask",
            "namespace": resource.namespace,
            "name": resource.name,
            "uid": resource.uid,
        },
        "reason": note.happening.reason,
        "firstTimestamp": _time(note.first),
        "source": {"component": COMPONENT, "host": host},
        "reportingComponent": COMPONENT,
        "reportingInstance": host,
    }


def _time(now: float) -> str:
    return datetime.fromtimestamp(int(now), UTC).isoformat().replace("+00:00", "Z")
