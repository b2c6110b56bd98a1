"""A schedule as the engine knows it: compiled, small, and silent about where it came from."""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from financehub_scheduler.api.scheduled_task import (
    BACKFILL,
    MAX_TRIGGER,
    RANGE,
    TRIGGER,
    ConcurrencyPolicy,
    ScheduledTask,
)
from financehub_scheduler.recurrence.calendar import load_calendar
from financehub_scheduler.recurrence.catch_up import CatchUp
from financehub_scheduler.recurrence.rules import Timing, jitter_offset, parse_rule, parse_zone
from financehub_shared.broker import options
from financehub_shared.core.catalog import CATALOG


@dataclass(frozen=True, slots=True)
class Backfill:
    """A wish to run the due times in [start, end] (Unix seconds), known by `id`."""

    id: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """One schedule, ready to fire.

    Args:
        uid: stable UUID; key of everything about it in Redis.
        name: `namespace/name`.
        task, queue: where its messages go.
        timing: its due times.
        fingerprint: changes with every change of the spec.
        summary: the spec as written, JSON, for listings.
        trigger: value of the trigger annotation; empty: none.
        backfill: what the backfill annotation asks for.
        message_head: JSON of every message up to the options that differ by run.
        symbols: assets that a task of the catalogue is narrowed to; empty: it is not.
    """

    uid: str
    name: str
    task: str
    queue: str
    timing: Timing
    policy: ConcurrencyPolicy
    catch_up: CatchUp
    deadline: int | None
    suspended: bool
    max_queue_depth: int | None
    max_runs: int | None
    fingerprint: str
    summary: str
    trigger: str
    backfill: Backfill | None
    message_head: str
    symbols: tuple[str, ...]

    def message_id(self, occasion: str) -> str:
        """The id of a run; the same occasion (a due time in ms, a trigger) has the same id on every scheduler."""
        return str(uuid5(UUID(self.uid), occasion))

    def message(self, message_id: str, due_ms: int, now_ms: int) -> str:
        """One dramatiq message, as its JSON encoder would write it.

        Args:
            message_id: also its redis_message_id, so that a second enqueue would overwrite, and its correlation id.
            due_ms: due time, Unix ms.
            now_ms: Unix ms of the enqueue.
        """
        age = ""
        if self.deadline is not None:
            # A run that starts late has that much less time to wait in the queue.
            late = now_ms - due_ms if due_ms <= now_ms < due_ms + self.deadline * 1000 else 0
            age = f'"max_age":{self.deadline * 1000 - late},'
        return (
            f'{self.message_head}{age}"{options.DUE_AT}":{due_ms},"{options.READY_AT}":{now_ms},'
            f'"{options.CORRELATION_ID}":"{message_id}","redis_message_id":"{message_id}"}},'
            f'"message_id":"{message_id}","message_timestamp":{now_ms}}}'
        )


def compile_schedule(task: ScheduledTask, uid: str) -> Schedule:
    """Turn a valid resource into what the engine runs.

    Args:
        task: the resource.
        uid: its stable UUID.

    Raises:
        ValueError: an annotation of ours cannot be read.
    """
    spec = task.spec
    name = f"{task.metadata.namespace}/{task.metadata.name}"
    zone = parse_zone(spec.time_zone)
    anchor = int(spec.start_time.timestamp()) if spec.start_time else 0
    timing = Timing(
        rules=tuple(parse_rule(text, zone, anchor) for text in spec.schedules or [spec.schedule or ""]),
        calendar=load_calendar(spec.calendar) if spec.calendar else None,
        start=spec.start_time.timestamp() if spec.start_time else None,
        end=spec.end_time.timestamp() if spec.end_time else None,
        offset=jitter_offset(uid, spec.jitter_seconds),
    )
    queue = spec.queue or CATALOG[spec.task].queue.value
    summary = spec.model_dump_json(by_alias=True, exclude_defaults=True)
    static: dict[str, Any] = {options.SCHEDULE: name, options.SCHEDULE_UID: uid}
    if spec.retries is not None:
        static["max_retries"] = spec.retries
    if spec.time_limit_seconds is not None:
        static["time_limit"] = spec.time_limit_seconds * 1000
    head = _json({"queue_name": queue, "actor_name": spec.task, "args": spec.args, "kwargs": spec.kwargs})
    wish, trigger = task.metadata.annotations.get(BACKFILL), task.metadata.annotations.get(TRIGGER, "")
    if len(trigger) > MAX_TRIGGER:
        raise ValueError(f"{TRIGGER}: longer than {MAX_TRIGGER} characters; write a shorter value")
    return Schedule(
        uid=uid,
        name=name,
        task=spec.task,
        queue=queue,
        timing=timing,
        policy=spec.concurrency_policy,
        catch_up=spec.catch_up,
        deadline=spec.starting_deadline_seconds,
        suspended=spec.suspend,
        max_queue_depth=spec.max_queue_depth,
        max_runs=spec.max_runs,
        fingerprint=hashlib.blake2b(summary.encode(), digest_size=8).hexdigest(),
        summary=summary,
        trigger=trigger,
        backfill=_backfill(uid, wish) if wish else None,
        message_head=f'{head[:-1]},"options":{_json(static)[:-1]},',
        symbols=tuple(spec.kwargs.get("symbols") or ()) if spec.task in CATALOG else (),
    )


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _backfill(uid: str, wish: str) -> Backfill:
    mend = f"{BACKFILL}: {wish!r} is not a range; write it like 2026-11-01T00:00:00Z/2026-11-02T00:00:00Z"
    try:
        # the pattern too, for the API server knows no other form
        start, end = (
            (datetime.fromisoformat(part) for part in wish.split("/")) if re.match(RANGE, wish) else (None, None)
        )
    except ValueError:
        raise ValueError(mend) from None
    if start is None or end is None or end < start:
        raise ValueError(mend)
    # The same range is the same backfill: read again after a restart, it is not run again.
    return Backfill(str(uuid5(UUID(uid), f"backfill {wish}")), start.timestamp(), end.timestamp())
