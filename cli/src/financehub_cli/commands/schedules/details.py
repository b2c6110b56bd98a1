"""`schedules list` and `schedules show`."""

from financehub_cli.commands.schedules.group import Name, app
from financehub_cli.commands.schedules.rendering import detailed_result, schedules_result
from financehub_cli.listing import listing, tables
from financehub_cli.options import AsJson
from financehub_cli.output.result import print_result
from financehub_cli.session import Session
from financehub_shared.schedules import list_schedules, refused_schedules, show_schedule
from financehub_shared.views.schedules import ScheduleView


@app.command("list")
@listing(ScheduleView)
def list_(as_json: AsJson = False) -> None:
    """List the schedules. Refused documents are listed on stderr.

    JSON: a list of {uid, name, task, queue, schedule, time_zone, suspended, paused, problem, next, alive, buffered,
    runs, triggered, backfilled, missed, skipped, failures, failures_in_row, last_due_at, last_outcome,
    last_success_at, last_failure_at, last_error}. paused is {by, reason, at, failures}, or null; its failures are 0 if
    a user paused the schedule. next holds at most three times, alive is true if a live scheduler runs the schedule, and
    buffered is the number of due runs that wait for the previous one.

    Examples:
    - `financehub schedules list`
    - `financehub schedules list --json | jq -r '.[].name'`
    """
    session = Session()
    now = session.clock.now()
    schedules = list_schedules(session.broker_client)
    notes = [f"refused: {place}: {why}" for place, why in refused_schedules(session.broker_client).items()]
    if not schedules:
        notes.append("no schedule is registered; a scheduler registers them when it starts")
    print_result(schedules_result(schedules, now, notes), as_json=as_json)


@app.command()
@tables
def show(name: Name, as_json: AsJson = False) -> None:
    """Show one schedule with its spec and its newest runs.

    JSON: one object with the keys of `schedules list`, spec (as written), warnings and recent. warnings is a list of
    sentences about lines that are not due, or will not be due any more. recent is a list of runs, newest first, with
    the keys of `financehub run`.

    Examples:
    - `financehub schedules show fetch-news`
    """
    session = Session()
    info = show_schedule(session.broker_client, name)
    recent = session.monitor.get_schedule_runs(info.uid)
    print_result(detailed_result(info, recent, session.clock.now()), as_json=as_json)
