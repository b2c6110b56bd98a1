"""The compiled form of a schedule, which the engine runs. It does not depend on the source of the schedule."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from financehub_shared.broker import options
from financehub_shared.broker.dead_letter_reason import MessageRefusedError
from financehub_shared.broker.door import check_fields, too_large
from financehub_shared.core.catalog import CATALOG
from financehub_shared.recurrence.build import build_recurrence
from financehub_shared.recurrence.recurrence import Recurrence
from financehub_shared.spec.annotations import annotation_problems, parse_range
from financehub_shared.spec.scheduled_task import (
    BACKFILL,
    TRIGGER,
    CatchUp,
    ConcurrencyPolicy,
    ScheduledTask,
)


@dataclass(frozen=True, slots=True)
class Backfill:
    """A request to run all due times in [start, end], Unix seconds."""

    id: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """One compiled schedule.

    Args:
        uid: Stable UUID that identifies the schedule in Redis.
        name: `namespace/name`.
        task, queue: The task and the queue of its messages.
        recurrence: Its recurrence. That of a follower has no rules, only limits.
        after: `namespace/name` of the schedule after whose successes it runs, which makes it a follower; empty if it is
            none.
        policy: `spec.concurrencyPolicy`.
        catch_up: `spec.catchUp`.
        starting_deadline_seconds: `spec.startingDeadlineSeconds`: the window in which a run must start; None for no
            limit.
        suspended: `spec.suspend`: whether the schedule is suspended.
        max_queue_depth: `spec.maxQueueDepth`: queue length beyond which due runs are skipped; None for no limit.
        max_runs: `spec.maxRuns`: number of enqueued due runs after which the schedule stops; None for no limit.
        fingerprint: A hash that changes whenever the spec changes.
        spec_json: The spec as written, without default values except for an explicit `dayMatch`.
        trigger: Value of the trigger annotation; empty if there is none.
        backfill: The request in the backfill annotation.
        message_head: The JSON prefix that all messages of the schedule share.
        symbols: Assets to which the arguments restrict a catalog task; empty if they do not.
    """

    uid: str
    name: str
    task: str
    queue: str
    recurrence: Recurrence
    after: str
    policy: ConcurrencyPolicy
    catch_up: CatchUp
    starting_deadline_seconds: int | None
    suspended: bool
    max_queue_depth: int | None
    max_runs: int | None
    fingerprint: str
    spec_json: str
    trigger: str
    backfill: Backfill | None
    message_head: str
    symbols: tuple[str, ...]

    @property
    def message_bytes(self) -> int:
        """Size of one message."""
        # It is ASCII, as all JSON that we write.
        return len(self.message(self.uid, 0, 0))

    def size_problem(self, max_bytes: int) -> str:
        """Return why the messages are too large, or an empty string.

        Args:
            max_bytes: Largest size of a message.
        """
        size = self.message_bytes
        return "" if size <= max_bytes else f"args and kwargs: {too_large(size, max_bytes)}"

    def message_id(self, occasion: str) -> str:
        """Return a run's id, which every scheduler derives from the same occasion (a due time in ms, a trigger)."""
        # As `uuid5(UUID(self.uid), occasion)`, in a third of its time.
        digest = hashlib.sha1(UUID(self.uid).bytes + occasion.encode(), usedforsecurity=False).hexdigest()
        variant = "89ab"[int(digest[16], 16) & 3]
        return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"

    def message(self, message_id: str, due_ms: int, ready_at_ms: int, window_ms: int | None = None) -> str:
        """Return one message exactly as dramatiq's JSON encoder would write it.

        Args:
            message_id: The message id. It is also the correlation id, and the redis_message_id, so that a second
                enqueue overwrites the first.
            due_ms: Due time, Unix milliseconds.
            ready_at_ms: Time at which the message becomes ready, Unix milliseconds. It is in the future if a message is
                encoded ahead of its due time.
            window_ms: Time at which the window of `startingDeadlineSeconds` begins, Unix milliseconds; None if it
                begins when the message becomes ready.
        """
        max_age_option = ""
        if self.starting_deadline_seconds is not None:
            # Workers count the age from the time at which the message became ready, so a late run has the rest of its
            # window. The planner gives up runs whose window is over.
            late_ms = 0 if window_ms is None else max(0, ready_at_ms - window_ms)
            max_age_option = f'"max_age":{max(1, self.starting_deadline_seconds * 1000 - late_ms)},'
        return (
            f'{self.message_head}{max_age_option}"{options.DUE_AT}":{due_ms},"{options.READY_AT}":{ready_at_ms},'
            f'"{options.CORRELATION_ID}":"{message_id}","redis_message_id":"{message_id}"}},'
            f'"message_id":"{message_id}","message_timestamp":{ready_at_ms}}}'
        )


def compile_schedule(task: ScheduledTask, uid: str) -> Schedule:
    """Compile a valid resource.

    Args:
        task: The resource.
        uid: Its stable UUID.

    Raises:
        ValueError: One of our annotations is invalid, or a worker would refuse the messages.
    """
    spec = task.spec
    name = f"{task.metadata.namespace}/{task.metadata.name}"
    recurrence = build_recurrence(
        uid,
        spec.schedules or ([spec.schedule] if spec.schedule else []),
        time_zone=spec.time_zone,
        day_match=spec.day_match,
        exclude=[entry.model_dump(mode="json", by_alias=True, exclude_none=True) for entry in spec.exclude],
        calendar=spec.calendar,
        calendar_offset_seconds=spec.calendar_offset_seconds or 0,
        start_time=spec.start_time,
        end_time=spec.end_time,
        jitter_seconds=spec.jitter_seconds,
    )
    queue = spec.queue or CATALOG[spec.task].queue.value
    spec_json = spec.written_json()
    static: dict[str, Any] = {options.SCHEDULE: name, options.SCHEDULE_UID: uid}
    if spec.retries is not None:
        static["max_retries"] = spec.retries
    if spec.time_limit_seconds is not None:
        static["time_limit"] = spec.time_limit_seconds * 1000
    fields = {"queue_name": queue, "actor_name": spec.task, "args": spec.args, "kwargs": spec.kwargs}
    head = _json(fields)
    backfill, trigger = task.metadata.annotations.get(BACKFILL), task.metadata.annotations.get(TRIGGER, "")
    if problems := annotation_problems(task.metadata.annotations):
        place, problem = problems[0]
        raise ValueError(f"{place[-1]}: {problem}")
    schedule = Schedule(
        uid=uid,
        name=name,
        task=spec.task,
        queue=queue,
        recurrence=recurrence,
        after=f"{task.metadata.namespace}/{spec.after}" if spec.after else "",
        policy=spec.concurrency_policy,
        catch_up=spec.catch_up,
        starting_deadline_seconds=spec.starting_deadline_seconds,
        suspended=spec.suspend,
        max_queue_depth=spec.max_queue_depth,
        max_runs=spec.max_runs,
        fingerprint=hashlib.blake2b(spec_json.encode(), digest_size=8).hexdigest(),
        spec_json=spec_json,
        trigger=trigger,
        backfill=_parse_backfill(uid, backfill) if backfill else None,
        message_head=f'{head[:-1]},"options":{_json(static)[:-1]},',
        symbols=tuple(spec.kwargs.get("symbols") or ()) if spec.task in CATALOG else (),
    )
    # The other options of a message are computed, and always valid.
    max_age = None if spec.starting_deadline_seconds is None else spec.starting_deadline_seconds * 1000
    try:
        # The size limit is a setting, and this module has no settings. The engine checks the size.
        check_fields(fields | {"options": {**static, "max_age": max_age}}, schedule.message_head.encode())
    except MessageRefusedError as error:
        raise ValueError(f"workers would refuse its messages: {error}") from error
    return schedule


#: `json.dumps` would make a new encoder for each call, and a scheduler starts with thousands of schedules.
_json = json.JSONEncoder(separators=(",", ":")).encode


def _parse_backfill(uid: str, text: str) -> Backfill:
    start, end = parse_range(text)
    # The id depends on the range only, so a backfill does not run again when its annotation is read after a restart.
    return Backfill(str(uuid5(UUID(uid), f"backfill {text}")), start.timestamp(), end.timestamp())
