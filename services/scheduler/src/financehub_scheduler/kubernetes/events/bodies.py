"""Builds the requests for Events. They are core/v1 Events, because `kubectl describe` shows the count of these."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from financehub_scheduler.kubernetes.events.correlator import EventRecord
from financehub_shared.core.text import one_line
from financehub_shared.spec.scheduled_task import GROUP, VERSION

COMPONENT = "financehub-scheduler"
#: Kubernetes refuses longer messages.
_MESSAGE_BYTES = 1_024


def patch_body(record: EventRecord, redact: Callable[[str], str]) -> dict[str, Any]:
    """Return the fields that change when an Event occurs again.

    Args:
        record: The Event.
        redact: Masks secrets.
    """
    # The message is masked before it is truncated, because a truncated secret would not be recognized. It may quote
    # data from outside, which must not control the terminal of a user of kubectl.
    message = one_line(redact(record.draft.message)).encode()[:_MESSAGE_BYTES].decode(errors="ignore")
    return {
        "type": record.draft.type,
        "message": message,
        "count": record.count,
        "lastTimestamp": _timestamp(record.last_at),
    }


def create_body(record: EventRecord, redact: Callable[[str], str], host: str) -> dict[str, Any]:
    """Return all fields of a new Event.

    Args:
        record: The Event.
        redact: Masks secrets.
        host: Host name of this process's machine.
    """
    resource = record.resource
    return {
        **patch_body(record, redact),
        "metadata": {"name": record.name, "namespace": resource.namespace},
        "involvedObject": {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": "ScheduledTask",
            "namespace": resource.namespace,
            "name": resource.name,
            "uid": resource.uid,
        },
        "reason": record.draft.reason,
        "firstTimestamp": _timestamp(record.first_at),
        "source": {"component": COMPONENT, "host": host},
        "reportingComponent": COMPONENT,
        "reportingInstance": host,
    }


def _timestamp(unix_seconds: float) -> str:
    return datetime.fromtimestamp(int(unix_seconds), UTC).isoformat().replace("+00:00", "Z")
