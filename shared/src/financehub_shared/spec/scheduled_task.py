"""The model of the resource `ScheduledTask`. It validates YAML files, and `make manifests` generates the CRD from it.

The model is strict and closed: an unknown field is an error, and so is a number in quotes. `kubectl explain` shows the
field descriptions.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from financehub_shared.core.catalog import CATALOG, validate_arguments
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import InvalidArgumentsError
from financehub_shared.recurrence.calendar import exchanges, load_calendar
from financehub_shared.recurrence.rules import parse_rule, parse_zone
from financehub_shared.spec import cel

GROUP, VERSION, PLURAL = "financehub.io", "v1alpha1", "scheduledtasks"
#: Annotation that runs the schedule once, immediately, each time its value changes.
TRIGGER = f"{GROUP}/trigger"
#: Annotation `<from>/<to>` (ISO 8601) that runs all due times in between.
BACKFILL = f"{GROUP}/backfill"
#: Maximum length of a trigger's value, in characters.
MAX_TRIGGER = 256
_DATE_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})"
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}:[0-9]{2})"
#: Pattern of a backfill's value. It does not check that the end is after the start.
RANGE = f"^{_TIME}/{_TIME}$"

DnsName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=253)]
#: Names of actors and queues that dramatiq's Redis broker accepts.
ActorName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", max_length=200)]
QueueName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_][a-zA-Z0-9._-]*$", max_length=63)]
ScheduleText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=256, strip_whitespace=True),
    Field(json_schema_extra=cel.SCHEDULE),
]


def _rfc_3339(value: Any) -> Any:
    # Pydantic also accepts other formats, which the API server refuses.
    if not isinstance(value, str) or not re.fullmatch(_DATE_TIME, value, re.IGNORECASE):
        raise ValueError("needs an offset and seconds; write it like 2026-12-01T09:00:00Z")
    return value


#: In strict mode, pydantic would refuse strings here, because a function validates them first.
DateTime = Annotated[datetime, BeforeValidator(_rfc_3339), Strict(strict=False)]


class ConcurrencyPolicy(StrEnum):
    """The treatment of a due run while the previous run is still queued, running or waiting for a retry."""

    ALLOW = "Allow"
    FORBID = "Forbid"  # skip the new run
    REPLACE = "Replace"  # delete the old run if it is still queued; a running one finishes
    BUFFER_ONE = "BufferOne"  # let one run wait and skip the others


class CatchUp(StrEnum):
    """`spec.catchUp`: the treatment of runs that became due while no scheduler could enqueue them."""

    NONE = "None"
    LATEST = "Latest"
    ALL = "All"


class _Closed(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=False,
        validate_by_alias=True,
    )


class Metadata(_Closed):
    """The metadata that a file may contain. Fields that an API server adds are accepted and ignored."""

    name: DnsName
    namespace: DnsName = "default"
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    uid: str | None = None
    generation: int | None = None
    creation_timestamp: str | None = None
    resource_version: str | None = None
    managed_fields: list[Any] | None = None


# mypy's plugin adds **kwargs to __init__.
class ScheduledTaskSpec(_Closed):  # type: ignore[no-redef]
    """The task, its recurrence and its limits."""

    model_config = ConfigDict(json_schema_extra=cel.spec(tuple(CATALOG)))

    task: ActorName = Field(
        description="The actor to run: a task of the catalog, such as fetch_crypto_prices_task, or any other actor "
        "that a worker of `queue` has."
    )
    queue: QueueName | None = Field(
        None,
        description="The queue of its messages. A task of the catalog has a default (high, medium or low); any other "
        "task requires this field.",
    )
    schedule: ScheduleText | None = Field(
        None,
        description="When it runs: five cron fields in `timeZone` (minute hour day-of-month month weekday, as in "
        "`30 6 * * 1-5`), one of `@hourly`, `@daily`, `@weekly`, `@monthly` and `@yearly`, or an interval such as "
        "`@every 2m` or `@every 1h30m`. Intervals count from `startTime` if it is set, otherwise from 1970. Set "
        "exactly one of schedule and schedules.",
    )
    schedules: list[ScheduleText] | None = Field(
        None,
        min_length=1,
        max_length=16,
        description="Several schedules, as an alternative to schedule. The task runs once whenever at least one of "
        "them is due.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    time_zone: str = Field(
        "UTC",
        min_length=1,
        max_length=64,
        description="IANA time zone of the cron fields, such as America/New_York. A time that is skipped when clocks "
        "are put forward runs at the end of the gap. A time that occurs twice when they are put back runs once.",
        json_schema_extra=cel.ZONE,
    )
    args: list[Any] = Field(
        [],
        max_length=64,
        description="Positional arguments of the actor, as any JSON. The arguments of catalog tasks are checked.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    kwargs: dict[str, Any] = Field(
        {},
        max_length=64,
        description="Keyword arguments of the actor, as any JSON, such as `symbols: [BTC-USD]`. The arguments of "
        "catalog tasks are checked.",
    )
    suspend: bool = Field(
        False,
        description="Suspends the schedule. Nothing is due while it is true, and nothing is caught up when it becomes "
        "false. A trigger still runs the task.",
    )
    suspend_reason: str | None = Field(
        None, max_length=256, description="Reason for the suspension, which the Suspended condition shows."
    )
    concurrency_policy: ConcurrencyPolicy = Field(
        ConcurrencyPolicy.FORBID,
        description="The treatment of a run that is due while the previous one is still queued, running or waiting "
        "for a retry. Allow: it is enqueued. Forbid: it is skipped and counted. Replace: it replaces the previous run "
        "if that one is still queued; if the previous run is running, both run. BufferOne: one run waits for the end "
        "of the previous one, and further runs are skipped.",
    )
    starting_deadline_seconds: int | None = Field(
        None,
        ge=1,
        le=30 * DAY_SECONDS,
        description="Maximum delay of a missed run in seconds, and maximum age of its message in the queue before a "
        "worker skips it. If it is not set, there is no limit.",
    )
    catch_up: CatchUp = Field(
        CatchUp.LATEST,
        description="The treatment of runs that came due while no scheduler could enqueue them. None: they are counted "
        "as missed. Latest: the newest one runs, and the others are counted as missed. All: they run in order, at most "
        "the newest 100. `startingDeadlineSeconds` still applies. Due times before an edit or while the "
        "schedule was suspended or paused are not caught up.",
    )
    jitter_seconds: int = Field(
        0,
        ge=0,
        le=DAY_SECONDS,
        description="Delays each run by a number of seconds in [0, n). The delay is constant for this resource, so "
        "that many resources with the same schedule do not all run at the same moment.",
    )
    max_queue_depth: int | None = Field(
        None,
        ge=0,
        le=10_000_000,
        description="Backpressure: a due run is skipped and counted while the queue has more messages than this, "
        "waiting and in flight. A schedule with concurrencyPolicy Allow or Replace may also have at most 100 "
        "unfinished runs (FINANCEHUB_MAX_BACKLOG); this field can raise that limit up to 1,000.",
    )
    calendar: str | None = Field(
        None,
        max_length=8,
        description="Exchange, such as XNYS, that must be open at the due time. Its calendar accounts for weekends, "
        "holidays and early closes.",
        json_schema_extra={"enum": list(exchanges())},
    )
    retries: int | None = Field(
        None, ge=0, le=100, description="Maximum number of retries of a failed run. The default is the worker's (5)."
    )
    time_limit_seconds: int | None = Field(
        None,
        ge=1,
        le=DAY_SECONDS,
        description="Seconds after which a run is interrupted. The default is the limit of the actor.",
    )
    start_time: DateTime | None = Field(
        None,
        description="Nothing is due before this time, such as 2026-12-01T09:00:00Z. Intervals count from it.",
    )
    end_time: DateTime | None = Field(None, description="Nothing is due after this time.")
    max_runs: int | None = Field(
        None,
        ge=1,
        le=1_000_000_000,
        description="Total number of scheduled runs. Triggers and backfills do not count.",
    )

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        parse_zone(value)
        return value

    @field_validator("calendar")
    @classmethod
    def _exchange_exists(cls, value: str | None) -> str | None:
        if value is not None:
            load_calendar(value)
        return value

    @field_validator("schedule")
    @classmethod
    def _schedule_is_valid(cls, value: str | None) -> str | None:
        if value is not None:
            parse_rule(value, parse_zone("UTC"))
        return value

    @field_validator("schedules")
    @classmethod
    def _schedules_are_valid(cls, value: list[str] | None) -> list[str] | None:
        for text in value or ():
            parse_rule(text, parse_zone("UTC"))
        return value

    @field_validator("args")
    @classmethod
    def _args_are_valid(cls, value: list[Any], info: ValidationInfo) -> list[Any]:
        _check_arguments(info.data.get("task"), value, {})
        return value

    @field_validator("kwargs")
    @classmethod
    def _kwargs_are_valid(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        _check_arguments(info.data.get("task"), [], value)
        return value

    @model_validator(mode="after")
    def _fields_are_consistent(self) -> Self:
        if (self.schedule is None) == (self.schedules is None):
            raise ValueError("write exactly one of schedule and schedules")
        if self.task not in CATALOG and self.queue is None:
            raise ValueError(
                f"task {self.task!r} is not in the catalog, so queue is required; the catalog has {', '.join(CATALOG)}"
            )
        if self.start_time and self.end_time and self.end_time < self.start_time:
            raise ValueError("endTime is before startTime; swap them")
        return self


def _check_arguments(task: str | None, args: list[Any], kwargs: dict[str, Any]) -> None:
    if task is not None and task in CATALOG:
        try:
            validate_arguments(task, args, kwargs)
        except InvalidArgumentsError as error:
            raise ValueError(str(error)) from None


class ScheduledTask(_Closed):
    """A task and its schedule."""

    api_version: Literal["financehub.io/v1alpha1"]
    kind: Literal["ScheduledTask"]
    metadata: Metadata
    spec: ScheduledTaskSpec
    status: dict[str, Any] | None = Field(None, description="Written by the scheduler, and ignored in files.")


def from_resource(body: Mapping[str, Any]) -> ScheduledTask:
    """Validate a resource from the API server.

    Args:
        body: The object. Metadata that a file cannot contain is ignored.

    Raises:
        ValueError: The resource is invalid. The message names the field.
    """
    known = {"name", "namespace", "labels", "annotations"}
    metadata = {name: value for name, value in body["metadata"].items() if name in known}
    data = {name: body.get(name) for name in ("apiVersion", "kind", "spec")} | {"metadata": metadata}
    try:
        return ScheduledTask.model_validate_json(json.dumps(data))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"] if part != "function-after")
        raise ValueError(f"{field}: {first['msg'].removeprefix('Value error, ')}") from None
