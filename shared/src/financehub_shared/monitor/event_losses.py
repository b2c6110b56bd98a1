"""Counts and logs the run events that are not recorded."""

import json
import threading
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from financehub_shared.core.log import get_logger
from financehub_shared.core.text import one_line
from financehub_shared.redis.text import decode

log = get_logger(__name__)

#: Pause in seconds between two log lines with the same reason. The counter has all events.
PAUSE_SECONDS = 60.0
#: Number of problems whose last log line is remembered.
_MAX_PROBLEMS = 100


class LossReason(StrEnum):
    """Why an event is not recorded. Metrics use it as a label."""

    REFUSED = "refused"  # Redis does not accept a part of this event
    MEMORY = "memory"  # too many events waited for Redis
    EXIT = "exit"  # the process stopped while Redis was unavailable


_EVENTS = {
    LossReason.REFUSED: "run_event_refused",
    LossReason.MEMORY: "run_events_lost",
    LossReason.EXIT: "run_events_lost",
}


class EventLosses:
    """The run events of this process that are not recorded, or only in part.

    Args:
        monotonic: Returns the monotonic time in seconds.
        observe: Receives each reason with a number of events, for the metric.
    """

    def __init__(self, monotonic: Callable[[], float], observe: Callable[[str, int], None] | None = None) -> None:
        self._monotonic = monotonic
        self._observe = observe
        self._lock = threading.Lock()
        self._logged_at: dict[tuple[LossReason, str], float] = {}
        self._unlogged: dict[tuple[LossReason, str], int] = {}

    def count(
        self, reason: LossReason, number: int, problem: bytes | str, event: str | Mapping[str, Any] | None = None
    ) -> None:
        """Count events that are not recorded, and log the problem unless a line of the last minute says the same.

        Args:
            reason: Why they are not recorded.
            number: Number of events; 0 does nothing.
            problem: The problem in one sentence, such as the error of Redis.
            event: One of the events, which the log line names.
        """
        if not number:
            return
        if self._observe is not None:
            self._observe(reason.value, number)
        text = one_line(decode(problem))[:300]
        with self._lock:
            key = (reason, text)
            now = self._monotonic()
            total = number + self._unlogged.pop(key, 0)
            if reason is not LossReason.EXIT and now - self._logged_at.get(key, -PAUSE_SECONDS) < PAUSE_SECONDS:
                self._unlogged[key] = total
                return
            if len(self._logged_at) >= _MAX_PROBLEMS:
                self._logged_at.clear()
                self._unlogged.clear()
            self._logged_at[key] = now
        log.error(_EVENTS[reason], reason=reason.value, count=total, problem=text, **_name(event))


def _name(event: str | Mapping[str, Any] | None) -> dict[str, str]:
    """Return the fields of the log line that identify an event."""
    if event is None:
        return {}
    fields = json.loads(event) if isinstance(event, str) else event
    return {"run_id": str(fields.get("id")), "run_task": str(fields.get("task")), "run_event": str(fields.get("kind"))}
