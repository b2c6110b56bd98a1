"""`financehub quarantine`: data that was rejected, and why."""

from collections.abc import Sequence
from typing import Annotated

import typer

from financehub_cli.listing import listing
from financehub_cli.options import AsJson
from financehub_cli.output.result import CommandResult, print_result
from financehub_cli.output.table import build_table
from financehub_cli.session import Session
from financehub_shared.core.durations import format_age
from financehub_shared.core.models import REJECTED_KINDS, Quarantined
from financehub_shared.core.near_names import require_known
from financehub_shared.views.quarantine import QuarantineView, quarantine_view

Limit = Annotated[
    int,
    typer.Option("--limit", "-n", min=1, max=20_000, help="Maximum number of records. The last rejected come first."),
]
SymbolsOrFeeds = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SYMBOL", help="The symbols, or for news the feeds, to show. By default, all records are shown."
    ),
]
SymbolOption = Annotated[
    list[str] | None,
    typer.Option("--symbol", metavar="SYMBOL", help="The same as SYMBOL. You can repeat this option."),
]
KindFilter = Annotated[
    str | None, typer.Option("--kind", metavar="KIND", help="Only this kind of data: quote, bar or news.")
]
Clear = Annotated[
    bool, typer.Option("--clear", help="Delete all selected records instead of showing them. --limit has no effect.")
]


@listing(QuarantineView)
def quarantine(
    symbols: SymbolsOrFeeds = None,
    symbol: SymbolOption = None,
    kind: KindFilter = None,
    limit: Limit = 100,
    clear: Clear = False,
    as_json: AsJson = False,
) -> None:
    """Show data that was rejected, and why.

    The table has the times of the first and last rejection, and the number of rejections.

    There is one record for each kind of data, symbol, provider and class of reason. The class is the part of the reason
    before the colon. The reason and the payload are those of the last rejection. Other commands never show rejected
    data. If a quote is rejected, the previous quote remains.

    JSON: a list of {kind, symbol, provider, reason, payload, first_at, at, age_seconds, count}. at and age_seconds
    belong to the last rejection. payload is the data as the provider delivered it, limited to 2,000 characters. With
    --clear, the result is {cleared}, the number of deleted records.

    Examples:
    - `financehub quarantine`
    - `financehub quarantine VOD.L --kind quote`
    - `financehub quarantine --json | jq -r '.[].reason'`
    - `financehub quarantine DEAD-USD --clear`
    """
    if kind is not None:
        require_known("kind", kind, REJECTED_KINDS)
    session = Session()
    selected = list(dict.fromkeys(each.casefold() for each in (*(symbols or ()), *(symbol or ()))))
    filters: Sequence[str | None] = selected or [None]
    if clear:
        cleared = sum(session.store.clear_quarantined(kind=kind, symbol=each) for each in filters)
        line = f"deleted {cleared} record{'s' * (cleared != 1)}"
        print_result(CommandResult({"cleared": cleared}, line), as_json=as_json)
        return
    found = [record for each in filters for record in session.store.quarantined(kind=kind, symbol=each, limit=limit)]
    newest_first = sorted(found, key=lambda record: -record.at)[:limit]
    now = session.clock.now()
    notes = [] if found else [" ".join(["nothing in quarantine", *_describe_filters(kind, symbols, symbol)])]
    columns = ("symbol", "kind", "+provider", "!~reason", "->first seen", "+>last seen", ">count")
    content = build_table(*columns, rows=[_row(record, now) for record in newest_first])
    shown = [quarantine_view(record, now) for record in newest_first]
    print_result(CommandResult(shown, content, notes, session.exit_code()), as_json=as_json)


def _describe_filters(kind: str | None, *symbols: Sequence[str] | None) -> list[str]:
    names = [name for group in symbols for name in group or ()]
    return [f"of the kind {kind}"] * (kind is not None) + [f"for {', '.join(names)}"] * bool(names)


def _row(record: Quarantined, now: float) -> list[object]:
    return [
        record.symbol,
        record.kind,
        record.provider,
        record.reason,
        format_age(record.first_at, now),
        format_age(record.at, now),
        record.count,
    ]
