"""`financehub news`: the newest news items."""

from typing import Annotated

import typer

from financehub_cli.listing import listing
from financehub_cli.options import AsJson, Interval, Symbols, Watch
from financehub_cli.output.result import CommandResult, print_or_watch
from financehub_cli.output.table import build_table
from financehub_cli.session import Session
from financehub_shared.core.durations import format_duration
from financehub_shared.views.news import NewsView, news_view

Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000, help="Maximum number of news items.")]


@listing(NewsView)
def news(
    symbols: Symbols = None, limit: Limit = 20, as_json: AsJson = False, watch: Watch = False, interval: Interval = 5.0
) -> None:
    """Show the newest news items about the given symbols. Without symbols, show the newest of all news items.

    JSON: a list of {id, title, url, source, provider, published_at, fetched_at, age_seconds, assets}, newest first.

    Examples:
    - `financehub news`
    - `financehub news BTC-USD AAPL --limit 5`
    - `financehub news --json | jq -r '.[].url'`
    """
    session = Session()
    print_or_watch(lambda: _collect(session, symbols, limit), as_json=as_json, watch=watch, interval=interval)


def _collect(session: Session, symbols: list[str] | None, limit: int) -> CommandResult:
    assets = session.find_assets(symbols) if symbols else []
    if symbols:
        found = [item for asset in assets for item in session.store.news(asset.symbol, limit=limit)]
        items = sorted({item.id: item for item in found}.values(), key=lambda item: -item.published_at)[:limit]
    else:
        items = session.store.news(limit=limit)
    now = session.clock.now()
    records = [news_view(item, now) for item in items]
    notes = [] if records else [f"no news about {', '.join(symbols)}" if symbols else "no news yet"]
    content = build_table(">age", "source", "!~title", "-assets", rows=map(_row, records))
    return CommandResult(records, content, notes, session.exit_code(symbols, len(assets)))


def _row(record: NewsView) -> list[object]:
    return [format_duration(record["age_seconds"]), record["source"], record["title"], " ".join(record["assets"])]
