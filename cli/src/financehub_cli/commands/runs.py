"""`financehub runs`: shows one run, and starts a run with the same arguments again."""

from typing import Annotated

import typer

from financehub_cli.follow import follow_message, live_processes
from financehub_cli.groups import new_group
from financehub_cli.listing import tables
from financehub_cli.options import AsJson, NoWait, Timeout
from financehub_cli.output.result import CommandResult, print_result
from financehub_cli.output.table import Table, build_details, build_table
from financehub_cli.session import Session
from financehub_shared.broker.dead_letter_queue import DeadLetterQueue
from financehub_shared.core.text import dump_json
from financehub_shared.monitor import RunRecord, RunState
from financehub_shared.operations.runs import find_run, run_again, why_not_again
from financehub_shared.views.run_details import RunDetailView, run_detail_view
from financehub_shared.worker.build import build_broker

app = new_group("Show one run with its arguments and steps, or start a run with the same arguments.")

Id = Annotated[str, typer.Argument(metavar="ID", help="The whole id of the run, as `financehub stats TASK` lists it.")]


@app.command()
@tables
def show(id: Id, as_json: AsJson = False) -> None:
    """Show one run with its arguments, its steps and its error.

    JSON: the run {message_id, task, queue, state, schedule, schedule_uid, due_at, enqueued_at, started_at, finished_at,
    duration, attempts, worker, error, summary, correlation_id, arguments, timeline, dead_letter}. arguments is null if
    they are not known.
    """
    session = Session()
    run = find_run(session.monitor, id)
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
    - `financehub runs again 2f4f7a4e-3c1b-4a3e-9a53-0f5dd8f0a1c7`
    """
    session = Session()
    broker = build_broker(session.settings, client=session.broker_client)
    message = run_again(broker, session.monitor, session.store, id, processes=live_processes(session))
    follow_message(session, message, no_wait=no_wait, timeout=timeout, as_json=as_json)


def _detailed(record: RunDetailView, run: RunRecord) -> list[Table]:
    fields = [(name, value) for name, value in record.items() if name not in {"arguments", "timeline", "dead_letter"}]
    arguments = record["arguments"]
    # arguments that were not stored look like none, and the problem says that they are missing
    if arguments is not None and (arguments["args"] or arguments["kwargs"] or not arguments["problem"]):
        fields += [(f"arguments.{name}", dump_json(arguments[name])) for name in ("args", "kwargs")]
    if problem := why_not_again(run):
        fields.append(("run again", problem))
    steps = [(step["step"], step["at"], step["seconds"], step["detail"]) for step in record["timeline"]]
    return [build_details(fields), build_table("step", "!at", "+>after", "+~detail", rows=steps)]
