"""`financehub quotes`: the latest prices."""

from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.text import Text

from financehub_cli.outcome import ExitCode
from financehub_cli.output import AsJson, Every, View, Watch, iso, present_or_watch, span, table
from financehub_cli.session import Session, complete_symbols
from financehub_shared.core.models import Asset, Quote
from financehub_shared.health.periods import dataset_limits

Symbols = Annotated[
    list[str] | None,
    typer.Argument(metavar="SYMBOL", help="None: every active asset.", autocompletion=complete_symbols),
]


def quotes(symbols: Symbols = None, as_json: AsJson = False, watch: Watch = False, every: Every = 2.0) -> None:
    """Latest prices, with age and provider.

    A price is stale when two runs of its task were due since it was fetched. Ends with 1 if a symbol that
    was asked for has no price yet.

    JSON: a list of {symbol, type, price, currency, change_percent, volume, provider, upstream_at, fetched_at,
    age_seconds, stale, quality, note}; price, change_percent and volume are decimal strings.

    Examples:
    - `financehub quotes BTC-USD AAPL`
    - `financehub quotes --watch`
    - `financehub quotes --json | jq '.[].price'`
    """
    session = Session()
    present_or_watch(lambda: look(session, symbols), as_json=as_json, watch=watch, every=every)


def look(session: Session, symbols: list[str] | None) -> View:
    """The quotes of these symbols, or of all active assets."""
    assets = session.assets(symbols)
    stored = session.store.quotes([asset.symbol for asset in assets])
    missing = [asset.symbol for asset in assets if asset.symbol not in stored]
    now, limits = session.clock.now(), dataset_limits()
    records = [_record(asset, stored[asset.symbol], now, limits) for asset in assets if asset.symbol in stored]
    notes = [f"no quote yet: {', '.join(missing)}"] if missing else []
    code = ExitCode.FAILED if missing and symbols else ExitCode.OK
    columns = ("symbol", ">price", "currency", ">change", ">age", "provider", "note")
    return View(records, table(*columns, rows=map(_row, records)), notes, code)


def _record(asset: Asset, quote: Quote, now: float, limits: dict[str, float]) -> dict[str, Any]:
    age = now - quote.fetched_at
    return {
        "symbol": quote.symbol,
        "type": asset.type.value,
        "price": format(quote.price, "f"),
        "currency": quote.currency,
        "change_percent": None if quote.change_percent is None else format(quote.change_percent, "f"),
        "volume": None if quote.volume is None else format(quote.volume, "f"),
        "provider": quote.provider,
        "upstream_at": iso(quote.upstream_at),
        "fetched_at": iso(quote.fetched_at),
        "age_seconds": round(age, 3),
        "stale": age > limits[f"quotes:{asset.type}"],
        "quality": quote.quality.value,
        "note": quote.note,
    }


def readable_price(text: str) -> str:
    """A price with the digits that matter to people."""
    price = Decimal(text)
    digits = 2 if abs(price) >= 100 else max(0, 5 - price.adjusted()) if price else 0
    return f"{round(price, digits):,f}"


def _row(record: dict[str, Any]) -> list[object]:
    change, age = record["change_percent"], span(record["age_seconds"])
    return [
        record["symbol"],
        readable_price(record["price"]),
        record["currency"],
        change and Text(f"{float(change):+.2f}%", "red" if change.startswith("-") else "green"),
        Text(f"{age} stale", "yellow") if record["stale"] else age,
        record["provider"],
        record["note"],
    ]
