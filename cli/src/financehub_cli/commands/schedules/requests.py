"""`schedules trigger` and `schedules backfill`."""

from typing import Annotated

import typer

from financehub_cli.commands.schedules.group import Name, app
from financehub_cli.exit_codes import ExitCode, print_message
from financehub_cli.follow import follow_backfill, follow_run, live_processes, warn_of_absence
from financehub_cli.options import AsJson, NoWait, Timeout, parse_time
from financehub_cli.output.result import CommandResult, print_result
from financehub_cli.session import Session
from financehub_shared.redis.schedule_record import BackfillInfo
from financehub_shared.redis.server_clock import server_time
from financehub_shared.schedules import request_backfill, request_trigger, show_backfill, show_schedule
from financehub_shared.views.schedules import backfill_view

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
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show which due times would run, and request nothing.")]


@app.command()
def trigger(name: Name, no_wait: NoWait = False, timeout: Timeout = 900, as_json: AsJson = False) -> None:
    """Run a schedule now, regardless of its due times, and follow the run until it ends.

    The concurrency policy of the schedule still applies. The exit codes are the same as for `financehub run`.

    JSON: the run, with the keys of `financehub run`. With --no-wait, {message_id, name}.

    Examples:
    - `financehub schedules trigger fetch-news --no-wait`
    """
    from financehub_shared.operations.runs import refuse_unknown_task
    from financehub_shared.operations.schedules import missing_for

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
    from financehub_shared.operations.runs import refuse_unknown_task
    from financehub_shared.operations.schedules import missing_for
    from financehub_shared.schedules.requests import check_range

    session = Session()
    # the clock of the session is an estimate, and the end must not be in the future
    now = server_time(session.broker_client)
    first = parse_time("--from", start, now)
    last = parse_time("--to", end, now) if end else now
    if dry_run:
        from financehub_cli.output.backfill_plan import describe_plan
        from financehub_shared.schedules.backfill_plan import plan_backfill
        from financehub_shared.views.backfill_plans import backfill_plan_view

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
    line = _describe_backfill(progress)
    result = CommandResult(backfill_view(progress), line, [], ExitCode.OK if succeeded else ExitCode.FAILED)
    print_result(result, as_json=as_json)


def _describe_backfill(progress: BackfillInfo) -> str:
    """Return the line about the state of a backfill."""
    if progress.state == "refused":
        return f"backfill {progress.id} was refused: {progress.message}"
    counts = f"{progress.enqueued:,} of {progress.total:,} enqueued"
    note = f"; {progress.message}" if progress.message else ""
    return f"backfill {progress.id} {progress.state}: {counts}{note}"
