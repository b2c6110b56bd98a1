"""`financehub breakers`: the circuit breakers of the upstreams, which the whole fleet shares."""

from typing import Annotated

import typer

from financehub_cli.completion import complete_upstreams
from financehub_cli.exit_codes import ExitCode
from financehub_cli.groups import new_group
from financehub_cli.listing import listing, tables
from financehub_cli.options import AsJson
from financehub_cli.output.result import CommandResult, print_result
from financehub_cli.output.table import build_table
from financehub_cli.session import Session
from financehub_cli.user import current_user
from financehub_shared.breaker import BreakerInfo, ChangeByHand, list_breakers
from financehub_shared.core.durations import format_age, format_duration
from financehub_shared.operations.breakers import change_breakers
from financehub_shared.views.breakers import BreakerView, breaker_view

app = new_group("List, open, close and reset circuit breakers. There is one per upstream, shared by all processes.")

Upstreams = Annotated[
    list[str],
    typer.Argument(
        metavar="UPSTREAM",
        help="The upstreams, such as binance. `breakers list` shows those that have been used. Each feed has its own "
        "breaker, so rss means all feeds that have been used.",
        autocompletion=complete_upstreams,
    ),
]
Reason = Annotated[
    str,
    typer.Option("--reason", help="The reason, which `breakers list` shows. Only the first 200 characters are kept."),
]


@app.command("list")
@listing(BreakerView)
def list_(as_json: AsJson = False) -> None:
    """List the breakers that have been used.

    JSON: a list of {upstream, state, forced, reason, since, open_until, calls, failures, trips, last_error,
    last_error_at, problem, change}. state is closed, open or half-open, calls and failures are counts within the
    window, and trips is the number of openings in a row. problem says why a record cannot be read, and is usually
    empty. change is the last change by an operator as {action, by, reason, at}, or null.

    Examples:
    - `financehub breakers list`
    """
    print_result(_collect(Session()), as_json=as_json)


@app.command("open")
@tables
def open_(upstreams: Upstreams, reason: Reason = "", as_json: AsJson = False) -> None:
    """Reject all calls to the upstreams until you close or reset their breakers.

    JSON: a list of the changed breakers, with the keys of `breakers list`.

    Examples:
    - `financehub breakers open binance --reason "the provider is being replaced"`
    """
    _change("open", upstreams, reason, as_json=as_json)


@app.command("close")
@tables
def close_(upstreams: Upstreams, reason: Reason = "", as_json: AsJson = False) -> None:
    """Allow calls to the upstreams and restart the counts.

    A breaker that opened several times in a row keeps its longer open time.

    JSON: a list of the changed breakers, with the keys of `breakers list`.

    Examples:
    - `financehub breakers close binance`
    """
    _change("close", upstreams, reason, as_json=as_json)


@app.command("reset")
@tables
def reset_(upstreams: Upstreams, reason: Reason = "", as_json: AsJson = False) -> None:
    """Replace the upstreams' breakers with new, closed ones.

    JSON: a list of the changed breakers, with the keys of `breakers list`.

    Examples:
    - `financehub breakers reset binance yahoo`
    """
    _change("reset", upstreams, reason, as_json=as_json)


def _change(action: str, upstreams: list[str], reason: str, *, as_json: bool) -> None:
    session = Session()
    changed = change_breakers(session.store_client, action, upstreams, by=current_user(), reason=reason)
    print_result(_collect(session, changed), as_json=as_json)


def _collect(session: Session, upstreams: list[str] | None = None) -> CommandResult:
    breakers = [info for info in list_breakers(session.store_client) if upstreams is None or info.upstream in upstreams]
    now = session.clock.now()
    columns = (
        "upstream",
        "!state",
        "+~reason",
        "+>for",
        ">probe in",
        ">failures",
        ">calls",
        "->trips",
        "~last error",
        "-~changed by hand",
    )
    content = build_table(*columns, rows=[_row(info, now) for info in breakers])
    problems = [info.problem for info in breakers if info.problem]
    notes = problems if breakers else ["no breaker has been used yet"]
    code = ExitCode.FAILED if problems else ExitCode.OK
    return CommandResult([breaker_view(info) for info in breakers], content, notes, code)


def _row(info: BreakerInfo, now: float) -> list[object]:
    return [
        info.upstream,
        f"{info.state} (forced)" if info.forced else info.state,
        info.reason,
        format_duration(now - info.since) if info.since else "",
        format_duration(info.open_until - now) if info.open_until else "",
        info.failures,
        info.calls,
        info.trips,
        info.last_error,
        _describe_change(info.change, now) if info.change else "",
    ]


def _describe_change(change: ChangeByHand, now: float) -> str:
    reason = f": {change.reason}" if change.reason else ""
    return f"{change.action} by {change.by}, {format_age(change.at, now)}{reason}"
