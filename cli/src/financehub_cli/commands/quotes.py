"""`financehub quotes`: the latest prices."""

from typing import Annotated

import typer

from financehub_cli.listing import listing
from financehub_cli.options import AsJson, Interval, Symbols, Watch
from financehub_cli.output.formats import age_cell, readable_price
from financehub_cli.output.result import CommandResult, print_or_watch
from financehub_cli.output.table import build_table
from financehub_cli.output.text import Styled
from financehub_cli.session import Session
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Quality
from financehub_shared.health.freshness import dataset_limits
from financehub_shared.market.unreadable import Unreadable
from financehub_shared.views.quotes import QuoteView, quote_view

TypeFilter = Annotated[AssetType | None, typer.Option("--type", help="Show only prices of assets of this type.")]
OnlyStale = Annotated[bool, typer.Option("--stale", help="Show only prices that are stale.")]


@listing(QuoteView)
def quotes(
    symbols: Symbols = None,
    type: TypeFilter = None,
    stale: OnlyStale = False,
    as_json: AsJson = False,
    watch: Watch = False,
    interval: Interval = 2.0,
) -> None:
    """Show the latest prices with their age and provider.

    A price is stale if two runs of its task were due after it was fetched and had time to finish. This command
    assumes the default schedule of the task, and `financehub status` uses the registered schedules instead. If the
    quality of a price is not good, the note says why. The exit code is 1 if one of the given symbols has no price yet.

    JSON: a list of {symbol, type, price, currency, change_percent, volume, provider, upstream_at, fetched_at,
    age_seconds, stale, quality, note}. price, change_percent and volume are decimal numbers, written as strings.

    Examples:
    - `financehub quotes BTC-USD AAPL`
    - `financehub quotes --type crypto --sort -change_percent`
    - `financehub quotes --stale`
    - `financehub quotes --watch`
    - `financehub quotes --json | jq '.[].price'`
    """
    session = Session()
    print_or_watch(
        lambda: _collect(session, symbols, type, only_stale=stale), as_json=as_json, watch=watch, interval=interval
    )


def _collect(session: Session, symbols: list[str] | None, type: AssetType | None, *, only_stale: bool) -> CommandResult:
    named = session.find_assets(symbols)
    assets = [asset for asset in named if type in {None, asset.type}]
    unreadable: Unreadable = {}
    stored = session.store.quotes([asset.symbol for asset in assets], unreadable=unreadable)
    missing = [asset.symbol for asset in assets if asset.symbol not in {*stored, *unreadable}]
    now, limits = session.clock.now(), dataset_limits()
    records = [quote_view(asset, stored[asset.symbol], now, limits) for asset in assets if asset.symbol in stored]
    notes = [f"no quote yet: {', '.join(missing)}"] if missing else []
    others = [asset.symbol for asset in named if symbols and asset not in assets]
    if others:
        notes.append(f"of another type: {', '.join(others)}")
    code = session.exit_code(symbols, len(records) + len(others))
    if only_stale:
        fresh = len(records)
        records = [record for record in records if record["stale"]]
        if fresh and not records:
            notes.append("no price is stale")
    columns = ("symbol", "!>price", "+currency", ">change", "+>age", "provider", "+quality", "-~note")
    return CommandResult(records, build_table(*columns, rows=map(_row, records)), notes, code)


def _row(record: QuoteView) -> list[object]:
    change = record["change_percent"]
    return [
        record["symbol"],
        readable_price(record["price"]),
        record["currency"],
        change and Styled(f"{float(change):+.2f}%", "red" if change.startswith("-") else "green"),
        age_cell(record["age_seconds"], stale=record["stale"]),
        record["provider"],
        record["quality"] if record["quality"] == Quality.GOOD else Styled(record["quality"], "yellow"),
        record["note"],
    ]
