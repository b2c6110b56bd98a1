"""`financehub schedules`: lists, pauses and resumes schedules, and runs one now or for a past time range."""

import time
from collections.abc import Sequence
from typing import Annotated

import typer

from financehub_cli.completion import complete_schedules
from financehub_cli.exit_codes import ExitCode, print_message
from financehub_cli.follow import follow_backfill, follow_run, live_processes, warn_of_absence
from financehub_cli.groups import new_group
from financehub_cli.listing import listing, tables
from financehub_cli.options import AsJson, NoWait, Timeout, parse_time
from financehub_cli.output.backfill_plan import describe_plan
from financehub_cli.output.formats import readable_time
from financehub_cli.output.result import CommandResult, print_result
from financehub_cli.output.runs import runs_table
from financehub_cli.output.table import build_details, build_table
from financehub_cli.schedule_files import validate_files
from financehub_cli.session import Session
from financehub_cli.user import current_user
from financehub_shared.core.durations import format_age, format_duration
from financehub_shared.monitor import RunRecord
from financehub_shared.operations.runs import refuse_unknown_task
from financehub_shared.operations.schedules import missing_for, pause_schedules, resume_schedules
from financehub_shared.redis.server_clock import server_time
from financehub_shared.schedules import (
    ScheduleInfo,
    find_schedules,
    list_schedules,
    refused_schedules,
    request_backfill,
    request_trigger,
    show_backfill,
    show_schedule,
)
from financehub_shared.schedules.backfill_plan import plan_backfill
from financehub_shared.schedules.requests import check_range
from financehub_shared.views.backfill_plans import backfill_plan_view
from financehub_shared.views.schedule_documents import ScheduleDocumentView
from financehub_shared.views.schedules import ScheduleView, backfill_view, schedule_detail_view, schedule_view

app = new_group("List schedules and their last and next runs, run one now, run past due times, or pause them.")

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="The schedule, as namespace/name. The name is enough if it is unique.",
        autocompletion=complete_schedules,
    ),
]
Names = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME",
        help="The schedules, as namespace/name. The name is enough if it is unique.",
        autocompletion=complete_schedules,
    ),
]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why, for everybody who sees the schedule, in 200 characters.")
]
Start = Annotated[
    str,
    typer.Option(
        "--from",
        help="Start of the range, inclusive: a day or a time in ISO 8601, in UTC unless it has an offset, or how long "
        "ago (-1d).",
    ),
]
End = Annotated[
    str, typer.Option("--to", help="End of the range in the same form, inclusive. The default is the current time.")
]


Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE",
        help="Files with documents, folders with files *.yaml and *.yml, or - for the standard input.",
    ),
]
After = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="Show the due times after this time, which has the form of `backfill --from`. The default is now.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show which due times would run, and request nothing.")]


@app.command("list")
@listing(ScheduleView)
def list_(as_json: AsJson = False) -> None:
    """List the schedules. Refused documents are listed on stderr.

    JSON: a list of {uid, name, task, queue, schedule, time_zone, suspended, paused, problem, next, alive, buffered,
    runs, triggered, backfilled, missed, skipped, failures, failures_in_row, last_due_at, last_outcome,
    last_success_at, last_failure_at, last_error}. paused is {by, reason, at, failures}, or null; its failures are 0 if
    a user paused the schedule. next holds at most three times, alive is true if a live scheduler runs the schedule, and
    buffered is the number of due runs that wait for the previous one.
    """
    session = Session()
    now = session.clock.now()
    schedules = list_schedules(session.broker_client)
    notes = [f"refused: {place}: {why}" for place, why in refused_schedules(session.broker_client).items()]
    if not schedules:
        notes.append("no schedule is registered; a scheduler registers them when it starts")
    print_result(_listing(schedules, now, notes), as_json=as_json)


@app.command()
@listing(ScheduleDocumentView)
def validate(files: Files, start: After = None, as_json: AsJson = False) -> None:
    """Check files of schedules as a scheduler reads them, and say when each one will run.

    It needs neither Redis nor a cluster, so it does not check whether the assets in the arguments exist. The exit code
    is 2 if a document is refused, a file cannot be read, or there is no document.

    JSON: a list of {file, line, name, valid, mistakes, task, schedule, time_zone, next, warnings}, one for each
    document. mistakes is a list of {line, field, problem}, schedule says in words when it runs, and next holds at most
    three due times without jitter.

    Examples:
    - `financehub schedules validate deploy/local/schedules`
    - `financehub schedules validate schedules.yaml --from 2026-12-24`
    - `kubectl get st fetch-news -o yaml | financehub schedules validate -`
    """
    now = time.time()
    shown = now if start is None else parse_time("--from", start, now)
    print_result(validate_files(files, shown), as_json=as_json)


@app.command()
@tables
def show(name: Name, as_json: AsJson = False) -> None:
    """Show one schedule with its spec and its newest runs.

    JSON: one object with the keys of `schedules list`, spec (as written) and recent. recent is a list of runs, newest
    first, with the keys of `financehub run`.
    """
    session = Session()
    info = show_schedule(session.broker_client, name)
    recent = session.monitor.get_schedule_runs(info.uid)
    print_result(_detailed_result(info, recent, session.clock.now()), as_json=as_json)


@app.command()
def trigger(name: Name, no_wait: NoWait = False, timeout: Timeout = 900, as_json: AsJson = False) -> None:
    """Run a schedule now, regardless of its due times, and follow the run until it ends.

    The concurrency policy of the schedule still applies. The exit codes are the same as for `financehub run`.

    JSON: the run, with the keys of `financehub run`. With --no-wait, {message_id, name}.
    """
    session = Session()
    info = show_schedule(session.broker_client, name)
    processes = live_processes(session)
    refuse_unknown_task(processes, info.queue, info.task)
    message_id = request_trigger(session.broker_client, name)
    for absence in missing_for(info, processes, session.clock.now()):
        warn_of_absence(absence, "the run")
    if no_wait:
        result = CommandResult({"message_id": message_id, "name": info.name}, f"requested run {message_id}")
        print_result(result, as_json=as_json)
    else:
        follow_run(session, message_id, info.task, timeout=timeout, as_json=as_json)


@app.command()
def backfill(
    name: Name,
    start: Start,
    end: End = "",
    dry_run: DryRun = False,
    no_wait: NoWait = False,
    timeout: Timeout = 900,
    as_json: AsJson = False,
) -> None:
    """Run the due times of a past time range in order, and show the progress.

    The runs are enqueued as fast as the concurrency policy allows, and one at a time if it forbids overlap. The exit
    code is 0 if all runs were enqueued, or with --no-wait if the backfill was requested. It is 1 if the backfill was
    refused, did not end within --timeout, or waits for a scheduler or worker that is absent.

    JSON: {id, name, start, end, state, total, enqueued, message}. state is pending, running, finished or refused. With
    --dry-run, {name, start, end, time_zone, total, limit, first, last, concurrency_policy, queue_depth, notes,
    problem}, and the exit code is 1 if there is a problem: the range has too many due times, or none.

    Examples:
    - `financehub schedules backfill fetch-news --from -1d --dry-run`
    - `financehub schedules backfill fetch-news --from 2026-01-05 --to 2026-01-05T12:00`
    """
    session = Session()
    # the clock of the session is an estimate, and the end must not be in the future
    now = server_time(session.broker_client)
    first = parse_time("--from", start, now)
    last = parse_time("--to", end, now) if end else now
    if dry_run:
        info = show_schedule(session.broker_client, name)
        plan = plan_backfill(info, first, last, now)
        code = ExitCode.FAILED if plan.problem else ExitCode.OK
        print_result(CommandResult(backfill_plan_view(plan), describe_plan(plan), [], code), as_json=as_json)
        return
    check_range(first, last, now)
    info = show_schedule(session.broker_client, name)
    processes = live_processes(session)
    refuse_unknown_task(processes, info.queue, info.task)
    id = request_backfill(session.broker_client, name, first, last)
    progress = show_backfill(session.broker_client, id)
    if no_wait:
        for absence in missing_for(info, processes, session.clock.now()):
            warn_of_absence(absence, "the backfill")
    else:
        try:
            progress = follow_backfill(session, id, info.queue, timeout=timeout, as_json=as_json)
        except KeyboardInterrupt:
            print_message(f"stopped following; backfill {id} continues")
            raise typer.Exit(ExitCode.FAILED) from None
    succeeded = progress.state == "finished" or (no_wait and progress.state != "refused")
    counts = f"{progress.enqueued} of {progress.total} enqueued"
    line = f"backfill {id} {progress.state}: {counts} {progress.message}".rstrip()
    result = CommandResult(backfill_view(progress), line, [], ExitCode.OK if succeeded else ExitCode.FAILED)
    print_result(result, as_json=as_json)


@app.command()
@tables
def pause(names: Names, reason: Reason, as_json: AsJson = False) -> None:
    """Pause schedules: they enqueue no due runs until you resume them.

    You can still run a paused schedule with `schedules trigger` and `schedules backfill`, and runs that are queued or
    running go on. A schedule that is already paused keeps its first reason. No file and no ScheduledTask is changed.

    JSON: a list of the schedules, with the keys of `schedules list`.

    Examples:
    - `financehub schedules pause fetch-news --reason "the feed delivers old articles"`
    """
    session = Session()
    paused = pause_schedules(session.broker_client, names, reason, current_user())
    _print_named(session, names, paused, "was paused before and keeps its reason", as_json=as_json)


@app.command()
@tables
def resume(names: Names, as_json: AsJson = False) -> None:
    """Resume paused schedules. The due times that passed in the meantime are not caught up.

    This also resumes schedules that FinanceHub has paused because of `pauseAfterFailures`, and starts that count again.

    JSON: a list of the schedules, with the keys of `schedules list`.
    """
    session = Session()
    resumed = resume_schedules(session.broker_client, names)
    _print_named(session, names, resumed, "was not paused", as_json=as_json)


def _print_named(session: Session, names: Sequence[str], changed: Sequence[str], note: str, *, as_json: bool) -> None:
    """Print the schedules that a command has named, with a note for each that it has not changed."""
    named = {name for _, name in find_schedules(session.broker_client, names)}
    infos = [info for info in list_schedules(session.broker_client) if info.name in named]
    notes = [f"{info.name} {note}" for info in infos if info.name not in changed]
    print_result(_listing(infos, session.clock.now(), notes), as_json=as_json)


def _listing(schedules: Sequence[ScheduleInfo], now: float, notes: list[str]) -> CommandResult:
    columns = ("name", "task", "schedule", "!last run", ">ended", "+>next in", "+~problem")
    content = build_table(*columns, rows=[_row(info, now) for info in schedules])
    return CommandResult([schedule_view(info, now) for info in schedules], content, notes)


def _row(info: ScheduleInfo, now: float) -> list[object]:
    return [
        info.name,
        info.task,
        info.recurrence_text,
        info.outcome.last_run_outcome,
        format_age(info.outcome.last_run_at, now),
        _next_run_text(info, now),
        info.problem or (str(info.paused) if info.paused else ""),
    ]


def _next_run_text(info: ScheduleInfo, now: float) -> str:
    if info.suspended:
        return "suspended"
    if info.paused:
        return "paused"
    if not info.is_claimed(now):
        return "no scheduler"
    if info.next_times:
        return format_duration(max(0.0, info.next_times[0] - now))
    # Nobody knows when the predecessor of a follower succeeds.
    return "on success" if info.after and not info.problem else "never"


def _detailed_result(info: ScheduleInfo, recent: list[RunRecord], now: float) -> CommandResult:
    record = schedule_detail_view(info, recent, now)
    apart = {"spec", "next", "skipped", "recent", "paused"}
    paused = info.paused and f"{readable_time(info.paused.at)} {info.paused}"
    if info.paused and info.paused.failures:
        paused = f"{paused}; correct the cause, then resume it with: financehub schedules resume {info.name}"
    rows = [
        *((name, value) for name, value in record.items() if name not in apart),
        ("paused", paused or False),
        *((f"spec.{name}", value) for name, value in info.spec.items()),
        *((f"skipped ({reason})", count) for reason, count in info.skipped.items()),
        *(("next", readable_time(at)) for at in info.next_times),
    ]
    content = [build_details(rows, title=info.name), runs_table(recent)]
    return CommandResult(record, content)
