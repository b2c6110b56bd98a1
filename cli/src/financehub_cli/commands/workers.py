"""`financehub workers`: the live workers and schedulers, and what keeps each of them busy."""

from collections.abc import Sequence

from financehub_cli.listing import listing
from financehub_cli.options import AsJson, Interval, Watch
from financehub_cli.output.result import CommandResult, print_or_watch
from financehub_cli.output.table import build_table
from financehub_cli.output.terminal import Content
from financehub_cli.session import Session
from financehub_shared.core.durations import format_age, format_duration
from financehub_shared.health.processes import ProcessInfo, ProcessRegistry
from financehub_shared.monitor import RunRecord, RunState
from financehub_shared.monitor.run_filter import RunFilter
from financehub_shared.views.processes import ProcessView, process_view

#: Number of runs in progress that are listed. A fleet has fewer threads.
_MOST_RUNNING = 1_000
#: Number of runs of one process that the table names.
_RUNS_SHOWN = 3


@listing(ProcessView)
def workers(as_json: AsJson = False, watch: Watch = False, interval: Interval = 2.0) -> None:
    """List the live workers and schedulers with their versions and the runs in progress.

    A process without a heartbeat for 20 s is not listed.

    JSON: a list of {id, tier, host, version, pid, started_at, heartbeat_at, queues, threads, busy, running, draining,
    clock_skew_seconds}. running is a list of {message_id, task, started_at}, newest first.

    Examples:
    - `financehub workers --watch`
    - `financehub workers --json | jq '.[] | select(.draining)'`
    """
    session = Session()
    print_or_watch(lambda: _collect(session), as_json=as_json, watch=watch, interval=interval)


def _collect(session: Session) -> CommandResult:
    processes = ProcessRegistry(session.broker_client).live()
    running = session.monitor.find_runs(RunFilter(state=RunState.RUNNING), limit=_MOST_RUNNING).runs
    notes = [] if processes else ["no process has a heartbeat; start the scheduler and the workers"]
    table = _table(processes, running, session.clock.now())
    return CommandResult([process_view(process, running) for process in processes], table, notes)


def _table(processes: Sequence[ProcessInfo], running: Sequence[RunRecord], now: float) -> Content:
    rows = [
        [
            process.tier,
            process.host,
            process.pid,
            process.version or "unknown",
            "draining" if process.draining else "live",
            f"{process.busy}/{process.threads}" if process.threads else "",
            _busy_with([run for run in running if run.worker == process.id], now),
            format_duration(now - process.started_at),
            format_age(process.heartbeat_at, now),
        ]
        for process in processes
    ]
    columns = ("tier", "host", ">pid", "+version", "!state", "+>busy", "~busy with", "->running for", ">heartbeat")
    return build_table(*columns, rows=rows)


def _busy_with(runs: Sequence[RunRecord], now: float) -> str:
    names = [
        f"{run.task} for {format_duration(None if run.started_at is None else now - run.started_at)}"
        for run in runs[:_RUNS_SHOWN]
    ]
    more = [f"{len(runs) - _RUNS_SHOWN} more"] if len(runs) > _RUNS_SHOWN else []
    return ", ".join(names + more)
