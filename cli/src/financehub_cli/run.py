"""`financehub run`: start a task now and follow it to its outcome."""

import json
import time
from contextlib import nullcontext
from typing import Annotated, Any

import typer
from rich.markup import escape

from financehub_cli.outcome import ExitCode, say
from financehub_cli.output import AsJson, View, console, present, span
from financehub_cli.session import Session, one_of
from financehub_cli.stats import complete_tasks, run_record
from financehub_shared.core.asset_selection import select_assets
from financehub_shared.core.catalog import CATALOG, validate_arguments
from financehub_shared.core.errors import ConfigError
from financehub_shared.health.processes import ProcessRegistry
from financehub_shared.monitor import ACTIVE, RunRecord, RunState
from financehub_shared.worker.actors import enqueue
from financehub_shared.worker.build import build_broker

#: How often a followed run is looked at: often enough to feel immediate.
POLL_SECONDS = 0.2


Task = Annotated[
    str,
    typer.Argument(
        metavar="TASK", help="Name of the task; `financehub stats` lists them.", autocompletion=complete_tasks
    ),
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Enqueue and return.")]
Timeout = Annotated[
    float, typer.Option("--timeout", metavar="SECONDS", min=0.1, help="Stop following after so long; the run goes on.")
]


def run(
    task: Task,
    arg: Annotated[
        list[str] | None,
        typer.Option("--arg", "-a", metavar="NAME=VALUE", help="An argument; JSON, or a,b,c for a list. Repeatable."),
    ] = None,
    queue: Annotated[str, typer.Option("--queue", help="For a task outside the catalogue.")] = "",
    no_wait: NoWait = False,
    timeout: Timeout = 900,
    as_json: AsJson = False,
) -> None:
    """Run a task now and follow it to its outcome.

    Arguments are checked before anything is enqueued. Ends with 0 if the run succeeded, 1 if it did not, was skipped
    or is still not over at --timeout.

    JSON: the run: {message_id, task, queue, state, schedule, schedule_uid, due_at, enqueued_at, started_at,
    finished_at, duration, attempts, worker, error, summary, correlation_id}; with --no-wait state is queued.

    Examples:
    - `financehub run fetch_crypto_prices_task --arg symbols=BTC-USD,ETH-USD`
    - `financehub run cleanup_old_cache_task --arg dry_run=true`
    - `financehub run fetch_news_task --no-wait`
    """
    session = Session()
    if not queue:
        one_of("task", task, CATALOG)
    kwargs = dict(_argument(task, text) for text in arg or [])
    if task in CATALOG:
        validate_arguments(task, (), kwargs)
        if kwargs.get("symbols"):
            select_assets(task, kwargs["symbols"], session.store.assets(active_only=False))
    broker = build_broker(session.settings, client=session.broker_client)
    message = enqueue(broker, task, kwargs, queue=queue or None)
    session.monitor.record_queued(message)
    if no_wait:
        queued = RunRecord(message.message_id, task, message.queue_name, RunState.QUEUED)
        present(View(run_record(queued), f"{task} queued as {message.message_id}"), as_json=as_json)
    else:
        served = any(message.queue_name in one.queues for one in ProcessRegistry(session.broker_client).live())
        if not served:
            say(f"no live worker serves queue {message.queue_name!r}; the run waits until one starts")
        follow(session, message.message_id, task, timeout=timeout, as_json=as_json)


def _argument(task: str, text: str) -> tuple[str, Any]:
    """`symbols=BTC-USD,ETH-USD` → the list, where the task's model wants one; anything else is JSON or a string."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise ConfigError(f"--arg {text!r}: write it as NAME=VALUE, such as symbols=BTC-USD,ETH-USD")
    field = CATALOG[task].arguments.model_fields.get(name) if task in CATALOG else None
    if field is not None and "list" in str(field.annotation) and not value.startswith("["):
        return name, [part.strip() for part in value.split(",")]
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value  # a plain word


def follow(session: Session, message_id: str, task: str, *, timeout: float, as_json: bool) -> None:
    """Show a run's progress until it is over, and end the command with its outcome."""
    try:
        found = _wait(session, message_id, task, timeout=timeout, spin=not as_json)
    except KeyboardInterrupt:
        say(f"no longer followed; {task} goes on as {message_id}, see `financehub stats {task}`")
        raise typer.Exit(ExitCode.FAILED) from None
    code = ExitCode.OK if found.state is RunState.SUCCEEDED else ExitCode.FAILED
    present(View(run_record(found), _outcome(found), [], code), as_json=as_json)


def _wait(session: Session, message_id: str, task: str, *, timeout: float, spin: bool) -> RunRecord:
    found = RunRecord(message_id, task, "", RunState.QUEUED)  # a record may be a moment late
    shown = console(stderr=True)
    limit = time.monotonic() + timeout
    with shown.status(f"{task} …") if shown.is_terminal and spin else nullcontext() as progress:
        while True:
            found = session.monitor.run(message_id) or found
            if found.state not in ACTIVE:
                return found
            if time.monotonic() >= limit:
                say(f"{task} is {found.state} after {span(timeout)}; `financehub stats {task}` shows how it goes on")
                return found
            if progress:
                why = f" after {found.error}" if found.error else ""
                progress.update(f"{task} {found.state}, attempt {max(found.attempts, 1)}{escape(why)}")
            time.sleep(POLL_SECONDS)


def _outcome(found: RunRecord) -> str:
    took = f" in {span(found.duration)}" if found.duration is not None else ""
    lines = [f"{found.task} {found.state}{took}"]
    if found.error and found.state is not RunState.SUCCEEDED:
        lines.append(f"  {found.error}")
    if found.summary:
        by = ", ".join(f"{name} {count}" for name, count in found.summary.get("providers", {}).items())
        done = f"  {found.summary.get('stored')} of {found.summary.get('asked')} done"
        lines.append(f"{done} by {by}" if by else done)
        lines += [f"  missing {name}: {why}" for name, why in found.summary.get("missing", {}).items()]
        lines += [f"  {name}: {value}" for name, value in found.summary.get("details", {}).items()]
    return "\n".join(lines)
