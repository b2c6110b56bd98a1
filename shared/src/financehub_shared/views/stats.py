"""The views of the statistics of tasks."""

from collections.abc import Sequence
from typing import Annotated

from typing_extensions import TypedDict

from financehub_shared.monitor import RunRecord, TaskStats
from financehub_shared.monitor.outcome_history import OutcomeHour
from financehub_shared.views.fields import Field
from financehub_shared.views.formats import Time, iso_time
from financehub_shared.views.runs import RunView, run_view


class TaskStatsView(TypedDict):
    """The statistics of one task in the whole fleet, since its first run."""

    task: Annotated[str, Field(description="The name of the task.", examples=["fetch_crypto_prices_task"])]
    running: Annotated[int, Field(description="The number of runs in progress.")]
    succeeded: Annotated[int, Field(description="The number of runs that succeeded.")]
    failed: Annotated[int, Field(description="The number of attempts that failed.")]
    retried: Annotated[int, Field(description="The number of attempts after which the message was enqueued again.")]
    skipped: Annotated[int, Field(description="The number of runs that were skipped.")]
    dead_lettered: Annotated[int, Field(description="The number of runs whose message became a dead letter.")]
    lost: Annotated[int, Field(description="The number of runs whose worker died and whose message is in no queue.")]
    average: Annotated[
        float | None,
        Field(description="The average duration of an attempt in seconds. Null before the first attempt ends."),
    ]
    p50: Annotated[
        float | None,
        Field(description="The median duration of an attempt in seconds. It is off by at most 4.8 percent."),
    ]
    p95: Annotated[
        float | None,
        Field(description="The duration in seconds that 95 percent of the attempts did not exceed."),
    ]
    p99: Annotated[
        float | None,
        Field(description="The duration in seconds that 99 percent of the attempts did not exceed."),
    ]
    last_success_at: Annotated[
        Time | None, Field(description="The end of the last run that succeeded. Null if there is none.")
    ]
    last_failure_at: Annotated[
        Time | None, Field(description="The end of the last attempt that failed. Null if there is none.")
    ]
    last_error: Annotated[str, Field(description="The last error in one line. Empty if there is none.")]


class OutcomeHourView(TypedDict):
    """The runs of a task that ended in one hour."""

    start: Annotated[Time | None, Field(description="The start of the hour.")]
    ended: Annotated[int, Field(description="The number of runs that ended.")]
    failed: Annotated[int, Field(description="The number of those that were dead-lettered or lost.")]


class TaskStatsWithRunsView(TaskStatsView):
    """The statistics of one task, its last 24 hours and its newest runs."""

    hours: Annotated[
        list[OutcomeHourView],
        Field(
            description="The last 24 hours, oldest first; the last one is the current hour. They are counted from the "
            "records of the newest 10,080 runs."
        ),
    ]
    recent: Annotated[
        list[RunView],
        Field(description="The newest runs: first those in progress, then those that ended, each group newest first."),
    ]


def task_stats_view(task: str, stats: TaskStats) -> TaskStatsView:
    """Return the view of the statistics of a task.

    Args:
        task: Name of the task.
        stats: Its statistics.
    """
    return {
        "task": task,
        "running": stats.running,
        "succeeded": stats.succeeded,
        "failed": stats.failed,
        "retried": stats.retried,
        "skipped": stats.skipped,
        "dead_lettered": stats.dead_lettered,
        "lost": stats.lost,
        "average": stats.average,
        "p50": stats.p50,
        "p95": stats.p95,
        "p99": stats.p99,
        "last_success_at": iso_time(stats.last_success_at),
        "last_failure_at": iso_time(stats.last_failure_at),
        "last_error": stats.last_error,
    }


def task_stats_with_runs_view(
    task: str, stats: TaskStats, recent: Sequence[RunRecord], hours: Sequence[OutcomeHour]
) -> TaskStatsWithRunsView:
    """Return the view of the statistics of a task, of its last hours and of its newest runs.

    Args:
        task: Name of the task.
        stats: Its statistics.
        recent: Its newest runs.
        hours: Its last hours.
    """
    return {
        **task_stats_view(task, stats),
        "hours": [{"start": iso_time(hour.start), "ended": hour.ended, "failed": hour.failed} for hour in hours],
        "recent": [run_view(run) for run in recent],
    }
