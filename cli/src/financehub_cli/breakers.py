"""`financehub breakers`: the circuit breakers of the upstreams, shared by the whole fleet."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

import redis
import typer

from financehub_cli.output import AsJson, View, iso, present, span, table
from financehub_cli.session import COMPLETION_TIMEOUT_SECONDS, Session, one_of
from financehub_shared.breaker import BreakerInfo, close, force_open, list_breakers, reset
from financehub_shared.core.errors import FinanceHubError
from financehub_shared.core.provider_specs import PROVIDERS

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="The circuit breakers, one per upstream, shared by all processes.",
)

_TIMES = ("since", "open_until", "last_error_at")


def _complete(incomplete: str) -> list[str]:
    try:
        known = list_breakers(Session(timeout=COMPLETION_TIMEOUT_SECONDS).store_client)
    except FinanceHubError:
        return []
    return [each.upstream for each in known if each.upstream.startswith(incomplete)]


Upstreams = Annotated[list[str], typer.Argument(metavar="UPSTREAM", autocompletion=_complete)]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the breakers that were ever used.

    JSON: a list of {upstream, state, forced, reason, since, open_until, calls, failures, trips, last_error,
    last_error_at}; state is closed, open or half-open, calls and failures count within the window, trips counts
    openings in a row.
    """
    present(_view(Session()), as_json=as_json)


@app.command("open")
def open_(upstreams: Upstreams, as_json: AsJson = False) -> None:
    """Let nothing pass to an upstream until it is closed or reset. JSON: as of `breakers list`, those upstreams."""
    _apply(force_open, upstreams, as_json=as_json)


@app.command("close")
def close_(upstreams: Upstreams, as_json: AsJson = False) -> None:
    """Let calls pass again and count anew; the growth of its open time is kept. JSON: as of `breakers open`."""
    _apply(close, upstreams, as_json=as_json)


@app.command("reset")
def reset_(upstreams: Upstreams, as_json: AsJson = False) -> None:
    """Make a breaker as new. JSON: as of `breakers open`."""
    _apply(reset, upstreams, as_json=as_json)


def _apply(change: "Callable[[redis.Redis, str], Any]", upstreams: list[str], *, as_json: bool) -> None:
    session = Session()
    # the breaker of a provider can be opened before it was ever used
    known = {*PROVIDERS, *(each.upstream for each in list_breakers(session.store_client))}
    for upstream in [one_of("upstream", upstream, known) for upstream in upstreams]:
        change(session.store_client, upstream)
    present(_view(session, upstreams), as_json=as_json)


def _view(session: Session, upstreams: list[str] | None = None) -> View:
    every = list_breakers(session.store_client)
    shown = [each for each in every if upstreams is None or each.upstream in upstreams]
    now = session.clock.now()
    columns = ("upstream", "state", "reason", ">for", ">probe in", ">failures", ">calls", ">trips", "last error")
    notes = [] if shown else ["no breaker was used yet"]
    return View([_record(each) for each in shown], table(*columns, rows=[_row(each, now) for each in shown]), notes)


def _record(info: BreakerInfo) -> dict[str, Any]:
    record = asdict(info)
    return record | {name: iso(record[name]) for name in _TIMES}


def _row(info: BreakerInfo, now: float) -> list[object]:
    return [
        info.upstream,
        f"{info.state} (forced)" if info.forced else info.state,
        info.reason,
        span(now - info.since) if info.since else "",
        span(info.open_until - now) if info.open_until else "",
        info.failures,
        info.calls,
        info.trips,
        info.last_error,
    ]
