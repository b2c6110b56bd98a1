"""`financehub runs`: lists runs, shows one, and starts a run with the same arguments again."""

from typing import Annotated

import typer

from financehub_cli.completion import complete_schedules, complete_tasks
from financehub_cli.follow import follow_message, live_processes
from financehub_cli.groups import new_group
from financehub_cli.listing import listing, tables
from financehub_cli.options import AsJson, NoWait, Timeout, parse_time
from financehub_cli.output.result import CommandResult, print_result
from financehub_cli.output.runs import error_text, runs_of_all_tasks_table
from financehub_cli.output.table import Table, build_details, build_table
from financehub_cli.session import Session
from financehub_shared.core.errors import ConfigError
from financehub_shared.core.near_names import require_known
from financehub_shared.core.text import counted, dump_json
from financehub_shared.monitor import ACTIVE, RunRecord, RunState
from financehub_shared.monitor.run_filter import LISTED_STATES, RunFilter
from financehub_shared.operations.names import named_schedule, require_names
from financehub_shared.views.run_details import RunDetailView, run_detail_view
from financehub_shared.views.runs import RunView, run_view

app = new_group("List runs, show one with its arguments and steps, or start one again.")

Id = Annotated[
    str,
    typer.Argument(metavar="ID", help="The id of the run, or its beginning, as `financehub runs list` shows it."),
]
Schedule = Annotated[
    str | None,
    typer.Option(
        "--schedule",
        metavar="NAME",
        help="Only runs of this schedule. An empty name selects the runs that users started.",
        autocompletion=complete_schedules,
    ),
]
Task = Annotated[
    str | None,
    typer.Option("--task", metavar="NAME", help="Only runs of this task.", autocompletion=complete_tasks),
]
State = Annotated[
    str | None,
    typer.Option("--state", metavar="STATE", help=f"Only runs in this state: {', '.join(LISTED_STATES)}."),
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="TIME",
        help="Only runs that ended or started after this time: a day, a time, or how long ago (1h).",
    ),
]
Queue = Annotated[str | None, typer.Option("--queue", metavar="NAME", help="Only runs of this queue.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="Maximum number of runs.")]


@app.command("list")
@listing(RunView)
def list_(
    schedule: Schedule = None,
    task: Task = None,
    state: State = None,
    since: Since = None,
    queue: Queue = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List the runs of all tasks, newest first.

    Runs in progress are sorted by their start, and ended runs by their end. A run must match all given filters. Runs
    that wait for an attempt are messages in a queue and are not listed: `financehub status` counts them, and
    `financehub runs show ID` shows one.

    JSON: a list of {message_id, task, queue, state, schedule, schedule_uid, due_at, enqueued_at, started_at,
    finished_at, duration, attempts, worker, error, summary, correlation_id}.

    Examples:
    - `financehub runs list --state dead-lettered --since 1d`
    - `financehub runs list --schedule fetch-news --limit 5`
    - `financehub runs list --task fetch_news_task --json | jq '.[].error'`
    """
    if state is not None:
        _check_state(state)
    session = Session()
    now = session.clock.now()
    wanted = RunFilter(
        task,
        RunState(state) if state else None,
        named_schedule(session.broker_client, schedule) if schedule else schedule,
        since=parse_time("--since", since, now) if since else None,
        queue=queue,
    )
    page = session.monitor.find_runs(wanted, limit=limit)
    if not page.runs:
        require_names(session.broker_client, session.monitor, task=task, queue=queue, schedule=schedule)
    is_filtered = any(value is not None for value in (schedule, task, state, since, queue))
    notes = [] if page.runs else [_why_empty(session, queue, is_filtered=is_filtered)]
    if page.searched:
        notes.append(f"only the newest {page.searched:,} runs were searched; narrow the search with --task or --since")
    elif page.last is not None:
        shown = "this is the newest run" if limit == 1 else f"these are the newest {limit:,} runs"
        notes.append(f"{shown}; --limit shows more")
    table = runs_of_all_tasks_table(page.runs, now)
    print_result(CommandResult([run_view(run) for run in page.runs], table, notes), as_json=as_json)


@app.command()
@tables
def show(id: Id, as_json: AsJson = False) -> None:
    """Show one run with its arguments, its steps and its error.

    JSON: the run {message_id, task, queue, state, schedule, schedule_uid, due_at, enqueued_at, started_at, finished_at,
    duration, attempts, worker, error, summary, correlation_id, arguments, timeline, dead_letter}. arguments is null if
    they are not known.

    Examples:
    - `financehub runs show 2f4f7a4e`
    - `financehub runs show 2f4f7a4e --json | jq '.timeline'`
    """
    session = Session()
    run = session.monitor.find_run(id)
    from financehub_shared.broker.dead_letter_queue import DeadLetterQueue

    letters = DeadLetterQueue(session.broker_client)
    letter = letters.show(run.redis_id) if run.state is RunState.DEAD_LETTERED else None
    record = run_detail_view(run, letter)
    print_result(CommandResult(record, _detailed(record, run)), as_json=as_json)


@app.command()
def again(id: Id, no_wait: NoWait = False, timeout: Timeout = 900, as_json: AsJson = False) -> None:
    """Start a run with the task, the queue and the arguments of an earlier one, and follow it until it ends.

    The new run belongs to no schedule, so the limits of the schedule's spec do not apply. A run cannot be started again
    if its arguments were too long to store or contain secrets. The exit codes are the same as for `financehub run`.

    JSON: the new run, with the keys of `financehub run`. With --no-wait, state is queued.

    Examples:
    - `financehub runs again 2f4f7a4e`
    """
    from financehub_shared.operations.runs import run_again
    from financehub_shared.worker.build import build_broker

    session = Session()
    run = session.monitor.find_run(id)
    broker = build_broker(session.settings, client=session.broker_client)
    processes = live_processes(session)
    message = run_again(broker, session.monitor, session.store, run.message_id, processes=processes)
    follow_message(session, message, no_wait=no_wait, timeout=timeout, as_json=as_json)


def _check_state(state: str) -> None:
    """Check that runs in a state are listed.

    Raises:
        ConfigError: A run in this state waits and is not listed, or the state is unknown.
    """
    if state in ACTIVE and state not in LISTED_STATES:
        raise ConfigError(
            f"--state {state}: runs that wait for an attempt are messages in a queue and are not listed; "
            "`financehub status` counts them, and `financehub runs show ID` shows one"
        )
    require_known("state", state, LISTED_STATES)


def _why_empty(session: Session, queue: str | None, *, is_filtered: bool) -> str:
    """Return why no run is listed. Runs that wait for an attempt are counted, because they are not listed.

    Args:
        session: The session of the command.
        queue: The queue whose messages count; None for all queues.
        is_filtered: Whether runs had to match a filter.
    """
    from financehub_shared.health.queue_reader import QueueReader

    reader = QueueReader(session.broker_client, session.reader_settings.heartbeat_timeout_seconds, session.clock)
    figures = reader.read_all() if queue is None else [reader.read(queue)]
    waiting = {each.queue: each.ready + each.delayed for each in figures if each.ready + each.delayed}
    problem = "no run matches" if is_filtered else "no run has started yet"
    if not waiting:
        return problem
    counts = " and ".join(f"{counted(number, 'message')} in the queue {name}" for name, number in waiting.items())
    wait = "waits" if sum(waiting.values()) == 1 else "wait"
    return f"{problem}; {counts} {wait} for an attempt, see `financehub status`"


def _detailed(record: RunDetailView, run: RunRecord) -> list[Table]:
    from financehub_shared.operations.runs import why_not_again

    apart = {"arguments", "timeline", "dead_letter"}
    shown = record | {"error": error_text(run)}
    fields = [(name, value) for name, value in shown.items() if name not in apart]
    arguments = record["arguments"]
    # arguments that were not stored look like none, and the problem says that they are missing
    if arguments is not None and (arguments["args"] or arguments["kwargs"] or not arguments["problem"]):
        fields += [(f"arguments.{name}", dump_json(arguments[name])) for name in ("args", "kwargs")]
    if problem := why_not_again(run):
        fields.append(("run again", problem))
    steps = [(step["step"], step["at"], step["seconds"], step["detail"]) for step in record["timeline"]]
    return [build_details(fields), build_table("step", "!at", "+>after", "+~detail", rows=steps)]
