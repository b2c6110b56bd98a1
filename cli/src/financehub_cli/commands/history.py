"""`financehub history`: the intraday prices."""

from typing import Annotated

import typer

from financehub_cli.completion import complete_symbols
from financehub_cli.exit_codes import ExitCode
from financehub_cli.listing import tables
from financehub_cli.options import AsJson, Interval, Watch, parse_time
from financehub_cli.output.formats import readable_time
from financehub_cli.output.result import CommandResult, print_or_watch
from financehub_cli.output.table import build_table
from financehub_cli.output.terminal import Content
from financehub_cli.session import Session
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import ConfigError
from financehub_shared.core.models import Candle, PriceHistory
from financehub_shared.market.history_candles import (
    INTERVALS,
    MAX_RANGE_DAYS,
    check_range,
    fold,
    interval_seconds,
    whole_intervals,
)
from financehub_shared.market.unreadable import Unreadable
from financehub_shared.views.history import history_view

#: Number of candles shown if neither a start nor a number is given.
DEFAULT_LAST = 20

Symbol = Annotated[
    str,
    typer.Argument(metavar="SYMBOL", help="The symbol, such as BTC-USD or AAPL.", autocompletion=complete_symbols),
]
Length = Annotated[
    str, typer.Option("--interval", "-i", help=f"Length of an interval: {', '.join(INTERVALS)}. A day is a day in UTC.")
]
Start = Annotated[
    str,
    typer.Option(
        "--from",
        help="Start of the range: a day or a time in ISO 8601, in UTC unless it has an offset, or how long ago (-1d). "
        "The interval that contains it is complete. The default is the oldest price that is kept.",
    ),
]
End = Annotated[
    str,
    typer.Option(
        "--to",
        help="End of the range in the same form, exclusive. The interval that "
        "contains it is complete. The default is now.",
    ),
]
Last = Annotated[
    int | None,
    typer.Option(
        "--last",
        "-n",
        min=1,
        help=f"Number of newest intervals to show. The default is {DEFAULT_LAST}, and all of them with --from.",
    ),
]


@tables
def history(
    symbol: Symbol,
    length: Length = "5m",
    start: Start = "",
    end: End = "",
    last: Last = None,
    as_json: AsJson = False,
    watch: Watch = False,
    interval: Interval = 5.0,
) -> None:
    """Show the intraday prices of one asset as open, high, low and close of each interval.

    These are the prices that `financehub quotes` showed. They are kept for `FINANCEHUB_HISTORY_RETENTION_DAYS` (7
    by default). Intervals without a price are left out. Prices before a split are shown on the new scale. Unconfirmed
    prices that later proved wrong are left out. The exit code is 1 if the range contains no price.

    JSON: one object {symbol, interval, simulated, unconfirmed_since, scale_changes, candles}. candles is a list of {at,
    open, high, low, close, count}, oldest first, where count is the number of prices. scale_changes is a list of {at,
    factor}.

    Examples:
    - `financehub history BTC-USD`
    - `financehub history AAPL --interval 1h --from 2026-01-05`
    - `financehub history AAPL --interval 1d --last 5 --json`
    """
    session = Session()
    shown = last or (None if start else DEFAULT_LAST)
    print_or_watch(
        lambda: _collect(session, symbol, length, _range(session, start, end), shown),
        as_json=as_json,
        watch=watch,
        interval=interval,
    )


def _range(session: Session, start: str, end: str) -> tuple[float, float]:
    """Return the range in Unix seconds."""
    now = session.clock.now()
    # the clock of the session is an estimate, so the newest price may be a little later
    last = parse_time("--to", end, now) if end else now + 1
    return parse_time("--from", start, now) if start else last - MAX_RANGE_DAYS * DAY_SECONDS, last


def _collect(
    session: Session, symbol: str, interval: str, between: tuple[float, float], last: int | None
) -> CommandResult:
    try:
        seconds = interval_seconds(interval)
        check_range(*between)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    unreadable: Unreadable = {}
    names = [asset.symbol for asset in session.find_assets([symbol])]
    whole = whole_intervals(*between, seconds)
    found = [session.store.history(name, *whole, unreadable=unreadable) for name in names]
    if not found:  # the record of the asset cannot be read, and a note says so
        return CommandResult(None, "", code=ExitCode.FAILED)
    (prices,) = found
    candles = fold(prices.points, seconds)[-(last or 0) :]
    code = ExitCode.OK if candles and not unreadable else ExitCode.FAILED
    return CommandResult(
        history_view(prices, interval, candles), _table(prices, interval, candles), _notes(prices), code
    )


def _notes(prices: PriceHistory) -> list[str]:
    """Return what a reader of the table must know about the prices."""
    if not prices.points:
        return [f"no price of {prices.symbol} in this range"]
    notes = [
        f"prices before {readable_time(change.at)} were divided by {change.factor:.6g} (a split, or a wrong unit)"
        for change in prices.scale_changes
    ]
    since = next((point.at for point in prices.points if point.unconfirmed), None)
    if since is not None:
        notes.append(f"prices since {readable_time(since)} are unconfirmed; `financehub quotes` has the reason")
    return notes


def _table(prices: PriceHistory, interval: str, candles: list[Candle]) -> Content:
    """Return a table with one row per interval."""
    rows = [[readable_time(candle.at), *map(_price_cell, _prices(candle)), candle.count] for candle in candles]
    title = f"{prices.symbol}  {interval}{'  simulated' if prices.simulated else ''}"
    return build_table("start", ">open", ">high", ">low", "!>close", "->prices", rows=rows, title=title)


def _prices(candle: Candle) -> tuple[float, ...]:
    return candle.open, candle.high, candle.low, candle.close


def _price_cell(price: float) -> str:
    return f"{price:,.10g}"
