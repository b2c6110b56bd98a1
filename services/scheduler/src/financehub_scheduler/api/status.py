"""`status` of a ScheduledTask: the one place that names its fields; the CRD is generated from it."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

#: Newest runs that a status lists.
RECENT = 10
#: Next due times that a status lists.
NEXT = 3


_ATOMIC: dict[str, JsonValue] = {"x-kubernetes-list-type": "atomic"}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=True)


class LastRun(_Part):
    """The run that ended last."""

    id: str = Field(description="Message id; `financehub stats` and the logs know it.")
    outcome: str = Field(description="succeeded, skipped, dead-lettered or lost.")
    finish_time: datetime | None = Field(None, description="When it ended.")
    duration_seconds: float | None = Field(None, description="Of its last try.")
    error: str | None = Field(None, description="One line of what its last try raised.")


class RecentRun(_Part):
    """One of the newest runs."""

    id: str = Field(description="Message id.")
    state: str = Field(description="queued, running, retrying, succeeded, skipped, dead-lettered or lost.")
    due_time: datetime | None = Field(None, description="When it was due.")
    finish_time: datetime | None = Field(None, description="When it ended.")
    duration_seconds: float | None = Field(None, description="Of its last try.")


class LastSkip(_Part):
    """The due time that was left out last."""

    reason: str = Field(description="overlap, backlog or refused.")
    time: datetime = Field(description="When it was left out.")


class BackfillProgress(_Part):
    """The backfill that the annotation asks for."""

    range: str = Field(description="As the annotation gives it.")
    state: str = Field(description="pending, running, finished or refused.")
    total: int = Field(0, description="Due times in the range; 0 while pending.")
    enqueued: int = Field(0, description="Runs enqueued so far.")
    message: str | None = Field(None, description="Why it was refused.")


class Condition(_Part):
    """One condition, as Kubernetes' metav1.Condition."""

    type: Literal["Ready", "Suspended", "Failing"] = Field(
        description="Ready: it runs as written. Suspended: it is paused. Failing: the run that ended last failed."
    )
    status: Literal["True", "False", "Unknown"] = Field(description="Whether that holds.")
    reason: str = Field(description="One CamelCase word.")
    message: str = Field(description="What is the matter and how to mend it.")
    last_transition_time: datetime = Field(description="When status last changed.")
    observed_generation: int = Field(description="metadata.generation that this is about.")


class ScheduledTaskStatus(_Part):
    """Written by the scheduler; whatever else is written here is overwritten."""

    observed_generation: int | None = Field(None, description="metadata.generation that the scheduler runs.")
    schedule: str | None = Field(None, description="All schedules of the spec in one line, with the time zone.")
    queue: str | None = Field(None, description="Queue the runs go to, from the spec or the catalogue.")
    last_schedule_time: datetime | None = Field(None, description="Due time of the newest scheduled run.")
    last_success_time: datetime | None = Field(None, description="When a run last succeeded.")
    last_failure_time: datetime | None = Field(None, description="When a run last failed for good.")
    last_run: LastRun | None = Field(None, description="The run that ended last.")
    next_schedule_times: list[datetime] = Field(
        [], max_length=NEXT, description="When it runs next.", json_schema_extra=_ATOMIC
    )
    active: int = Field(0, description="Runs queued, running or waiting for a retry, among the newest.")
    runs: int = Field(0, description="Scheduled runs enqueued.")
    triggered: int = Field(0, description="Runs enqueued by hand.")
    backfilled: int = Field(0, description="Runs enqueued by backfills.")
    failures: int = Field(0, description="Runs that failed for good or were lost.")
    missed: int = Field(0, description="Due times given up because they were too late.")
    skipped: int = Field(0, description="Due times left out on purpose: overlap, backlog.")
    last_skip: LastSkip | None = Field(None, description="The due time that was left out last.")
    recent: list[RecentRun] = Field(
        [], max_length=RECENT, description="The newest runs, newest first.", json_schema_extra=_ATOMIC
    )
    backfill: BackfillProgress | None = Field(None, description="Progress of the annotated backfill.")
    conditions: list[Condition] = Field(
        [],
        description="Ready, Suspended and Failing.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
