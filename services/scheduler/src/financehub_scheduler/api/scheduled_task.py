"""`ScheduledTask`, the resource: one model for YAML files and for the CRD, which is made from it (`make manifests`).

Strict and closed: an unknown field is an error, a number in quotes is no number. Descriptions are what `kubectl
explain` teaches.
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

from financehub_scheduler.api import cel
from financehub_scheduler.recurrence.calendar import exchanges, load_calendar
from financehub_scheduler.recurrence.catch_up import CatchUp
from financehub_scheduler.recurrence.rules import parse_rule, parse_zone
from financehub_shared.core.catalog import CATALOG, validate_arguments
from financehub_shared.core.errors import InvalidArgumentsError

GROUP, VERSION, PLURAL = "financehub.io", "v1alpha1", "scheduledtasks"
#: Annotation whose every new value runs the schedule once, now.
TRIGGER = f"{GROUP}/trigger"
#: Annotation `<from>/<to>` (ISO 8601) that runs the due times in between.
BACKFILL = f"{GROUP}/backfill"
#: Characters of a trigger's value.
MAX_TRIGGER = 256
_DATE_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})"
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}:[0-9]{2})"
#: The value of a backfill; whether its end is after its start is another question.
RANGE = f"^{_TIME}/{_TIME}$"

DnsName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=253)]
#: Actors and queues as dramatiq's Redis broker can hold them.
ActorName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", max_length=200)]
QueueName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_][a-zA-Z0-9._-]*$", max_length=63)]
ScheduleText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=256, strip_whitespace=True),
    Field(json_schema_extra=cel.SCHEDULE),
]
_DAY = 86_400


def _rfc_3339(value: Any) -> Any:
    # pydantic reads other forms too, which the API server refuses
    if not isinstance(value, str) or not re.fullmatch(_DATE_TIME, value, re.IGNORECASE):
        raise ValueError("needs an offset and seconds; write it like 2026-12-01T09:00:00Z")
    return value


#: Strict would take no text here, since a function looks at it first.
DateTime = Annotated[datetime, BeforeValidator(_rfc_3339), Strict(strict=False)]


class ConcurrencyPolicy(StrEnum):
    """What happens to a due run while the previous run is still queued, running or waiting for a retry."""

    ALLOW = "Allow"
    FORBID = "Forbid"  # skip the new run
    REPLACE = "Replace"  # drop the old run if it is still queued; a running one finishes
    BUFFER_ONE = "BufferOne"  # let one run wait and skip the others


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
    """What of Kubernetes' metadata a file may carry; what a server fills in is accepted and ignored."""

    name: DnsName
    namespace: DnsName = "default"
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    uid: str | None = None
    generation: int | None = None
    creation_timestamp: str | None = None
    resource_version: str | None = None
    managed_fields: list[Any] | None = None


# mypy's plugin gives __init__ a **kwargs of its own
class ScheduledTaskSpec(_Closed):  # type: ignore[no-redef]
    """What runs, when, and within which limits."""

    model_config = ConfigDict(json_schema_extra=cel.spec(tuple(CATALOG)))

    task: ActorName = Field(
        description="The actor that runs: one of the catalogue, such as fetch_crypto_prices_task, or any other that a "
        "worker of `queue` knows."
    )
    queue: QueueName | None = Field(
        None,
        description="The queue it goes to. A task of the catalogue has its own (high, medium or low); for any other it "
        "is required.",
    )
    schedule: ScheduleText | None = Field(
        None,
        description="When it runs: five cron fields in `timeZone` (minute hour day-of-month month weekday, as in "
        "`30 6 * * 1-5`), `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`, or an interval as in `@every 2m` or "
        "`@every 1h30m`, counted from `startTime`, else from 1970. Exactly one of schedule and schedules.",
    )
    schedules: list[ScheduleText] | None = Field(
        None,
        min_length=1,
        max_length=16,
        description="Several schedules, united: it runs whenever one of them is due, once. Instead of schedule.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    time_zone: str = Field(
        "UTC",
        min_length=1,
        max_length=64,
        description="IANA time zone in which cron fields are read, such as America/New_York. A time that does not "
        "exist when clocks are put forward runs at the end of the gap; one that exists twice runs once.",
        json_schema_extra=cel.ZONE,
    )
    args: list[Any] = Field(
        [],
        max_length=64,
        description="Positional arguments of the actor, any JSON. Those of a task of the catalogue are checked.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    kwargs: dict[str, Any] = Field(
        {},
        max_length=64,
        description="Keyword arguments of the actor, any JSON, as in `symbols: [BTC-USD]`. Those of a task of the "
        "catalogue are checked.",
    )
    suspend: bool = Field(
        False,
        description="Pause. Nothing is due while it is true, and nothing is made up for when it ends; a trigger still "
        "runs it.",
    )
    suspend_reason: str | None = Field(
        None, max_length=256, description="Why it is paused, for whoever finds it so; shown by the Suspended condition."
    )
    concurrency_policy: ConcurrencyPolicy = Field(
        ConcurrencyPolicy.FORBID,
        description="What happens when a run is due while the last one is still queued, running or waiting for a "
        "retry. Allow: it is enqueued. Forbid: it is skipped and counted. Replace: it takes the place of one that is "
        "queued; one that runs is left to end, beside it. BufferOne: one waits for the end of the last, others are "
        "skipped.",
    )
    starting_deadline_seconds: int | None = Field(
        None,
        ge=1,
        le=30 * _DAY,
        description="How many seconds late a missed run may still start, and how old its message may grow in the "
        "queue before a worker drops it. Without it there is no limit.",
    )
    catch_up: CatchUp = Field(
        CatchUp.LATEST,
        description="What happens to runs that came due while no scheduler could enqueue them. None: they are counted "
        "as missed. Latest: the newest one runs, the others are counted. All: all of them run in order, the newest 100 "
        "at most. `startingDeadlineSeconds` still holds. An edit or a pause is no downtime: nothing is made up for.",
    )
    jitter_seconds: int = Field(
        0,
        ge=0,
        le=_DAY,
        description="Delay of each run in [0, n) seconds, always the same for this resource, so that many resources "
        "with the same schedule do not all run at one instant.",
    )
    max_queue_depth: int | None = Field(
        None,
        ge=0,
        le=10_000_000,
        description="Backpressure: a due run is skipped and counted while the queue holds more messages than this, "
        "waiting and in flight.",
    )
    calendar: str | None = Field(
        None,
        max_length=8,
        description="Exchange, as in XNYS, that must be open at the due time: no weekends, no holidays, short days.",
        json_schema_extra={"enum": list(exchanges())},
    )
    retries: int | None = Field(
        None, ge=0, le=100, description="How often a failed run is tried again; else as the worker is set (5)."
    )
    time_limit_seconds: int | None = Field(
        None, ge=1, le=_DAY, description="A run that takes longer is interrupted; else as its actor is set."
    )
    start_time: DateTime | None = Field(
        None, description="Nothing is due before this time, as in 2026-12-01T09:00:00Z; intervals count from it."
    )
    end_time: DateTime | None = Field(None, description="Nothing is due after this time.")
    max_runs: int | None = Field(
        None,
        ge=1,
        le=1_000_000_000,
        description="How many scheduled runs there are in all; triggers and backfills do not count.",
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
    def _schedule_comes(cls, value: str | None) -> str | None:
        if value is not None:
            parse_rule(value, parse_zone("UTC"))
        return value

    @field_validator("schedules")
    @classmethod
    def _schedules_come(cls, value: list[str] | None) -> list[str] | None:
        for text in value or ():
            parse_rule(text, parse_zone("UTC"))
        return value

    @field_validator("args")
    @classmethod
    def _args_fit(cls, value: list[Any], info: ValidationInfo) -> list[Any]:
        _check_arguments(info.data.get("task"), value, {})
        return value

    @field_validator("kwargs")
    @classmethod
    def _kwargs_fit(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        _check_arguments(info.data.get("task"), [], value)
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.schedule is None) == (self.schedules is None):
            raise ValueError("write exactly one of schedule and schedules")
        if self.task not in CATALOG and self.queue is None:
            raise ValueError(
                f"task {self.task!r} is not in the catalogue, so queue is required; "
                f"the catalogue has {', '.join(CATALOG)}"
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
    """A task and when it runs."""

    api_version: Literal["financehub.io/v1alpha1"]
    kind: Literal["ScheduledTask"]
    metadata: Metadata
    spec: ScheduledTaskSpec
    status: dict[str, Any] | None = Field(None, description="Written by the scheduler; ignored in files.")


def from_resource(body: Mapping[str, Any]) -> ScheduledTask:
    """Check a resource as the API server shows it.

    Args:
        body: the object; of its metadata only what a file may carry is looked at.

    Raises:
        ValueError: what is wrong, with the field it is in.
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
