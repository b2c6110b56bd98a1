"""Formats run records as JSON and as a table."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from financehub_cli.output.formats import iso_time
from financehub_cli.output.terminal import build_table
from financehub_shared.core.durations import format_duration
from financehub_shared.monitor import RunRecord


def run_as_json(run: RunRecord) -> dict[str, Any]:
    """Return a run record as a JSON object."""
    record = asdict(run)
    return record | {name: iso_time(record[name]) for name in ("due_at", "enqueued_at", "started_at", "finished_at")}


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
    columns = ("run", "state", "started", ">took", ">attempts", "schedule", "error")
    return build_table(*columns, rows=rows, title="newest runs")
