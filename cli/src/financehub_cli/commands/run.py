"""`financehub run`: starts a run of a task and follows it until it ends."""

from typing import Annotated, Any

import typer

from financehub_cli.completion import complete_tasks
from financehub_cli.follow import follow_message, live_processes
from financehub_cli.options import AsJson, NoWait, Timeout
from financehub_cli.session import Session
from financehub_shared.core.argument_text import parse_argument
from financehub_shared.core.errors import ConfigError

Task = Annotated[
    str,
    typer.Argument(
        metavar="TASK",
        help="Name of the task. `financehub stats` lists the tasks.",
        autocompletion=complete_tasks,
    ),
]
Arguments = Annotated[
    list[str] | None,
    typer.Option(
        "--arg",
        "-a",
        metavar="NAME=VALUE",
        help="An argument of the task, as JSON, as plain text, or as a,b,c for a list. You can repeat this option.",
    ),
]
Queue = Annotated[
    str, typer.Option("--queue", help="Queue of the message. Required only for a task that is not in the catalog.")
]


def run(
    task: Task,
    arg: Arguments = None,
    queue: Queue = "",
    no_wait: NoWait = False,
    timeout: Timeout = 900,
    as_json: AsJson = False,
) -> None:
    """Run a task now and follow the run until it ends.

    The arguments are validated before the run is enqueued. The exit code is 0 if the run succeeded. It is 1 if the run
    failed, was skipped, or did not end within --timeout.

    JSON: the run {message_id, task, queue, state, schedule, schedule_uid, due_at, enqueued_at, started_at,
    finished_at, duration, attempts, worker, error, summary, correlation_id}. With --no-wait, state is queued.

    Examples:
    - `financehub run fetch_crypto_prices_task --arg symbols=BTC-USD,ETH-USD`
    - `financehub run cleanup_old_cache_task --arg dry_run=true`
    - `financehub run fetch_news_task --no-wait`
    """
    from financehub_shared.operations.runs import start_run
    from financehub_shared.worker.build import build_broker

    session = Session()
    kwargs = dict(_parse_argument(task, text) for text in arg or [])
    broker = build_broker(session.settings, client=session.broker_client)
    processes = live_processes(session)
    message = start_run(broker, session.monitor, session.store, task, kwargs, queue=queue, processes=processes)
    follow_message(session, message, no_wait=no_wait, timeout=timeout, as_json=as_json)


def _parse_argument(task: str, text: str) -> tuple[str, Any]:
    """Return the name and the value of `NAME=VALUE`."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise ConfigError(f"--arg {text!r}: write it as NAME=VALUE, such as symbols=BTC-USD,ETH-USD")
    return name, parse_argument(task, name, value)
