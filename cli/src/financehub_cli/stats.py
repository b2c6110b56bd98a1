"""`financehub stats`: what the tasks did."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType

from financehub_cli.output import AsJson, Every, View, Watch, ago, iso, present_or_watch, span, table
from financehub_cli.session import Session, one_of
from financehub_shared.core.catalog import CATALOG
from financehub_shared.monitor import Run, TaskStats


def complete_tasks(incomplete: str) -> list[str]:
    """Tasks of the catalogue for the shell's completion."""
    return [task for task in CATALOG if task.startswith(incomplete)]


def stats(
    task: Annotated[str | None, typer.Argument(metavar="TASK", autocompletion=complete_tasks)] = None,
    as_json: AsJson = False,
    watch: Watch = False,
    every: Every = 2.0,
) -> None:
    """What the tasks did: runs, failures, runtimes; with a task also its newest runs.

    JSON: a list of {task, running, succeeded, failed, retried, skipped, dead_lettered, lost, average, p50, p95, p99,
    last_success_at, last_failure_at, last_error}; times of one try in seconds. With a task also recent, a list of
    runs as `financehub run` gives them, newest first.

    Examples:
    - `financehub stats`
    - `financehub stats fetch_news_task --watch`
    """
    session = Session()
    present_or_watch(lambda: look(session, task), as_json=as_json, watch=watch, every=every)


def look(session: Session, task: str | None) -> View:
    """The figures of one task, or of all of the catalogue and any other that ran."""
    every = dict.fromkeys(CATALOG, TaskStats()) | session.monitor.get_all_stats()
    if task is None:
        return View([_stats_record(name, each) for name, each in every.items()], _stats_table(every))
    one_of("task", task, every)
    recent = session.monitor.recent(task)
    shown: list[RenderableType] = [_stats_table({task: every[task]})]
    if every[task].last_error:
        shown.append(table("last error", rows=[[every[task].last_error]]))
    shown.append(runs_table(recent))
    record = _stats_record(task, every[task]) | {"recent": [run_record(each) for each in recent]}
    return View([record], Group(*shown))


def _stats_record(task: str, figures: TaskStats) -> dict[str, Any]:
    record = asdict(figures)
    return {"task": task} | record | {name: iso(record[name]) for name in ("last_success_at", "last_failure_at")}


def _stats_table(every: dict[str, TaskStats]) -> RenderableType:
    counts = ("running", "succeeded", "failed", "retried", "skipped", "dead_lettered", "lost")
    times = ("average", "p50", "p95", "p99")
    now = time.time()
    rows = [
        [
            task,
            *(getattr(figures, name) for name in counts),
            *(span(getattr(figures, name)) for name in times),
            ago(figures.last_success_at, now),
            ago(figures.last_failure_at, now),
        ]
        for task, figures in every.items()
    ]
    headings = [f">{name.replace('_', ' ')}" for name in (*counts, *times)]
    return table("task", *headings, ">last success", ">last failure", rows=rows)


def runs_table(runs: Sequence[Run]) -> RenderableType:
    """Runs, one a line."""
    rows = [
        [
            each.message_id,
            each.state.value,
            iso(each.started_at),
            span(each.duration),
            each.tries,
            each.schedule,
            each.error,
        ]
        for each in runs
    ]
    return table("run", "state", "started", ">took", ">tries", "schedule", "error", rows=rows, title="newest runs")


def run_record(found: Run) -> dict[str, Any]:
    """A run for JSON."""
    record = asdict(found)
    return record | {name: iso(record[name]) for name in ("due_at", "enqueued_at", "started_at", "finished_at")}
