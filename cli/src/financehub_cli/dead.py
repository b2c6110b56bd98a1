"""`financehub dead`: dead letters, looked at, put back or dropped."""

import re
import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Group

from financehub_cli.outcome import ExitCode, say
from financehub_cli.output import AsJson, View, iso, plain, present, span, table
from financehub_cli.session import Session
from financehub_cli.stats import complete_tasks
from financehub_shared.broker.dead_letter import DeadLetter
from financehub_shared.broker.dead_letters import DeadLetters, Filter
from financehub_shared.core.errors import ConfigError

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="""Messages that were given up: look at them, put them back or drop them.

    Filters narrow list, requeue and purge; several of them must all match.
    """,
)

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}

Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", help="As `dead list` shows them.")]
Queue = Annotated[str | None, typer.Option("--queue", help="Only of this queue.")]
Task = Annotated[str | None, typer.Option("--task", help="Only of this task.", autocompletion=complete_tasks)]
ExceptionName = Annotated[str | None, typer.Option("--exception", help="Only with this class of error.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Only given up for this reason.")]
OlderThan = Annotated[str | None, typer.Option("--older-than", metavar="AGE", help="Only older: 30m, 12h, 7d.")]
All = Annotated[bool, typer.Option("--all", help="Every dead letter.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command("list")
def list_(
    queue: Queue = None,
    task: Task = None,
    exception: ExceptionName = None,
    reason: Reason = None,
    older_than: OlderThan = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many, newest first.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List dead letters, newest first.

    JSON: a list of {id, queue, task, args, kwargs, message_id, reason, exception, error, traceback, tries, failures,
    enqueued_at, died_at, schedule, correlation_id, raw}.

    Examples:
    - `financehub dead list --task fetch_news_task`
    - `financehub dead list --older-than 1d --json`
    """
    session = Session()
    wanted = _filter(None, queue, task, exception, reason, older_than)
    present(
        _listing(DeadLetters(session.broker_client).find(wanted, limit=limit), session.clock.now()), as_json=as_json
    )


@app.command()
def show(
    id: Annotated[str, typer.Argument(metavar="ID", help="As `dead list` shows it.")], as_json: AsJson = False
) -> None:
    """Show one dead letter whole: arguments, every failed try, traceback.

    JSON: one object, as of `dead list`.
    """
    letter = DeadLetters(Session().broker_client).show(id)
    if letter is None:
        raise ConfigError(f"no dead letter has the id {id!r}; `financehub dead list` shows them")
    record = _record(letter)
    facts = [(name, value) for name, value in record.items() if name not in {"traceback", "failures", "raw"}]
    failures = [[iso(one["at"]), one.get("exception"), one.get("error")] for one in letter.failures]
    tries = table("failed at", "exception", "error", rows=failures)
    present(
        View(record, Group(table("", "", rows=facts), tries, plain(letter.traceback or letter.raw))), as_json=as_json
    )


@app.command()
def requeue(
    ids: Ids = None,
    queue: Queue = None,
    task: Task = None,
    exception: ExceptionName = None,
    reason: Reason = None,
    older_than: OlderThan = None,
    everything: All = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Put dead letters back into their queues, as new messages: by id, by filter, or --all.

    Asks first where no id is given. Ends with 1 if nothing matched.

    JSON: {requeued: [id]}.

    Examples:
    - `financehub dead requeue --exception ProviderTimeoutError --yes`
    """
    letters = DeadLetters(Session().broker_client)
    wanted = _chosen(ids, _filter(ids, queue, task, exception, reason, older_than), everything=everything)
    _confirm("requeue", letters, wanted, sure=bool(ids) or yes)
    _ended("requeued", letters.requeue(wanted), ids, as_json=as_json)


@app.command()
def purge(
    ids: Ids = None,
    queue: Queue = None,
    task: Task = None,
    exception: ExceptionName = None,
    reason: Reason = None,
    older_than: OlderThan = None,
    everything: All = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Drop dead letters for good: by id, by filter, or --all.

    Asks first where no id is given. Ends with 1 if nothing matched.

    JSON: {purged: [id]}.

    Examples:
    - `financehub dead purge --queue medium --older-than 3d --yes`
    """
    letters = DeadLetters(Session().broker_client)
    wanted = _chosen(ids, _filter(ids, queue, task, exception, reason, older_than), everything=everything)
    _confirm("purge", letters, wanted, sure=bool(ids) or yes)
    _ended("purged", letters.purge(wanted), ids, as_json=as_json)


def _filter(
    ids: list[str] | None,
    queue: str | None,
    task: str | None,
    exception: str | None,
    reason: str | None,
    older_than: str | None,
) -> Filter:
    return Filter(ids or None, queue, task, exception, reason, _seconds(older_than) if older_than else 0)


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    if match is None:
        raise ConfigError(f"--older-than {text!r}: write a number and s, m, h or d, such as 30m or 7d")
    return float(match[1]) * _UNITS[match[2]]


def _chosen(ids: list[str] | None, wanted: Filter, *, everything: bool) -> Filter:
    if wanted == Filter() and not everything:
        raise ConfigError("say which dead letters: ids, a filter (--queue --task --exception …) or --all")
    if everything and (ids or wanted != Filter()):
        raise ConfigError("--all and a filter contradict each other; leave one of them out")
    return wanted


def _confirm(what: str, letters: DeadLetters, wanted: Filter, *, sure: bool) -> None:
    if sure:
        return
    count = len(letters.find(wanted, limit=None))
    if not sys.stdin.isatty():
        raise ConfigError(f"{what} of {count} dead letters by filter: add --yes, there is nobody to ask")
    if count and not typer.confirm(f"{what} {count} dead letters?", err=True):
        raise typer.Exit(ExitCode.FAILED)


def _ended(done: str, gone: list[DeadLetter], ids: list[str] | None, *, as_json: bool) -> None:
    found = [letter.id for letter in gone]
    lost = [id for id in ids or [] if id not in found]
    if lost:
        say(f"not {done}, no such dead letter: {', '.join(lost)}")
    view = View({done: found}, f"{done} {len(found)}", [], ExitCode.OK if found and not lost else ExitCode.FAILED)
    present(view, as_json=as_json)


def _record(letter: DeadLetter) -> dict[str, Any]:
    failures = [{**one, "at": iso(one["at"])} for one in letter.failures]
    times = {"enqueued_at": iso(letter.enqueued_at), "died_at": iso(letter.died_at), "failures": failures}
    return asdict(letter) | times


def _listing(letters: list[DeadLetter], now: float) -> View:
    rows = [
        [each.id, each.queue, each.task, each.reason, each.exception, each.error, each.tries, span(now - each.died_at)]
        for each in letters
    ]
    columns = ("id", "queue", "task", "reason", "exception", "error", ">tries", ">age")
    return View([_record(each) for each in letters], table(*columns, rows=rows), [] if letters else ["no dead letters"])
