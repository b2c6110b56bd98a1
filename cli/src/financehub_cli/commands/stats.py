"""`financehub stats`: task statistics, and the newest runs of one task."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from financehub_cli.completion import complete_tasks
from financehub_cli.listing import listing
from financehub_cli.options import AsJson, Interval, Watch
from financehub_cli.output.result import CommandResult, print_or_watch
from financehub_cli.output.runs import runs_table
from financehub_cli.output.table import build_table
from financehub_cli.output.terminal import Content
from financehub_cli.output.text import Styled
from financehub_cli.session import Session
from financehub_shared.core.catalog import CATALOG
from financehub_shared.core.durations import format_age, format_duration
from financehub_shared.core.near_names import require_known
from financehub_shared.monitor import RunRecord, TaskStats
from financehub_shared.monitor.outcome_history import outcomes_by_task
from financehub_shared.views.stats import TaskStatsView, task_stats_view, task_stats_with_runs_view

Task = Annotated[
    str | None,
    typer.Argument(
        metavar="TASK",
        help="The task to show with its newest runs. Without a task, the figures of all tasks are shown.",
        autocompletion=complete_tasks,
    ),
]

_COUNTS = ("running", "succeeded", "failed", "retried", "skipped", "dead_lettered", "lost")
#: Figure → mark of the weight of its column.
_WEIGHTS = {"succeeded": "!", "failed": "!", "dead_lettered": "+", "retried": "-", "p50": "-", "p99": "-"}
_DURATIONS = ("average", "p50", "p95", "p99")


@listing(TaskStatsView)
def stats(task: Task = None, as_json: AsJson = False, watch: Watch = False, interval: Interval = 2.0) -> None:
    """Show how often the tasks succeeded and failed, and how long they took.

    JSON: a list of {task, running, succeeded, failed, retried, skipped, dead_lettered, lost, average, p50, p95, p99,
    last_success_at, last_failure_at, last_error}. average, p50, p95 and p99 are durations of one attempt in seconds.
    With a task, recent is the list of its newest runs, newest first, with the keys of `financehub run`, and hours is
    the list of its last 24 hours as {start, ended, failed}. The table also shows what is missing in the newest run,
    and why.

    Examples:
    - `financehub stats`
    - `financehub stats fetch_news_task --watch`
    """
    session = Session()
    print_or_watch(lambda: _collect(session, task), as_json=as_json, watch=watch, interval=interval)


def _collect(session: Session, task: str | None) -> CommandResult:
    """Collect the statistics of one task, or of every task that is in the catalog or has run."""
    all_stats = dict.fromkeys(CATALOG, TaskStats()) | session.monitor.get_all_stats()
    now = session.clock.now()
    if task is None:
        return CommandResult(
            [task_stats_view(name, each) for name, each in all_stats.items()], _stats_table(all_stats, now)
        )
    task_stats = all_stats[require_known("task", task, all_stats)]
    recent = session.monitor.get_recent_runs(task)
    hours = outcomes_by_task(session.broker_client, now, tasks=[task])[task]
    parts: list[Content] = [_stats_table({task: task_stats}, now)]
    if task_stats.last_error:
        parts.append(build_table("~last error", rows=[[task_stats.last_error]]))
    parts.append(runs_table(recent))
    parts += _missing_tables(recent)
    ended, failed = sum(hour.ended for hour in hours), sum(hour.failed for hour in hours)
    parts.append(Styled(f"{ended:,} runs ended in the last 24 hours, and {failed:,} of them failed"))
    return CommandResult([task_stats_with_runs_view(task, task_stats, recent, hours)], parts)


def _missing_tables(recent: Sequence[RunRecord]) -> list[Content]:
    """Return a table of what is missing in the newest run with a summary, and why.

    The list is empty if nothing is missing.
    """
    newest = next((run.summary for run in recent if isinstance(run.summary, Mapping)), {})
    missing = newest.get("missing")
    if not isinstance(missing, Mapping) or not missing:
        return []
    return [build_table("missing in the newest run", "!~reason", rows=[list(item) for item in missing.items()])]


def _stats_table(stats_by_task: Mapping[str, TaskStats], now: float) -> Content:
    rows = [
        [
            task,
            *(getattr(task_stats, name) for name in _COUNTS),
            *(format_duration(getattr(task_stats, name)) for name in _DURATIONS),
            format_age(task_stats.last_success_at, now),
            format_age(task_stats.last_failure_at, now),
        ]
        for task, task_stats in stats_by_task.items()
    ]
    headings = [f"{_WEIGHTS.get(name, '')}>{name.replace('_', ' ')}" for name in (*_COUNTS, *_DURATIONS)]
    return build_table("task", *headings, "+>last success", "+>last failure", rows=rows)
