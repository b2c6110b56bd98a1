"""The model of `spec`: the task, its recurrence and its limits. `kubectl explain` shows the descriptions."""

from collections.abc import Iterator
from typing import Any, Self

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator

from financehub_shared.core.catalog import CATALOG, validate_arguments
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import InvalidArgumentsError
from financehub_shared.recurrence.calendar import exchanges, load_calendar
from financehub_shared.recurrence.cron_fields import has_seconds
from financehub_shared.recurrence.rules import parse_rule, parse_zone
from financehub_shared.spec.cel.fields import ZONE
from financehub_shared.spec.cel.spec import ONE_RECURRENCE, RECURRENCES, SLOW_QUEUES, spec
from financehub_shared.spec.exclusion import Exclusion
from financehub_shared.spec.fields import (
    SESSIONS,
    ActorName,
    CatchUp,
    Closed,
    ConcurrencyPolicy,
    DateTime,
    DayMatch,
    DnsName,
    Problem,
    QueueName,
    ScheduleText,
    refusal,
)

#: Description of `spec.schedule`, which states the whole grammar.
SCHEDULE = (
    "When it runs: five cron fields in `timeZone` (minute hour day-of-month month weekday, as in `30 6 * * 1-5`), or "
    "six with seconds first if the queue is not medium or low; one of `@hourly`, `@daily`, `@weekly`, `@monthly` and "
    "`@yearly`; an interval such as `@every 2m`, `@every 1h30m` or `@every 1h offset 7m`; or `@open` or `@close`, the "
    "first opening and the last closing of each day of `calendar`. If both day-of-month and weekday are restricted, "
    "a day matches if one of them does (OR), unless dayMatch is All. Ranges may wrap, as in `22-6` and `FRI-MON`. The "
    "day of month may be L (the last), L-2 (two days before the last), 15W (the weekday nearest to the 15th) and LW; "
    "the weekday may be FRI#2 (the second Friday) and 5L (the last Friday). Intervals count from `startTime` if it is "
    "set, otherwise from 1970. Set exactly one of schedule, schedules and after."
)


#: Length of a namespace and a name with a slash between them. A longer text is refused because of its length.
_LONGEST_NAMES = 63 + 1 + 253


def _without_default(schema: dict[str, Any]) -> None:
    """Leave the default value of a new field to the scheduler.

    The API server would add it to all resources, and the schedulers of the release before, which do not know the field,
    would refuse them while a release is rolled out.
    """
    del schema["default"]


# mypy's plugin adds **kwargs to __init__.
class ScheduledTaskSpec(Closed):  # type: ignore[no-redef]
    """The task, its recurrence and its limits."""

    model_config = ConfigDict(json_schema_extra=spec({name: str(task.queue) for name, task in CATALOG.items()}))

    task: ActorName = Field(
        description="The actor to run: a task of the catalog, such as fetch_crypto_prices_task, or any other actor "
        "that a worker of `queue` has."
    )
    queue: QueueName | None = Field(
        None,
        description="The queue of its messages. A task of the catalog has a default (high, medium or low); any other "
        "task requires this field.",
    )
    schedule: ScheduleText | None = Field(None, description=SCHEDULE)
    schedules: list[ScheduleText] | None = Field(
        None,
        min_length=1,
        max_length=16,
        description="Several schedules, as an alternative to schedule. The task runs once whenever at least one of "
        "them is due.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    after: DnsName | None = Field(
        None,
        description="Name of a ScheduledTask of the same namespace: the task runs after each success of that one, also "
        "of its triggers and backfills. The end of the successful run is the due time. Several successes within a "
        "second, or while no scheduler ran, give one run. Set exactly one of schedule, schedules and after.",
    )
    time_zone: str = Field(
        "UTC",
        min_length=1,
        max_length=64,
        description="IANA time zone of the cron fields and of exclude, such as America/New_York. If "
        "the minute or the hour begins with `*`, a skipped hour adds no due times when clocks are put forward, and a "
        "repeated hour has them in both passes when they are put back. Otherwise, a skipped time is due at the end of "
        "the gap, and a repeated time is due once.",
        json_schema_extra=ZONE,
    )
    day_match: DayMatch = Field(
        DayMatch.ANY,
        description="How the day of month and the weekday of a cron expression combine if both are restricted, which "
        "means that neither begins with `*`. Any: a day matches if one of them does, as in cron. All: a day matches "
        "only if both do, so that `0 9 1-7 * MON` means the first Monday of each month. The default is Any.",
        json_schema_extra=_without_default,
    )
    exclude: list[Exclusion] = Field(
        [],
        max_length=16,
        description="Times that are not due although the schedule names them, by the clocks in `timeZone`. An entry "
        "excludes a due time to which all of its fields apply. Excluded times count neither as skipped nor as missed.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
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
        "of the previous one, and further runs are skipped. BufferAll: all runs wait for their turn, in order, at most "
        "100 of them (FINANCEHUB_MAX_BACKLOG).",
    )
    starting_deadline_seconds: int | None = Field(
        None,
        ge=1,
        le=30 * DAY_SECONDS,
        description="Window in seconds in which the first attempt of a run must start. For a due run, it begins after "
        "its jitter: a late run has the rest of it, and is counted as missed if nothing is left. For a buffered run, a "
        "trigger or a backfill, it begins when the run is enqueued. A worker skips a run whose window is over. Retries "
        "are not limited. Without this field, runs may start at any time.",
    )
    catch_up: CatchUp = Field(
        CatchUp.LATEST,
        description="The treatment of due runs that no scheduler could enqueue within 10 seconds. None: they are "
        "counted as missed. Latest: the newest one runs, and the others are counted as missed. All: they run in "
        "order, at most the newest 100. `startingDeadlineSeconds` still applies. Due times before an edit or while the "
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
        "waiting and in flight. A schedule with concurrencyPolicy Allow, Replace or BufferAll may also have at most "
        "100 unfinished runs (FINANCEHUB_MAX_BACKLOG); this field can raise that limit up to 1,000.",
    )
    calendar: str | None = Field(
        None,
        max_length=8,
        description="Exchange, such as XNYS, that must be open at the due time, and whose sessions `@open` and "
        "`@close` mean. Its calendar accounts for weekends, holidays and early closes. FX is the trading week of "
        "currencies, from Sunday 17:00 to Friday 17:00 in New York.",
        json_schema_extra={"enum": list(exchanges())},
    )
    calendar_offset_seconds: int | None = Field(
        None,
        ge=-DAY_SECONDS,
        le=DAY_SECONDS,
        description="Moves the sessions of `calendar` by this number of seconds, for `@open` and `@close` and for the "
        "check whether the exchange is open. 900 with the schedule `@close` means 15 minutes after each close, also "
        "after an early one.",
    )
    retries: int | None = Field(
        None, ge=0, le=100, description="Maximum number of retries of a failed run. The default is the worker's (5)."
    )
    time_limit_seconds: int | None = Field(
        None,
        ge=1,
        le=DAY_SECONDS,
        description="Seconds after which an attempt is interrupted: as soon as it executes Python code, the exception "
        "TimeLimitExceeded is raised in it. It counts as failed, and is retried. The default is the limit of the "
        "actor.",
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
        description="Number of due runs that are enqueued before the schedule stops. Due times that are skipped or "
        "missed do not count, and neither do triggers and backfills. Buffered runs count when they are released.",
    )

    pause_after_failures: int | None = Field(
        None,
        ge=1,
        le=1_000,
        description="Pauses the schedule after this number of runs in a row that failed permanently or were lost. A "
        "success starts the count again. `financehub schedules resume NAME` resumes it.",
    )

    def written_json(self) -> str:
        """Return the spec as JSON without default values, but with a `dayMatch: Any`, because it silences a warning."""
        text = self.model_dump_json(by_alias=True, exclude_defaults=True)
        if self.day_match is DayMatch.ANY and "day_match" in self.model_fields_set:
            return f'{text[:-1]},"dayMatch":"{DayMatch.ANY}"}}'
        return text

    @field_validator("after", mode="before")
    @classmethod
    def _after_has_no_namespace(cls, value: Any) -> Any:
        if isinstance(value, str) and "/" in value and len(value) <= _LONGEST_NAMES:
            name = value.rpartition("/")[2] or "its name"
            raise ValueError(
                f"{value!r} has a namespace, and after names a ScheduledTask of the same namespace; write {name}"
            )
        return value

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
        if problems := list(self._problems()):
            raise refusal(problems)
        return self

    def _problems(self) -> Iterator[Problem]:
        found = [name for name in RECURRENCES if getattr(self, name) is not None]
        if len(found) != 1:
            yield ("schedule",), f"found {' and '.join(found) or 'none'}; {ONE_RECURRENCE}"
        if self.task not in CATALOG and self.queue is None:
            names = ", ".join(CATALOG)
            yield (
                ("task",),
                f"{self.task!r} is not in the catalog, so queue is required; add queue, or write one of {names}",
            )
        if self.start_time and self.end_time and self.end_time < self.start_time:
            yield ("endTime",), "endTime is before startTime; swap them"
        if self.calendar_offset_seconds is not None and self.calendar is None:
            yield (
                ("calendar",),
                "calendarOffsetSeconds needs calendar; add one such as XNYS, or remove calendarOffsetSeconds",
            )
        if self.schedule is not None:
            yield from ((("schedule",), problem) for problem in self._line_problems(self.schedule))
        for number, text in enumerate(self.schedules or ()):
            yield from ((("schedules", number), problem) for problem in self._line_problems(text))

    def _line_problems(self, text: str) -> Iterator[str]:
        """Yield what other fields of the spec do not allow in a valid text."""
        if text in SESSIONS and self.calendar is None:
            yield f"{text!r} needs calendar, whose sessions it means; add one such as XNYS"
        queue = self.queue or (CATALOG[self.task].queue if self.task in CATALOG else "")
        if has_seconds(text) and queue in SLOW_QUEUES:
            yield (
                f"{text!r} has six fields, and seconds-level cron needs the queue high or a queue of your own; write "
                "five fields, or set queue"
            )
        if self.day_match is DayMatch.ALL and text not in SESSIONS:
            try:
                parse_rule(text, parse_zone("UTC"), day_match=self.day_match)
            except ValueError as error:
                yield str(error)


def _check_arguments(task: str | None, args: list[Any], kwargs: dict[str, Any]) -> None:
    if task is not None and task in CATALOG:
        try:
            validate_arguments(task, args, kwargs)
        except InvalidArgumentsError as error:
            raise ValueError(str(error)) from None
