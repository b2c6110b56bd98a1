"""`financehub breakers`: the circuit breakers of the upstreams, which the whole fleet shares."""

from collections.abc import Callable
from typing import Annotated, Any

import redis
import typer

from financehub_cli.completion import complete_upstreams
from financehub_cli.exit_codes import ExitCode
from financehub_cli.groups import new_group
from financehub_cli.options import AsJson
from financehub_cli.output.result import CommandResult, print_result
from financehub_cli.output.terminal import build_table
from financehub_cli.session import Session
from financehub_shared.breaker import BreakerInfo, close, force_open, list_breakers, reset
from financehub_shared.core.durations import format_duration
from financehub_shared.core.errors import ConfigError
from financehub_shared.core.near_names import require_known
from financehub_shared.core.provider_specs import PROVIDERS
from financehub_shared.views.breakers import breaker_view

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


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the breakers that have been used.

    JSON: a list of {upstream, state, forced, reason, since, open_until, calls, failures, trips, last_error,
    last_error_at, problem}. state is closed, open or half-open, calls and failures are counts within the window, and
    trips is the number of openings in a row. problem says why a record cannot be read, and is usually empty.
    """
    print_result(_collect(Session()), as_json=as_json)


@app.command("open")
def open_(upstreams: Upstreams, as_json: AsJson = False) -> None:
    """Reject all calls to the upstreams until you close or reset their breakers.

    JSON: a list of the changed breakers, with the keys of `breakers list`.
    """
    _change(force_open, upstreams, as_json=as_json)


@app.command("close")
def close_(upstreams: Upstreams, as_json: AsJson = False) -> None:
    """Allow calls to the upstreams and restart the counts.

    A breaker that opened several times in a row keeps its longer open time.

    JSON: a list of the changed breakers, with the keys of `breakers list`.
    """
    _change(close, upstreams, as_json=as_json)


@app.command("reset")
def reset_(upstreams: Upstreams, as_json: AsJson = False) -> None:
    """Replace the upstreams' breakers with new, closed ones.

    JSON: a list of the changed breakers, with the keys of `breakers list`.
    """
    _change(reset, upstreams, as_json=as_json)


def _change(change: "Callable[[redis.Redis, str], Any]", upstreams: list[str], *, as_json: bool) -> None:
    session = Session()
    used = [info.upstream for info in list_breakers(session.store_client)]
    changed = [name for upstream in upstreams for name in _breaker_names(upstream, used)]
    for name in changed:
        change(session.store_client, name)
    print_result(_collect(session, changed), as_json=as_json)


def _breaker_names(upstream: str, used: list[str]) -> list[str]:
    """Return the names of an upstream's breakers. There are several if each of its parts has its own.

    Args:
        upstream: Name of a provider or of a breaker that has been used. The breaker of a provider without parts can be
            changed before its first use.
        used: Names of all breakers that have been used.

    Raises:
        ConfigError: The upstream is unknown, or none of its parts has been used.
    """
    require_known("upstream", upstream, {*PROVIDERS, *used})
    if upstream not in PROVIDERS or not PROVIDERS[upstream].has_parts:
        return [upstream]
    parts = [name for name in used if name.startswith(f"{upstream}:")]
    if not parts:
        raise ConfigError(f"{upstream}: each of its feeds has its own breaker, and none has been used yet")
    return parts


def _collect(session: Session, upstreams: list[str] | None = None) -> CommandResult:
    breakers = [info for info in list_breakers(session.store_client) if upstreams is None or info.upstream in upstreams]
    now = session.clock.now()
    columns = ("upstream", "state", "reason", ">for", ">probe in", ">failures", ">calls", ">trips", "last error")
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
    ]
