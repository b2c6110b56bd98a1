"""`financehub quarantine`: what failed validation."""

from typing import Annotated, Any

import typer

from financehub_cli.output import AsJson, View, iso, present, span, table
from financehub_cli.session import Session
from financehub_shared.core.models import Quarantined

Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=5_000, help="Look at so many of the newest records.")]
Symbols = Annotated[
    list[str] | None, typer.Argument(metavar="[SYMBOL]...", help="Symbols, or feeds for news; default: all.")
]


def quarantine(symbols: Symbols = None, limit: Limit = 100, as_json: AsJson = False) -> None:
    """Quotes, bars and articles that failed validation, newest first, each with its reason.

    None of them is ever shown as data; a quote's predecessor stays in force.

    JSON: a list of {kind, symbol, provider, reason, payload, at, age_seconds}; payload is what was delivered, cut at
    2,000 characters.

    Examples:
    - `financehub quarantine`
    - `financehub quarantine VOD.L --limit 1000`
    - `financehub quarantine --json | jq -r '.[].reason'`
    """
    session = Session()
    wanted = {symbol.casefold() for symbol in symbols or ()}
    found = session.store.quarantined(limit=limit)
    now = session.clock.now()
    records = [_record(each, now) for each in found if not wanted or each.symbol.casefold() in wanted]
    rows = [
        [span(each["age_seconds"]), each["kind"], each["symbol"], each["provider"], each["reason"]] for each in records
    ]
    notes = [] if records else ["nothing in quarantine" + (f" of {', '.join(symbols)}" if symbols else "")]
    present(View(records, table(">age", "kind", "symbol", "provider", "reason", rows=rows), notes), as_json=as_json)


def _record(each: Quarantined, now: float) -> dict[str, Any]:
    return {
        "kind": each.kind,
        "symbol": each.symbol,
        "provider": each.provider,
        "reason": each.reason,
        "payload": each.payload,
        "at": iso(each.at),
        "age_seconds": round(now - each.at, 3),
    }
