"""Formats run records as a table."""

from collections.abc import Sequence

from financehub_cli.output.table import Table, build_table
from financehub_shared.core.durations import format_age, format_duration
from financehub_shared.monitor import RunRecord, RunState
from financehub_shared.views.formats import iso_time

#: Number of characters of an id that a listing shows at least. `runs show` accepts the beginning of an id.
_SHORTEST_ID = 8
#: The reasons for which a scheduler skips a requested run, and which the run record has as its error, in words.
SKIP_REASONS = {
    "overlap": "the previous run of the schedule is still queued, running or retrying",
    "backlog": "too many runs of the schedule are unfinished (FINANCEHUB_MAX_BACKLOG)",
    "replaced by the next run": "the next run of the schedule replaced it in the queue",
}


def error_text(run: RunRecord) -> str:
    """Return why a run failed or was skipped, or an empty text."""
    return SKIP_REASONS.get(run.error, run.error) if run.state is RunState.SKIPPED else run.error


def runs_table(runs: Sequence[RunRecord]) -> Table:
    """Return a table with one row per run."""
    rows = [
        [
            run.message_id,
            run.state.value,
            iso_time(run.started_at),
            format_duration(run.duration),
            run.attempts,
            run.schedule,
            error_text(run),
        ]
        for run in runs
    ]
    columns = ("run", "!state", "+started", ">took", "->attempts", "-schedule", "+~error")
    return build_table(*columns, rows=rows, title="newest runs")


def runs_of_all_tasks_table(runs: Sequence[RunRecord], now: float) -> Table:
    """Return a table of runs of several tasks, in which ids are as short as `runs show` accepts them.

    Args:
        runs: The runs.
        now: The current time in Unix seconds.
    """
    ids = short_ids([run.message_id for run in runs])
    rows = [
        [
            id,
            run.task,
            run.state.value,
            format_age(run.finished_at or run.started_at, now),
            format_duration(run.duration),
            run.attempts,
            run.queue,
            run.schedule,
            error_text(run),
        ]
        for id, run in zip(ids, runs, strict=True)
    ]
    columns = ("run", "!task", "!state", "+>ago", ">took", "->attempts", "-queue", "schedule", "+~error")
    return build_table(*columns, rows=rows)


def short_ids(ids: Sequence[str]) -> list[str]:
    """Return the beginnings of ids, as long as they need to be to differ. Ids of other forms than UUIDs stay whole."""
    length = _SHORTEST_ID
    while len({id[:length] for id in ids}) < len(set(ids)):
        length += 4
    return [id[:length] if len(id) == 36 and id.isascii() and id.count("-") == 4 else id for id in ids]
