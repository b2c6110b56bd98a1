"""`financehub dead-letters`: lists, shows, requeues and deletes messages that failed permanently."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from financehub_cli.completion import complete_tasks
from financehub_cli.exit_codes import ExitCode
from financehub_cli.follow import live_processes
from financehub_cli.groups import new_group
from financehub_cli.listing import listing, tables
from financehub_cli.options import AsJson
from financehub_cli.output.result import CommandResult, print_result
from financehub_cli.output.table import build_details, build_table
from financehub_cli.output.terminal import Content
from financehub_cli.output.text import plain_text
from financehub_cli.session import Session
from financehub_shared.broker.dead_letter import DeadLetter
from financehub_shared.broker.dead_letter_queue import MATCH_ALL, DeadLetterFilter, DeadLetterQueue
from financehub_shared.core.durations import format_duration, parse_duration
from financehub_shared.core.errors import ConfigError
from financehub_shared.health.presence import missing_worker
from financehub_shared.views.dead_letters import DeadLetterView, dead_letter_view

#: Number of letters for which `requeue` says why they stay.
_REASONS_SHOWN = 20

app = new_group(
    """List, show, requeue and delete messages that failed permanently.

    The filters select dead letters for list, requeue and purge. A dead letter must match all given filters.
    """
)

Id = Annotated[str, typer.Argument(metavar="ID", help="The id that `dead-letters list` shows.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", help="The ids that `dead-letters list` shows.")]
Queue = Annotated[str | None, typer.Option("--queue", help="Select dead letters of this queue.")]
Task = Annotated[
    str | None, typer.Option("--task", help="Select dead letters of this task.", autocompletion=complete_tasks)
]
ExceptionName = Annotated[
    str | None, typer.Option("--exception", help="Select dead letters whose last error has this class name.")
]
Reason = Annotated[
    str | None, typer.Option("--reason", help="Select dead letters with this reason, such as retries-exhausted.")
]
OlderThan = Annotated[
    str | None,
    typer.Option(
        "--older-than", metavar="AGE", help="Select dead letters older than this age, such as 30m, 12h or 7d."
    ),
]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="Maximum number of dead letters to list.")]
All = Annotated[bool, typer.Option("--all", help="Select every dead letter.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


@app.command("list")
@listing(DeadLetterView)
def list_(
    queue: Queue = None,
    task: Task = None,
    exception: ExceptionName = None,
    reason: Reason = None,
    older_than: OlderThan = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List dead letters, newest first.

    JSON: a list of {id, queue, task, args, kwargs, message_id, reason, exception, error, traceback, attempts, failures,
    enqueued_at, died_at, schedule, correlation_id, raw}.

    Examples:
    - `financehub dead-letters list --task fetch_news_task`
    - `financehub dead-letters list --older-than 1d --json`
    """
    session = Session()
    selection = _build_filter(None, queue, task, exception, reason, older_than)
    letters = DeadLetterQueue(session.broker_client).find(selection, limit=limit)
    if not letters:
        from financehub_shared.operations.names import require_names

        # other filters may exclude every dead letter of a task that only dead letters know
        has_task = task and DeadLetterQueue(session.broker_client).find(DeadLetterFilter(task=task), limit=1)
        require_names(session.broker_client, session.monitor, task=None if has_task else task, queue=queue)
    now = session.clock.now()
    columns = ("id", "queue", "+task", "+reason", "exception", "~error", "->attempts", "+>age")
    content = build_table(*columns, rows=[_row(letter, now) for letter in letters])
    notes = [] if letters else ["no dead letters"]
    print_result(CommandResult([dead_letter_view(letter) for letter in letters], content, notes), as_json=as_json)


@app.command()
@tables
def show(id: Id, as_json: AsJson = False) -> None:
    """Show one dead letter with its arguments, every failed attempt and the traceback.

    JSON: one object with the keys of `dead-letters list`.

    Examples:
    - `financehub dead-letters show 5b1f0c9e`
    """
    session = Session()
    letter = DeadLetterQueue(session.broker_client).show(id)
    if letter is None:
        raise ConfigError(f"no dead letter has the id {id!r}; `financehub dead-letters list` shows the ids")
    record = dead_letter_view(letter)
    fields = [(name, value) for name, value in record.items() if name not in {"traceback", "failures", "raw"}]
    failures = [[each["at"], each["exception"], each["error"]] for each in record["failures"]]
    content: Content = [
        build_details(fields),
        build_table("failed at", "exception", "~error", rows=failures),
        plain_text(letter.traceback or letter.raw, keep_lines=True),
    ]
    print_result(CommandResult(record, content, _absences(session, [letter])), as_json=as_json)


@app.command()
def requeue(
    ids: Ids = None,
    queue: Queue = None,
    task: Task = None,
    exception: ExceptionName = None,
    reason: Reason = None,
    older_than: OlderThan = None,
    every: All = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Put dead letters back in their queues as new messages. Select them by id, by filters or with --all.

    The command asks for confirmation unless you give ids or --yes. The exit code is 1 if a dead letter was not
    requeued, or if nothing matched. A dead letter is kept if a worker would refuse its message.

    JSON: {requeued}, a list of ids.

    Examples:
    - `financehub dead-letters requeue --exception ProviderTimeoutError --yes`
    """
    session = Session()
    letters = DeadLetterQueue(session.broker_client, session.reader_settings.max_message_bytes)
    selection = _require_selection(_build_filter(ids, queue, task, exception, reason, older_than), every=every)
    _confirm("requeue", letters, selection, confirmed=bool(ids) or yes)
    refused: dict[str, str] = {}
    requeued = letters.requeue(selection, refused)
    _print_changed("requeued", requeued, ids, refused, _absences(session, requeued), as_json=as_json)


@app.command()
def purge(
    ids: Ids = None,
    queue: Queue = None,
    task: Task = None,
    exception: ExceptionName = None,
    reason: Reason = None,
    older_than: OlderThan = None,
    every: All = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete dead letters permanently. Select them by id, by filters or with --all.

    The command asks for confirmation unless you give ids or --yes. The exit code is 1 if a given id does not exist, or
    if nothing matched.

    JSON: {purged}, a list of ids.

    Examples:
    - `financehub dead-letters purge --queue medium --older-than 3d --yes`
    """
    letters = DeadLetterQueue(Session().broker_client)
    selection = _require_selection(_build_filter(ids, queue, task, exception, reason, older_than), every=every)
    _confirm("purge", letters, selection, confirmed=bool(ids) or yes)
    _print_changed("purged", letters.purge(selection), ids, {}, [], as_json=as_json)


def _build_filter(
    ids: list[str] | None,
    queue: str | None,
    task: str | None,
    exception: str | None,
    reason: str | None,
    older_than: str | None,
) -> DeadLetterFilter:
    try:
        older_than_seconds = parse_duration(older_than) if older_than else 0
    except ValueError as error:
        raise ConfigError(f"--older-than: {error}") from error
    return DeadLetterFilter(ids or None, queue, task, exception, reason, older_than_seconds)


def _require_selection(selection: DeadLetterFilter, *, every: bool) -> DeadLetterFilter:
    """Return the filter if the user selected dead letters explicitly, to prevent accidental changes."""
    if selection == MATCH_ALL and not every:
        raise ConfigError("select dead letters by id, by a filter such as --task or --older-than, or with --all")
    if selection != MATCH_ALL and every:
        raise ConfigError("--all cannot be combined with ids or filters; remove one of them")
    return selection


def _confirm(action: str, letters: DeadLetterQueue, selection: DeadLetterFilter, *, confirmed: bool) -> None:
    if confirmed:
        return
    count = len(letters.find(selection, limit=None))
    if not sys.stdin.isatty():
        raise ConfigError(
            f"{action} of {count} dead letters needs confirmation, but stdin is not a terminal; add --yes"
        )
    if count and not typer.confirm(f"{action.capitalize()} {count} dead letters?", err=True):
        raise typer.Exit(ExitCode.FAILED)


def _absences(session: Session, letters: Sequence[DeadLetter]) -> list[str]:
    """Return the lines that say which processes are missing to process the messages of dead letters again."""
    work = {(letter.queue, letter.task) for letter in letters if letter.task}
    processes = live_processes(session) if work else []
    absences = (missing_worker(processes, queue, task) for queue, task in sorted(work))
    lines = dict.fromkeys(absence.sentence("a requeued message") for absence in absences if absence)
    return list(lines)[:_REASONS_SHOWN]


def _print_changed(
    participle: str,
    changed: list[DeadLetter],
    ids: list[str] | None,
    refused: dict[str, str],
    absences: list[str],
    *,
    as_json: bool,
) -> None:
    """Print the dead letters that were requeued or deleted, and those that were not, with the reason."""
    changed_ids = [letter.id for letter in changed]
    unknown = [id for id in ids or [] if id not in changed_ids and id not in refused]
    notes = [f"not {participle}: {id}: {reason}" for id, reason in list(refused.items())[:_REASONS_SHOWN]]
    if len(refused) > _REASONS_SHOWN:
        notes.append(f"not {participle}: {len(refused) - _REASONS_SHOWN} more")
    if unknown:
        notes.append(f"not {participle} (unknown id): {', '.join(unknown)}")
    notes += absences
    code = ExitCode.OK if changed and not (unknown or refused) else ExitCode.FAILED
    result = CommandResult({participle: changed_ids}, f"{participle} {len(changed)}", notes, code)
    print_result(result, as_json=as_json)


def _row(letter: DeadLetter, now: float) -> list[object]:
    return [
        letter.id,
        letter.queue,
        letter.task,
        letter.reason,
        letter.exception,
        letter.error,
        letter.attempts,
        format_duration(now - letter.died_at),
    ]
