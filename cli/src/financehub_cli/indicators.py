"""`financehub indicators`: the technical indicators."""

import math
from typing import Annotated, Any

import typer
from rich.console import Group

from financehub_cli.outcome import ExitCode
from financehub_cli.output import AsJson, Every, View, Watch, iso, iso_day, present_or_watch, span, table
from financehub_cli.quotes import Symbols
from financehub_cli.session import Session
from financehub_shared.core.models import IndicatorValues

#: Outputs that the table of many assets shows; one asset shows all.
SHOWN = 6


Last = Annotated[int, typer.Option("--last", min=0, max=1_000, help="Also the series: so many of the newest days.")]


def indicators(
    symbols: Symbols = None, last: Last = 0, as_json: AsJson = False, watch: Watch = False, every: Every = 5.0
) -> None:
    """Newest technical indicators, with age and engine.

    With symbols: every output of each. Ends with 1 if a symbol that was asked for has none yet.

    JSON: a list of {symbol, engine, computed_at, age_seconds, last_day, values, series}; values maps each output that
    is defined to its newest value, series holds the newest --last of {day, values}, oldest first.

    Examples:
    - `financehub indicators`
    - `financehub indicators AAPL`
    - `financehub indicators BTC-USD --last 30 --json`
    """
    session = Session()
    present_or_watch(lambda: look(session, symbols, last), as_json=as_json, watch=watch, every=every)


def look(session: Session, symbols: list[str] | None, last: int) -> View:
    """The indicators of these symbols, or of all active assets."""
    assets = session.assets(symbols)
    stored = session.store.indicators([asset.symbol for asset in assets])
    missing = [asset.symbol for asset in assets if asset.symbol not in stored]
    now = session.clock.now()
    records = [
        _record(stored[asset.symbol], now) | {"series": _series(session, asset.symbol, last)}
        for asset in assets
        if asset.symbol in stored
    ]
    notes = [f"no indicators yet: {', '.join(missing)}"] if missing else []
    shown = Group(*map(_all_of_one, records)) if symbols else _some_of_all(records)
    return View(records, shown, notes, ExitCode.FAILED if missing and symbols else ExitCode.OK)


def _record(newest: IndicatorValues, now: float) -> dict[str, Any]:
    return {
        "symbol": newest.symbol,
        "engine": newest.engine,
        "computed_at": iso(newest.computed_at),
        "age_seconds": round(now - newest.computed_at, 3),
        "last_day": iso_day(newest.last_day),
        "values": dict(newest.values),
    }


def _series(session: Session, symbol: str, last: int) -> list[dict[str, Any]]:
    found = session.store.indicator_series(symbol) if last else None
    if found is None:
        return []
    places = range(max(0, len(found.days) - last), len(found.days))
    return [
        {
            "day": iso_day(found.days[place]),
            "values": {name: column[place] for name, column in found.series.items() if not math.isnan(column[place])},
        }
        for place in places
    ]


def _all_of_one(record: dict[str, Any]) -> Any:
    title = f"{record['symbol']}  {record['last_day']}  {record['engine']}  {span(record['age_seconds'])} old"
    days = record["series"] or [{"day": record["last_day"], "values": record["values"]}]
    rows = [
        [name, *(f"{each['values'][name]:,.6g}" if name in each["values"] else "" for each in days)]
        for name in record["values"]
    ]
    return table("indicator", *(f">{each['day']}" for each in days), rows=rows, title=title)


def _some_of_all(records: list[dict[str, Any]]) -> Any:
    names = list(dict.fromkeys(name for record in records for name in record["values"]))[:SHOWN]
    rows = [
        [
            record["symbol"],
            record["last_day"],
            span(record["age_seconds"]),
            *(f"{record['values'][name]:,.6g}" if name in record["values"] else "" for name in names),
        ]
        for record in records
    ]
    return table("symbol", "day", ">age", *(f">{name}" for name in names), rows=rows)
