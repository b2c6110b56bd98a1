"""`financehub schedules`: what runs when, whether it worked, and how to run it now or for the past."""

import time
from contextlib import nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import redis
import typer
from rich.console import Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from financehub_cli.outcome import ExitCode, say
from financehub_cli.output import AsJson, View, ago, clock_time, console, iso, present, span, table
from financehub_cli.run import POLL_SECONDS, NoWait, Timeout, follow
from financehub_cli.session import COMPLETION_TIMEOUT_SECONDS, Session
from financehub_cli.stats import run_record, runs_table
from financehub_shared.core.errors import ConfigError, FinanceHubError
from financehub_shared.health.checks import SCHEDULER
from financehub_shared.health.workers import WorkerRegistry
from financehub_shared.monitor import Run
from financehub_shared.schedules import (
    UNCLAIMED_SECONDS,
    BackfillInfo,
    ScheduleInfo,
    list_schedules,
    refused_schedules,
    request_backfill,
    request_trigger,
    show_backfill,
    show_schedule,
)

#: How long a backfill may stand still that nobody is there to move; a restart of the scheduler is shorter.
_PATIENCE_SECONDS = 10.0

app = typer.Typer(
    no_args_is_help=True, help="What runs when, whether it worked, when next; run it now or for the past."
)


def _complete(incomplete: str) -> list[str]:
    try:
        known = list_schedules(Session(timeout=COMPLETION_TIMEOUT_SECONDS).broker_client)
    except (FinanceHubError, redis.RedisError):
        return []
    return [each.name for each in known if each.name.startswith(incomplete)]


Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="namespace/name, or name where it is unique.", autocompletion=_complete),
]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the schedules. Documents that the scheduler refused are told on stderr.

    JSON: a list of {uid, name, task, queue, schedule, time_zone, suspended, problem, next, alive, runs, triggered,
    backfilled, missed, skipped, failures, last_due_at, last_outcome, last_success_at, last_failure_at, last_error};
    next holds at most three times, alive says whether a live scheduler vouches for it.
    """
    session = Session()
    now = session.clock.now()
    known = list_schedules(session.broker_client)
    rows = [
        [
            each.name,
            each.task,
            _times(each),
            each.outcome.last_run_outcome,
            ago(each.outcome.last_run_at, now),
            _next(each, now),
            each.problem,
        ]
        for each in known
    ]
    notes = [f"refused: {place}: {why}" for place, why in refused_schedules(session.broker_client).items()]
    if not known:
        notes.append("no schedule is registered; a scheduler registers them when it starts")
    columns = ("name", "task", "schedule", "last run", ">ended", ">next in", "problem")
    present(View([_record(each, now) for each in known], table(*columns, rows=rows), notes), as_json=as_json)


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show one schedule whole, with its newest runs.

    JSON: as of `schedules list`, and spec (as written) and recent (runs, newest first, as `financehub run` gives them).
    """
    session = Session()
    now = session.clock.now()
    info = show_schedule(session.broker_client, name)
    recent = session.monitor.schedule_runs(info.uid)
    present(View(*_whole(info, recent, now)), as_json=as_json)


@app.command()
def trigger(name: Name, no_wait: NoWait = False, timeout: Timeout = 900, as_json: AsJson = False) -> None:
    """Run a schedule now, whatever its times, and follow the run. Its concurrency policy still holds.

    Ends as `financehub run` does.

    JSON: the run, as `financehub run` gives it; with --no-wait {message_id, name}.
    """
    session = Session()
    info = show_schedule(session.broker_client, name)
    message_id = request_trigger(session.broker_client, name)
    if not _is_alive(info, session.clock.now()):
        say("no live scheduler vouches for this schedule; the run waits until one starts")
    if no_wait:
        present(View({"message_id": message_id, "name": info.name}, f"run {message_id} is asked for"), as_json=as_json)
    else:
        follow(session, message_id, info.task, timeout=timeout, as_json=as_json)


@app.command()
def backfill(
    name: Name,
    start: Annotated[str, typer.Option("--from", help="First due time, ISO 8601; UTC where no offset is given.")],
    end: Annotated[str, typer.Option("--to", help="Last due time; default now.")] = "",
    no_wait: NoWait = False,
    timeout: Timeout = 900,
    as_json: AsJson = False,
) -> None:
    """Run the due times of a range in the past, in order, and show the progress.

    They are enqueued as fast as the concurrency policy lets them: one at a time where it forbids overlap. Ends with 0
    when all of them are enqueued (or, with --no-wait, asked for), 1 if it is refused, not over at --timeout, or waits
    for a scheduler or worker that is not there.

    JSON: {id, name, start, end, state, total, enqueued, message}; state is pending, running, finished or refused.

    Examples:
    - `financehub schedules backfill fetch-news --from 2026-01-05 --to 2026-01-05T12:00`
    """
    session = Session()
    first, last = _moment("--from", start), _moment("--to", end) if end else session.clock.now()
    id = request_backfill(session.broker_client, name, first, last)
    found = show_backfill(session.broker_client, id)
    if not no_wait:
        queue = show_schedule(session.broker_client, found.name).queue
        try:
            found = _follow_backfill(session, id, queue, timeout=timeout, as_json=as_json)
        except KeyboardInterrupt:
            say(f"no longer followed; backfill {id} goes on")
            raise typer.Exit(ExitCode.FAILED) from None
    ended = found.state == "finished" or (no_wait and found.state != "refused")
    line = f"backfill {id} {found.state}: {found.enqueued} of {found.total} enqueued {found.message}".rstrip()
    data = asdict(found) | {"start": iso(found.start), "end": iso(found.end)}
    present(View(data, line, [], ExitCode.OK if ended else ExitCode.FAILED), as_json=as_json)


def _follow_backfill(session: Session, id: str, queue: str, *, timeout: float, as_json: bool) -> BackfillInfo:
    shown = console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    progress = Progress(*columns, console=shown) if shown.is_terminal and not as_json else None
    bar = progress.add_task("backfill") if progress else None
    limit = time.monotonic() + timeout
    enqueued, patience = -1, limit
    with progress or nullcontext():
        while True:
            found = show_backfill(session.broker_client, id)
            missing = _missing(session, queue)
            if found.enqueued != enqueued or not missing:
                enqueued, patience = found.enqueued, time.monotonic() + _PATIENCE_SECONDS
            if progress and bar is not None:
                progress.update(bar, total=found.total or None, completed=found.enqueued, description=found.state)
            if found.state not in {"pending", "running"} or time.monotonic() >= limit:
                return found
            if time.monotonic() >= patience:
                say(f"{missing}; the backfill waits until one starts")
                return found
            time.sleep(POLL_SECONDS)


def _missing(session: Session, queue: str) -> str:
    """Who is not there to move a backfill on; empty: nobody is missing."""
    alive = WorkerRegistry(session.broker_client).alive()
    if not any(one.tier == SCHEDULER for one in alive):
        return "no live scheduler"
    return "" if any(queue in one.queues for one in alive) else f"no live worker serves queue {queue!r}"


def _moment(option: str, text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{option} {text!r}: write a day or time as 2026-01-05 or 2026-01-05T12:00Z") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _is_alive(info: ScheduleInfo, now: float) -> bool:
    return now - info.claimed_at < UNCLAIMED_SECONDS


def _record(info: ScheduleInfo, now: float) -> dict[str, Any]:
    return {
        "uid": info.uid,
        "name": info.name,
        "task": info.task,
        "queue": info.queue,
        "schedule": _times(info),
        "time_zone": info.spec.get("timeZone", "UTC"),
        "suspended": info.suspended,
        "problem": info.problem,
        "next": [iso(at) for at in info.next_times],
        "alive": _is_alive(info, now),
        "runs": info.runs,
        "triggered": info.triggered,
        "backfilled": info.backfilled,
        "missed": info.missed,
        "skipped": dict(info.skipped),
        "failures": info.outcome.failures,
        "last_due_at": iso(info.last_due_at),
        "last_outcome": info.outcome.last_run_outcome or None,
        "last_success_at": iso(info.outcome.last_success_at),
        "last_failure_at": iso(info.outcome.last_failure_at),
        "last_error": info.outcome.last_run_error,
    }


def _times(info: ScheduleInfo) -> str:
    return "; ".join(map(str, info.spec.get("schedules") or [info.spec.get("schedule", "")]))


def _next(info: ScheduleInfo, now: float) -> str:
    if info.suspended:
        return "suspended"
    if not _is_alive(info, now):
        return "no scheduler"
    return span(max(0.0, info.next_times[0] - now)) if info.next_times else "never"


def _whole(info: ScheduleInfo, recent: list[Run], now: float) -> tuple[dict[str, Any], RenderableType]:
    record = _record(info, now) | {"spec": dict(info.spec)}
    facts = [
        *((name, value) for name, value in record.items() if name not in {"spec", "next", "skipped"}),
        *((f"spec.{name}", value) for name, value in info.spec.items()),
        *((f"skipped ({why})", count) for why, count in info.skipped.items()),
        *(("next", clock_time(at)) for at in info.next_times),
    ]
    shown = Group(table("", "", rows=facts, title=info.name), runs_table(recent))
    return record | {"recent": [run_record(each) for each in recent]}, shown
