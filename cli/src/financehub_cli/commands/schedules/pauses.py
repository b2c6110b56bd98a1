"""`schedules pause` and `schedules resume`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from financehub_cli.commands.schedules.group import app
from financehub_cli.commands.schedules.rendering import schedules_result
from financehub_cli.completion import complete_schedules
from financehub_cli.listing import tables
from financehub_cli.options import AsJson
from financehub_cli.output.result import print_result
from financehub_cli.session import Session
from financehub_cli.user import current_user
from financehub_shared.core.chunks import chunks
from financehub_shared.core.errors import ConfigError
from financehub_shared.operations.schedules import MAX_SCHEDULES, pause_schedules, resume_schedules
from financehub_shared.schedules import all_schedules, find_schedules, list_schedules
from financehub_shared.schedules.pauses import check_reason

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME",
        help="The schedules, as namespace/name. The name is enough if it is unique.",
        autocompletion=complete_schedules,
    ),
]
Reason = Annotated[
    str,
    typer.Option(
        "--reason",
        metavar="TEXT",
        help="The reason, which `schedules list` shows, in at most 200 characters. It is required.",
        show_default=False,
    ),
]
All = Annotated[bool, typer.Option("--all", help="Select every registered schedule.")]


@app.command()
@tables
def pause(names: Names = None, reason: Reason = "", every: All = False, as_json: AsJson = False) -> None:
    """Pause schedules, which then enqueue no due runs until you resume them. Select them by name or with --all.

    You can still run a paused schedule with `schedules trigger` and `schedules backfill`, and runs that are queued or
    running go on. A schedule that is already paused keeps its first reason. No file and no ScheduledTask is changed. If
    one of the names is unknown, nothing is paused.

    JSON: a list of the schedules, with the keys of `schedules list`.

    Examples:
    - `financehub schedules pause fetch-news --reason "the feed delivers old articles"`
    - `financehub schedules pause --all --reason "maintenance of Redis"`
    """
    _check_selection(names, every=every, also="" if reason else ", and say why with --reason TEXT")
    check_reason(reason)
    session = Session()
    selected = _select(session, names)
    user = current_user()
    # with --all, there may be more than one request may change
    paused = [
        name
        for some in chunks(selected, MAX_SCHEDULES if every else len(selected))
        for name in pause_schedules(session.broker_client, some, reason, user)
    ]
    _print_selected(session, selected, paused, "was paused before and keeps its reason", as_json=as_json)


@app.command()
@tables
def resume(names: Names = None, every: All = False, as_json: AsJson = False) -> None:
    """Resume paused schedules. The due times that passed in the meantime are not caught up.

    This also resumes schedules that FinanceHub has paused because of `pauseAfterFailures`, and starts that count again.
    If one of the names is unknown, nothing is resumed.

    JSON: a list of the schedules, with the keys of `schedules list`. With --all, only those that were paused.

    Examples:
    - `financehub schedules resume fetch-news health-check`
    - `financehub schedules resume --all`
    """
    _check_selection(names, every=every)
    session = Session()
    selected = _select(session, names)
    resumed = [
        name
        for some in chunks(selected, MAX_SCHEDULES if every else len(selected))
        for name in resume_schedules(session.broker_client, some)
    ]
    _print_selected(session, resumed if every else selected, resumed, "was not paused", as_json=as_json)


def _check_selection(names: Sequence[str] | None, *, every: bool, also: str = "") -> None:
    """Check that the user has selected schedules.

    Args:
        names: The names that the user has written.
        every: Whether the user has written --all.
        also: What else is missing, for the message.

    Raises:
        ConfigError: None is selected, or names are combined with --all.
    """
    if names and every:
        raise ConfigError("--all cannot be combined with names; remove one of them")
    if not names and not every:
        raise ConfigError(f"name the schedules, or select all of them with --all{also}")


def _select(session: Session, names: Sequence[str] | None) -> list[str]:
    """Return the names of the schedules that the user has selected. No names select all schedules.

    Raises:
        ConfigError: No schedule is registered.
    """
    selected = list(names or all_schedules(session.broker_client))
    if not selected:
        raise ConfigError("no schedule is registered; a scheduler registers them when it starts")
    return selected


def _print_selected(
    session: Session, selected: Sequence[str], changed: Sequence[str], note: str, *, as_json: bool
) -> None:
    """Print the schedules that the user has selected, with a note for each that the command has not changed."""
    named = {name for _, name in find_schedules(session.broker_client, selected)}
    infos = [info for info in list_schedules(session.broker_client) if info.name in named]
    notes = [f"{info.name} {note}" for info in infos if info.name not in changed]
    if not infos:
        notes.append("nothing was changed, because no schedule is paused")
    print_result(schedules_result(infos, session.clock.now(), notes), as_json=as_json)
