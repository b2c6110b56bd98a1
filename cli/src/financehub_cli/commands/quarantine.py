"""`financehub quarantine`: data that failed validation."""

from typing import Annotated, Any

import typer

from financehub_cli.options import AsJson
from financehub_cli.output.formats import iso_time
from financehub_cli.output.result import CommandResult, print_result
from financehub_cli.output.terminal import build_table
from financehub_cli.session import Session
from financehub_shared.core.durations import format_duration
from financehub_shared.core.models import Quarantined

Limit = Annotated[
    int,
    typer.Option(
        "--limit", "-n", min=1, max=5_000, help="Number of newest entries to read. Symbols are selected among these."
    ),
]
SymbolsOrFeeds = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SYMBOL", help="The symbols, or for news the feeds, to show. By default, all entries are shown."
    ),
]


def quarantine(symbols: SymbolsOrFeeds = None, limit: Limit = 100, as_json: AsJson = False) -> None:
    """Show quotes, bars and news items that failed validation, newest first, each with its reason.

    Other commands never show rejected data. If a quote is rejected, the previous quote stays valid.

    JSON: a list of {kind, symbol, provider, reason, payload, at, age_seconds}. payload is the data as the provider
    delivered it, limited to 2,000 characters.

    Examples:
    - `financehub quarantine`
    - `financehub quarantine VOD.L --limit 1000`
    - `financehub quarantine --json | jq -r '.[].reason'`
    """
    session = Session()
    selected = {symbol.casefold() for symbol in symbols or ()}
    entries = session.store.quarantined(limit=limit)
    now = session.clock.now()
    records = [_as_json(entry, now) for entry in entries if not selected or entry.symbol.casefold() in selected]
    notes = [] if records else ["nothing in quarantine" + (f" for {', '.join(symbols)}" if symbols else "")]
    content = build_table(">age", "kind", "symbol", "provider", "reason", rows=map(_row, records))
    print_result(CommandResult(records, content, notes), as_json=as_json)


def _as_json(entry: Quarantined, now: float) -> dict[str, Any]:
    return {
        "kind": entry.kind,
        "symbol": entry.symbol,
        "provider": entry.provider,
        "reason": entry.reason,
        "payload": entry.payload,
        "at": iso_time(entry.at),
        "age_seconds": round(now - entry.at, 3),
    }


def _row(record: dict[str, Any]) -> list[object]:
    age = format_duration(record["age_seconds"])
    return [age, record["kind"], record["symbol"], record["provider"], record["reason"]]
