"""`financehub news`: the articles."""

from typing import Annotated, Any

import typer

from financehub_cli.output import AsJson, Every, View, Watch, iso, present_or_watch, span, table
from financehub_cli.quotes import Symbols
from financehub_cli.session import Session
from financehub_shared.core.models import NewsItem

Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000, help="At most so many articles.")]


def news(
    symbols: Symbols = None, limit: Limit = 20, as_json: AsJson = False, watch: Watch = False, every: Every = 5.0
) -> None:
    """Newest articles, of all assets or of those that are named.

    JSON: a list, newest first, of {id, title, url, source, provider, published_at, fetched_at, age_seconds, assets}.

    Examples:
    - `financehub news`
    - `financehub news BTC-USD AAPL --limit 5`
    - `financehub news --json | jq -r '.[].url'`
    """
    session = Session()
    present_or_watch(lambda: look(session, symbols, limit), as_json=as_json, watch=watch, every=every)


def look(session: Session, symbols: list[str] | None, limit: int) -> View:
    """The newest articles that name one of these symbols, or all."""
    if symbols:
        named = [item for asset in session.assets(symbols) for item in session.store.news(asset.symbol, limit=limit)]
        items = sorted({item.id: item for item in named}.values(), key=lambda item: -item.published_at)[:limit]
    else:
        items = session.store.news(limit=limit)
    now = session.clock.now()
    records = [_record(item, now) for item in items]
    rows = [[span(each["age_seconds"]), each["source"], each["title"], " ".join(each["assets"])] for each in records]
    notes = [] if records else ["no news yet" if not symbols else f"no news of {', '.join(symbols)}"]
    return View(records, table(">age", "source", "title", "assets", rows=rows), notes)


def _record(item: NewsItem, now: float) -> dict[str, Any]:
    return {
        "id": item.id,
        "title": item.title,
        "url": item.url,
        "source": item.source,
        "provider": item.provider,
        "published_at": iso(item.published_at),
        "fetched_at": iso(item.fetched_at),
        "age_seconds": round(now - item.published_at, 3),
        "assets": list(item.assets),
    }
