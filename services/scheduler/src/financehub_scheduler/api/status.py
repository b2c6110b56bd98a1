"""The model of the `status` of a ScheduledTask. `make manifests` generates this part of the CRD from it."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

#: Number of newest runs in a status.
RECENT = 10
#: Number of next times in a status.
NEXT = 3


_ATOMIC: dict[str, JsonValue] = {"x-kubernetes-list-type": "atomic"}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=True)


class LastRun(_Part):
    """The run that ended last."""

    id: str = Field(description="Message id, as in `financehub stats` and in the logs.")
    outcome: str = Field(description="succeeded, skipped, dead-lettered or lost.")
    finish_time: datetime | None = Field(None, description="Time at which it ended.")
    duration_seconds: float | None = Field(None, description="Duration of its last attempt.")
    error: str | None = Field(None, description="One line with the error of its last attempt.")


class RecentRun(_Part):
    """One of the newest runs."""

    id: str = Field(description="Message id.")
    state: str = Field(description="queued, running, retrying, succeeded, skipped, dead-lettered or lost.")
    due_time: datetime | None = Field(None, description="Due time of the run.")
    finish_time: datetime | None = Field(None, description="Time at which it ended.")
    duration_seconds: float | None = Field(None, description="Duration of its last attempt.")


class LastSkip(_Part):
    """The due time that was skipped last."""

    reason: str = Field(description="overlap, backlog or refused.")
    time: datetime = Field(description="Time at which it was skipped.")


class BackfillProgress(_Part):
    """The backfill that the annotation requests."""

    range: str = Field(description="The range, as written in the annotation.")
    state: str = Field(description="pending, running, finished or refused.")
    total: int = Field(0, description="Number of due times in the range; 0 while it is pending.")
    enqueued: int = Field(0, description="Number of runs enqueued so far.")
    message: str | None = Field(None, description="Reason for the refusal.")


class Condition(_Part):
    """One condition, like metav1.Condition of Kubernetes."""

    type: Literal["Ready", "Suspended", "Failing"] = Field(
        description="Ready: it runs as specified. Suspended: it is suspended or paused. Failing: the run that ended "
        "last failed."
    )
    status: Literal["True", "False", "Unknown"] = Field(description="Whether that holds.")
    reason: str = Field(description="One CamelCase word.")
    message: str = Field(description="The problem and its fix.")
    last_transition_time: datetime = Field(description="Time of the last change of status.")
    observed_generation: int = Field(description="metadata.generation to which this applies.")


class ScheduledTaskStatus(_Part):
    """The status, which the scheduler writes. It overwrites all changes by others."""

    observed_generation: int | None = Field(None, description="metadata.generation that the scheduler runs.")
    schedule: str | None = Field(None, description="All schedules of the spec in one line, with the time zone.")
    queue: str | None = Field(None, description="Queue of the runs, from the spec or from the catalog.")
    last_schedule_time: datetime | None = Field(None, description="Due time of the newest scheduled run.")
    last_success_time: datetime | None = Field(None, description="Time at which a run last succeeded.")
    last_failure_time: datetime | None = Field(None, description="Time at which a run last failed permanently.")
    last_run: LastRun | None = Field(None, description="The run that ended last.")
    next_schedule_times: list[datetime] = Field(
        [], max_length=NEXT, description="The times of the next runs.", json_schema_extra=_ATOMIC
    )
    active: int = Field(
        0, description="Number of runs that are queued, running or waiting for a retry, among the newest."
    )
    buffered: int = Field(
        0,
        description="Number of due runs that wait for the previous one (concurrencyPolicy BufferOne and BufferAll).",
    )
    runs: int = Field(0, description="Number of scheduled runs enqueued.")
    triggered: int = Field(0, description="Number of runs enqueued by triggers.")
    backfilled: int = Field(0, description="Number of runs enqueued by backfills.")
    failures: int = Field(0, description="Number of runs that failed permanently or were lost.")
    failures_in_row: int = Field(
        0,
        description="Number of runs in a row that failed permanently or were lost, since the newest success, edit or "
        "resumption. At spec.pauseAfterFailures, the schedule is paused.",
    )
    missed: int = Field(0, description="Number of due times given up because they were too late.")
    skipped: int = Field(0, description="Number of due times skipped because of overlap, backlog or refused arguments.")
    last_skip: LastSkip | None = Field(None, description="The due time that was skipped last.")
    recent: list[RecentRun] = Field(
        [], max_length=RECENT, description="The newest runs, newest first.", json_schema_extra=_ATOMIC
    )
    backfill: BackfillProgress | None = Field(
        None, description="Progress of the backfill that the annotation requests."
    )
    conditions: list[Condition] = Field(
        [],
        description="Ready, Suspended and Failing.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
