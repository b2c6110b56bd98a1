"""The page with the statistics of all tasks."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from financehub_shared.core.catalog import CATALOG
from financehub_shared.monitor import RunRecord
from financehub_shared.monitor.outcome_history import OutcomeHour
from financehub_shared.views.stats import task_stats_view
from financehub_web.console.page import show
from financehub_web.console.routing import page
from financehub_web.console.sparklines import line_path, outcome_bars
from financehub_web.reading.fleet import Fleet, fleet_of

router = APIRouter()


@page(router, "/tasks", "tasks")
def tasks(request: Request, fleet: Annotated[Fleet, Depends(fleet_of)]) -> Response:
    """Show how often each task succeeded and failed, how long it took, and its last 24 hours."""
    stats, outcomes = fleet.task_stats(), fleet.task_outcomes()
    recent = [fleet.task_runs(task) for task in stats.value]
    rows = [
        _row(task, task_stats_view(task, each), runs.value)
        for (task, each), runs in zip(stats.value.items(), recent, strict=True)
    ]
    values = {"rows": rows, "charts": [_chart(task, outcomes.value.get(task, [])) for task in stats.value]}
    return show(request, "tasks.html", "Tasks", "tasks", values, stats, outcomes, *recent)


def _chart(task: str, hours: Sequence[OutcomeHour]) -> dict[str, Any]:
    return {
        "task": task,
        "hours": hours,
        "bars": outcome_bars([(hour.ended, hour.failed) for hour in hours]),
        "ended": sum(hour.ended for hour in hours),
        "dead_lettered": sum(hour.dead_lettered for hour in hours),
        "lost": sum(hour.lost for hour in hours),
    }


def _row(task: str, view: Any, runs: list[RunRecord]) -> dict[str, Any]:
    spec = CATALOG.get(task)
    durations = [run.duration for run in reversed(runs) if run.duration is not None]
    return {
        **view,
        "about": spec.summary if spec else "",
        "path": line_path(durations),
        "durations": durations,
        "recent": runs[:10],
    }
