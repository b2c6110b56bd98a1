"""What is remembered of a status: enough to tell whether a write would change it, in few bytes."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from sys import intern
from typing import Any, NamedTuple

_DIGEST_BYTES = 16


class Standing(NamedTuple):
    """One condition, as far as the next status depends on it.

    Args:
        type, status: as in the condition.
        generation: its `observedGeneration`.
        since: its `lastTransitionTime`.
    """

    type: str
    status: str
    generation: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """A status as the API server has shown it.

    Args:
        digest: of all of it; empty: there is none.
        conditions: those it has, in its order.
        last: its `lastScheduleTime`, Unix seconds; the only copy once Redis has lost its data.
    """

    digest: bytes = b""
    conditions: tuple[Standing, ...] = ()
    last: float | None = None


NOTHING = Seen()


def digest(status: Mapping[str, Any]) -> bytes:
    """A name for one status, whatever the order of its fields.

    Args:
        status: as JSON has it.
    """
    text = json.dumps(status, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest()


def seen(status: Mapping[str, Any] | None) -> Seen:
    """Look at the `status` of a resource; never raises, whoever wrote it.

    Args:
        status: as the API server sent it.
    """
    if not status or not isinstance(status, Mapping):
        return NOTHING
    try:
        conditions = tuple(
            Standing(
                intern(condition["type"]),
                intern(condition["status"]),
                condition["observedGeneration"],
                datetime.fromisoformat(condition["lastTransitionTime"]),
            )
            for condition in status.get("conditions") or ()
        )
    except (KeyError, TypeError, ValueError):
        # written by hand: whatever is in it is written anew
        conditions = ()
    return Seen(digest(status), conditions, unix(status.get("lastScheduleTime")))


def unix(text: Any) -> float | None:
    """A time of Kubernetes as Unix seconds; None: it is not there, or is none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
