"""`ScheduledTask`, the resource: one model for YAML files today and a CRD tomorrow.

Strict and closed: an unknown field is an error, a number in quotes is no number. Descriptions become the CRD's.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from financehub_scheduler.calendar import load_calendar
from financehub_scheduler.catch_up import CatchUp
from financehub_scheduler.maths import parse_rule, parse_zone
from financehub_scheduler.policies import ConcurrencyPolicy
from financehub_shared.catalog import CATALOG, validate_arguments
from financehub_shared.errors import InvalidArgumentsError

#: Annotation whose every new value runs the schedule once, now.
TRIGGER = "financehub.io/trigger"
#: Annotation `<from>/<to>` (ISO 8601) that runs the due times in between.
BACKFILL = "financehub.io/backfill"

DnsName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=253)]
#: Actors and queues as dramatiq's Redis broker can hold them.
ActorName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", max_length=200)]
QueueName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_][a-zA-Z0-9._-]*$", max_length=63)]
ScheduleText = Annotated[str, StringConstraints(min_length=1, max_length=256, strip_whitespace=True)]
_DAY = 86_400


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

    task: ActorName = Field(description="Actor that runs.")
    queue: QueueName | None = Field(
        None, description="Queue it goes to; from the catalogue for a task of the catalogue, required for any other."
    )
    schedule: ScheduleText | None = Field(
        None, description="Five-field cron, `@hourly` and the like, or `@every 2m` (counted from startTime, else 1970)."
    )
    schedules: list[ScheduleText] | None = Field(
        None, min_length=1, max_length=16, description="Several of them, united; instead of schedule."
    )
    time_zone: str = Field("UTC", max_length=64, description="IANA time zone in which cron fields are read.")
    args: list[Any] = Field([], max_length=64, description="Positional arguments of the actor, any JSON.")
    kwargs: dict[str, Any] = Field({}, max_length=64, description="Keyword arguments of the actor, any JSON.")
    suspend: bool = Field(False, description="Pause; a trigger still runs it. Nothing is caught up when it ends.")
    suspend_reason: str | None = Field(None, max_length=256, description="Why, for whoever finds it paused.")
    concurrency_policy: ConcurrencyPolicy = Field(
        ConcurrencyPolicy.FORBID, description="What happens when the last run is still queued or running."
    )
    starting_deadline_seconds: int | None = Field(
        None, ge=1, le=30 * _DAY, description="How late a missed run may start, and how old its message may grow."
    )
    catch_up: CatchUp = Field(CatchUp.LATEST, description="Which runs missed during downtime are made up for.")
    jitter_seconds: int = Field(0, ge=0, le=_DAY, description="Delay in [0, n) s, fixed per schedule, to spread load.")
    max_queue_depth: int | None = Field(
        None, ge=0, le=10_000_000, description="Skip while the queue holds more messages (waiting and in flight)."
    )
    calendar: str | None = Field(
        None, max_length=8, description="Exchange (XNYS, …) that must be open at the due time."
    )
    retries: int | None = Field(None, ge=0, le=100, description="Retries of a failed run; default of the worker else.")
    time_limit_seconds: int | None = Field(
        None, ge=1, le=_DAY, description="A run longer than this is interrupted; default of the actor else."
    )
    start_time: datetime | None = Field(None, description="Not due before this; intervals count from it.")
    end_time: datetime | None = Field(None, description="Not due after this.")
    max_runs: int | None = Field(None, ge=1, description="Scheduled runs in all, triggers and backfills not counted.")

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

    @field_validator("start_time", "end_time")
    @classmethod
    def _has_offset(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("needs an offset; write it like 2026-12-01T09:00:00Z")
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
