"""Computes which due times of a stored spec stay due when the schedule is edited. `register.lua` has the protocol."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import structlog

from financehub_scheduler.catch_up import GRACE_SECONDS, MAX_CATCH_UP, MAX_COUNTED
from financehub_scheduler.successes import Successes, due_time_of_success
from financehub_scheduler.timeline import Timeline
from financehub_shared.core.damage import DAMAGED
from financehub_shared.core.errors import ConfigError
from financehub_shared.recurrence.build import recurrence_of_spec
from financehub_shared.recurrence.calendar import CalendarHorizonError
from financehub_shared.recurrence.recurrence import Recurrence
from financehub_shared.redis.text import decode, read_time

log = structlog.get_logger(__name__)

_UNREADABLE: tuple[type[Exception], ...] = (*DAMAGED, ConfigError)


@dataclass(frozen=True, slots=True)
class StoredSchedule:
    """What Redis has about a schedule that is being edited. Times are Unix seconds.

    Args:
        uid: Uid of the schedule.
        mark: Its high-water mark.
        changed_at: Time of its last change.
        pending: Its pending due times, ascending.
        fingerprint_hash: SHA-1 of the stored fingerprint, which may have any bytes.
        spec: The stored spec as JSON.
        runs: Number of its due runs that were enqueued.
        success: End of the newest success of the schedule that it runs after; None if there is none.
    """

    uid: str
    mark: float
    changed_at: float
    pending: tuple[float, ...]
    fingerprint_hash: str
    spec: str
    runs: int
    success: float | None = None

    @classmethod
    def parse(cls, uid: str, reply: Sequence[bytes]) -> Self:
        """Parse the reply `edited` of register.lua."""
        mark, changed_at, pending, fingerprint_hash, spec, runs, success = map(decode, reply[1:8])
        count = int(runs) if runs.isdecimal() and len(runs) < 16 else 0
        due_times, newest = parse_pending(pending), read_time(success)
        return cls(uid, int(mark) / 1000, float(changed_at), due_times, fingerprint_hash, spec, count, newest)


def fingerprint_hash(fingerprint: str | bytes) -> str:
    """Return the SHA-1 of a fingerprint, as register.lua computes it."""
    text = fingerprint.encode() if isinstance(fingerprint, str) else fingerprint
    return hashlib.sha1(text, usedforsecurity=False).hexdigest()


def parse_pending(text: str) -> tuple[float, ...]:
    """Return the pending due times of a schedule record, in Unix seconds. Parts that are not times are left out."""
    times = {int(part) / 1000 for part in text.split() if part.isdecimal() and len(part) < 16}
    return tuple(sorted(times)[-MAX_CATCH_UP:])


def edit_fields(stored: StoredSchedule, known: Sequence[float], now: float) -> dict[str, Any]:
    """Return the fields of a registration that replaces a stored schedule.

    Args:
        stored: The stored schedule.
        known: Due times that the stored spec does not yield and this scheduler knows, ascending, in Unix seconds.
        now: Time of the edit, Unix seconds.
    """
    try:
        spec = dict(json.loads(stored.spec))
        window, max_runs = spec.get("startingDeadlineSeconds"), spec.get("maxRuns")
        if spec.get("suspend") or (max_runs is not None and stored.runs >= max_runs):
            return {"replaces": stored.fingerprint_hash, "pending": []}
        recurrence, due_times = recurrence_of_spec(stored.uid, spec), {*known}
        due = None if stored.success is None else due_time_of_success(stored.success)
        if due is not None and due <= now and _allows(recurrence, due):
            # The scheduler may have been down since then, or has not looked for it yet.
            due_times.add(due)
        extra = sorted(due for due in due_times if due > stored.changed_at)
        timeline = Timeline(recurrence, stored.changed_at, (*stored.pending, *extra))
        try:
            waiting, count = waiting_due_times(timeline, stored.mark, now, window)
        except CalendarHorizonError as error:
            # What was due before the calendar ended does not depend on it.
            log.warning("stored_calendar_ended", schedule_uid=stored.uid, reason=str(error))
            timeline = replace(timeline, recurrence=Successes((), recurrence.offset))
            waiting, count = waiting_due_times(timeline, stored.mark, now, window)
    except _UNREADABLE as error:
        # A newer release or another program has written the spec. The edit replaces it.
        log.warning("stored_spec_read_failed", schedule_uid=stored.uid, reason=str(error))
        return {"replaces": stored.fingerprint_hash, "pending": []}
    pending, dropped = [round(due * 1000) for due in waiting], count - len(waiting) if count > MAX_CATCH_UP else 0
    return {"replaces": stored.fingerprint_hash, "pending": pending, "dropped": dropped}


def _allows(recurrence: Recurrence, due: float) -> bool:
    try:
        return recurrence.allows(due)
    except CalendarHorizonError:
        # An unknown day never counts as open.
        return False


def waiting_due_times(timeline: Timeline, mark: float, now: float, window: float | None) -> tuple[list[float], int]:
    """Return the newest due times that have passed and wait for their jitter or for the scheduler, and their number.

    Due times that no scheduler could enqueue in time are left out, because an edit ends their catch-up.

    Args:
        timeline: The due times under the old spec.
        mark: The high-water mark, Unix seconds.
        now: Time of the edit, Unix seconds.
        window: `startingDeadlineSeconds` of the old spec; None for no limit.
    """
    recurrence, in_time = timeline.recurrence, now - GRACE_SECONDS
    after = max(mark, timeline.since, math.nextafter(in_time - recurrence.offset, -math.inf))
    pending = [due for due in timeline.pending if due > mark and timeline.enqueue_time(due) >= in_time]
    newest = [*pending, *recurrence.newest(MAX_CATCH_UP, after, now)][-MAX_CATCH_UP:]
    count = len(pending) + recurrence.count(after, now, MAX_COUNTED)
    return [due for due in newest if window is None or now - timeline.enqueue_time(due) < window], count


def with_edits(
    entries: Mapping[int, dict[str, Any]], replies: Mapping[int, Sequence[bytes]], now: float
) -> dict[int, dict[str, Any]]:
    """Return the registrations to repeat, because they replace a stored spec.

    Args:
        entries: Number of each registration → its entry.
        replies: Number of each registration → the reply of register.lua.
        now: Time of the edit, Unix seconds.
    """
    edits = {}
    for number, reply in replies.items():
        if reply[0] == b"edited":
            entry = entries[number]
            known = [due / 1000 for due in entry.get("pending", ())]
            edits[number] = entry | edit_fields(StoredSchedule.parse(entry["uid"], reply), known, now)
    return edits
