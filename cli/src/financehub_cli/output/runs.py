"""Formats run records as a table."""

from collections.abc import Sequence

from financehub_cli.output.table import Table, build_table
from financehub_shared.core.durations import format_duration
from financehub_shared.monitor import RunRecord
from financehub_shared.views.formats import iso_time


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
            run.error,
        ]
        for run in runs
    ]
    columns = ("run", "!state", "+started", ">took", "->attempts", "-schedule", "+~error")
    return build_table(*columns, rows=rows, title="newest runs")
