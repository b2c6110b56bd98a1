"""A compact copy of a status that the API server returned, small enough to keep for every schedule.

It serves to recognize writes that would change nothing.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from sys import intern
from typing import Any, NamedTuple

_DIGEST_BYTES = 16


class ConditionDigest(NamedTuple):
    """The fields of one condition that influence the next status.

    Args:
        type, status: As in the condition.
        generation: Its `observedGeneration`.
        since: Its `lastTransitionTime`.
    """

    type: str
    status: str
    generation: int
    since: datetime


@dataclass(frozen=True, slots=True)
class ObservedStatus:
    """The status that the API server last returned.

    Args:
        digest: Hash of the whole status; empty if there is no status.
        conditions: Its conditions, in order.
        last_schedule_time: Its `lastScheduleTime` in Unix seconds. After Redis has lost its data, it is the only copy.
    """

    digest: bytes = b""
    conditions: tuple[ConditionDigest, ...] = ()
    last_schedule_time: float | None = None


NO_STATUS = ObservedStatus()


def digest(status: Mapping[str, Any]) -> bytes:
    """Return a hash of a status that does not depend on the order of its fields.

    Args:
        status: JSON object.
    """
    text = json.dumps(status, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest()


def observe(status: Mapping[str, Any] | None) -> ObservedStatus:
    """Digest the `status` of a resource. Never raises, even if a user has written invalid values to it.

    Args:
        status: JSON object from the API server, or None if the resource has no status.
    """
    if not status or not isinstance(status, Mapping):
        return NO_STATUS
    try:
        conditions = tuple(
            ConditionDigest(
                intern(condition["type"]),
                intern(condition["status"]),
                condition["observedGeneration"],
                datetime.fromisoformat(condition["lastTransitionTime"]),
            )
            for condition in status.get("conditions") or ()
        )
    except (KeyError, TypeError, ValueError):
        # A user edited the status by hand, so all conditions are written again.
        conditions = ()
    return ObservedStatus(digest(status), conditions, unix_seconds(status.get("lastScheduleTime")))


def unix_seconds(text: Any) -> float | None:
    """Convert a Kubernetes timestamp to Unix seconds, or return None if it is missing or invalid."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
