"""`financehub indicators`: the technical indicators."""

from collections.abc import Mapping
from typing import Annotated

import typer

from financehub_cli.listing import listing
from financehub_cli.options import AsJson, Interval, Symbols, Watch
from financehub_cli.output.result import CommandResult, print_or_watch
from financehub_cli.output.table import build_table
from financehub_cli.output.terminal import Content
from financehub_cli.session import Session
from financehub_shared.core.durations import format_duration
from financehub_shared.core.models import IndicatorValues
from financehub_shared.market.unreadable import Unreadable
from financehub_shared.views.bars import last_rows
from financehub_shared.views.indicators import IndicatorDayView, IndicatorsView, indicators_view

#: Number of indicators in the table of all assets. The table of one asset shows every indicator.
SUMMARY_INDICATORS = 6

Last = Annotated[
    int,
    typer.Option("--last", min=0, max=1_000, help="Number of newest days to show in addition to the newest values."),
]


@listing(IndicatorsView)
def indicators(
    symbols: Symbols = None, last: Last = 0, as_json: AsJson = False, watch: Watch = False, interval: Interval = 5.0
) -> None:
    """Show the newest technical indicators with their age and engine.

    With symbols, the command shows every indicator of each asset. The exit code is 1 if one of the given symbols has no
    indicators yet.

    JSON: a list of {symbol, engine, computed_at, age_seconds, last_day, values, series}. values maps each indicator
    that is defined to its newest value. series holds the newest --last days, oldest first, each as {day, values}.

    Examples:
    - `financehub indicators`
    - `financehub indicators AAPL`
    - `financehub indicators BTC-USD --last 30 --json`
    """
    session = Session()
    print_or_watch(lambda: _collect(session, symbols, last), as_json=as_json, watch=watch, interval=interval)


def _collect(session: Session, symbols: list[str] | None, last: int) -> CommandResult:
    assets = session.find_assets(symbols)
    unreadable: Unreadable = {}
    stored = session.store.indicators([asset.symbol for asset in assets], unreadable=unreadable)
    missing = [asset.symbol for asset in assets if asset.symbol not in {*stored, *unreadable}]
    now = session.clock.now()
    records = [_read_view(session, stored[asset.symbol], now, last) for asset in assets if asset.symbol in stored]
    notes = [f"no indicators yet: {', '.join(missing)}"] if missing else []
    content = list(map(_asset_table, records)) if symbols else _summary_table(records)
    return CommandResult(records, content, notes, session.exit_code(symbols, len(records)))


def _read_view(session: Session, newest: IndicatorValues, now: float, last: int) -> IndicatorsView:
    """Return the view of the newest values, with the values of the newest `last` days."""
    series = session.store.indicator_series(newest.symbol) if last else None
    return indicators_view(newest, now, series, last_rows(len(series.days), last) if series else range(0))


def _asset_table(record: IndicatorsView) -> Content:
    """Return a table of one asset with one row per indicator and one column per day."""
    age = format_duration(record["age_seconds"])
    title = f"{record['symbol']}  {record['last_day']}  {record['engine']}  {age} old"
    newest: IndicatorDayView = {"day": record["last_day"], "values": record["values"]}
    days = record["series"] or [newest]
    rows = [[name, *(_value_cell(day["values"], name) for day in days)] for name in record["values"]]
    return build_table("indicator", *(f">{day['day']}" for day in days), rows=rows, title=title)


def _summary_table(records: list[IndicatorsView]) -> Content:
    """Return a table with one row per asset and one column for each of the first indicators."""
    names = list(dict.fromkeys(name for record in records for name in record["values"]))[:SUMMARY_INDICATORS]
    rows = [
        [
            record["symbol"],
            record["last_day"],
            format_duration(record["age_seconds"]),
            *(_value_cell(record["values"], name) for name in names),
        ]
        for record in records
    ]
    return build_table("symbol", "+day", ">age", *(f">{name}" for name in names), rows=rows)


def _value_cell(values: Mapping[str, float], name: str) -> str:
    return f"{values[name]:,.6g}" if name in values else ""
