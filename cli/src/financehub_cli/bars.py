"""`financehub bars`: the daily bars."""

from typing import Annotated, Any

import typer
from rich.console import Group

from financehub_cli.outcome import ExitCode
from financehub_cli.output import AsJson, Every, View, Watch, iso_day, present_or_watch, table
from financehub_cli.quotes import Symbols
from financehub_cli.session import Session
from financehub_shared.core.models import Bars

#: Bars shown of each asset that was asked for by name.
DEFAULT_LAST = 10
_COLUMNS = ("open", "high", "low", "close", "volume")

Last = Annotated[
    int | None,
    typer.Option("--last", "-n", min=0, help=f"Newest bars of each; default {DEFAULT_LAST} with symbols, else 0."),
]


def bars(
    symbols: Symbols = None, last: Last = None, as_json: AsJson = False, watch: Watch = False, every: Every = 5.0
) -> None:
    """Daily bars, with their span, age and provider.

    Without symbols: what is stored of each active asset. Ends with 1 if a symbol that was asked for has none yet.

    JSON: a list of {symbol, provider, count, first_day, last_day, age_days, bars}; bars holds the newest --last of
    {day, open, high, low, close, volume}, oldest first.

    Examples:
    - `financehub bars`
    - `financehub bars AAPL --last 30`
    - `financehub bars BTC-USD --json`
    """
    session = Session()
    count = last if last is not None else DEFAULT_LAST if symbols else 0
    present_or_watch(lambda: look(session, symbols, count), as_json=as_json, watch=watch, every=every)


def look(session: Session, symbols: list[str] | None, last: int) -> View:
    """The bars of these symbols, or of all active assets."""
    names = [asset.symbol for asset in session.assets(symbols)]
    stored = session.store.bars(names)
    missing = [name for name in names if name not in stored]
    today = int(session.clock.now() // 86_400)
    records = [_record(stored[name], today, last) for name in names if name in stored]
    notes = [f"no bars yet: {', '.join(missing)}"] if missing else []
    summary = table(
        *("symbol", ">bars", "first day", "last day", ">days old", "provider"),
        rows=[
            [each["symbol"], each["count"], each["first_day"], each["last_day"], each["age_days"], each["provider"]]
            for each in records
        ],
    )
    shown = Group(*map(_rows_of_one, records)) if last else summary
    return View(records, shown, notes, ExitCode.FAILED if missing and symbols else ExitCode.OK)


def _record(stored: Bars, today: int, last: int) -> dict[str, Any]:
    rows = range(max(0, len(stored) - last), len(stored))
    return {
        "symbol": stored.symbol,
        "provider": stored.provider,
        "count": len(stored),
        "first_day": iso_day(stored.days[0]),
        "last_day": iso_day(stored.days[-1]),
        "age_days": today - stored.days[-1],
        "bars": [
            {"day": iso_day(stored.days[row])} | {name: getattr(stored, name)[row] for name in _COLUMNS} for row in rows
        ],
    }


def _rows_of_one(record: dict[str, Any]) -> Any:
    title = f"{record['symbol']}  {record['count']} bars since {record['first_day']}  {record['provider']}"
    rows = [[bar["day"], *(f"{bar[name]:,.10g}" for name in _COLUMNS)] for bar in record["bars"]]
    return table("day", *(f">{name}" for name in _COLUMNS), rows=rows, title=title)
