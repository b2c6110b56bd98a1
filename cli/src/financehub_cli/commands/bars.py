"""`financehub bars`: the daily bars."""

from typing import Annotated

import typer

from financehub_cli.listing import listing
from financehub_cli.options import AsJson, Interval, Symbols, Watch
from financehub_cli.output.result import CommandResult, print_or_watch, print_result
from financehub_cli.output.table import build_table
from financehub_cli.output.terminal import Content
from financehub_cli.session import Session
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import ConfigError
from financehub_shared.market.unreadable import Unreadable
from financehub_shared.views.bars import BarsView, BarView, bars_view, last_rows

#: The task that fetches bars.
TASK = "calculate_indicators_task"
#: Number of bars shown for each asset if the command names symbols.
DEFAULT_LAST = 10

Last = Annotated[
    int | None,
    typer.Option(
        "--last",
        "-n",
        min=0,
        help=f"Number of newest bars to show for each asset. The default is {DEFAULT_LAST} with symbols, otherwise 0.",
    ),
]

Refetch = Annotated[
    bool,
    typer.Option(
        "--refetch",
        help="Let the next run of the indicator task read the whole history of the symbols and replace wrong bars.",
    ),
]


@listing(BarsView)
def bars(
    symbols: Symbols = None,
    last: Last = None,
    refetch: Refetch = False,
    as_json: AsJson = False,
    watch: Watch = False,
    interval: Interval = 5.0,
) -> None:
    """Show the daily bars with their first and last day, age and provider.

    Without symbols, the command summarizes the bars of each active asset. The exit code is 1 if one of the given
    symbols has no bars yet.

    JSON: a list of {symbol, provider, count, first_day, last_day, age_days, bars}. bars holds the newest --last bars,
    oldest first, each as {day, open, high, low, close, volume}. With --refetch, the
    result is {refetch}, a list of symbols.

    Examples:
    - `financehub bars`
    - `financehub bars AAPL --last 30`
    - `financehub bars BTC-USD --json`
    - `financehub bars AAPL --refetch`
    """
    session = Session()
    if refetch:
        print_result(_request_full_reads(session, symbols), as_json=as_json)
        return
    count = last if last is not None else DEFAULT_LAST if symbols else 0
    print_or_watch(lambda: _collect(session, symbols, count), as_json=as_json, watch=watch, interval=interval)


def _request_full_reads(session: Session, symbols: list[str] | None) -> CommandResult:
    if not symbols:
        raise ConfigError("--refetch: name the symbols whose history to read again, such as `bars AAPL --refetch`")
    names = [asset.symbol for asset in session.find_assets(symbols)]
    session.store.request_full_reads(names)
    text = (
        f"The next run of {TASK} reads the whole history of {', '.join(names)} again and replaces wrong bars.\n"
        f"To start it now: financehub run {TASK} --arg symbols={','.join(names)}\n"
        "What it changes is in its summary and in: financehub quarantine --kind bar"
    )
    return CommandResult({"refetch": names}, text)


def _collect(session: Session, symbols: list[str] | None, last: int) -> CommandResult:
    names = [asset.symbol for asset in session.find_assets(symbols)]
    unreadable: Unreadable = {}
    stored = session.store.bars(names, unreadable=unreadable)
    missing = [name for name in names if name not in {*stored, *unreadable}]
    today = int(session.clock.now() // DAY_SECONDS)
    records = [bars_view(stored[name], today, last_rows(len(stored[name]), last)) for name in names if name in stored]
    notes = [f"no bars yet: {', '.join(missing)}"] if missing else []
    content = list(map(_bars_table, records)) if last else _summary_table(records)
    return CommandResult(records, content, notes, session.exit_code(symbols, len(records)))


def _summary_table(records: list[BarsView]) -> Content:
    """Return a table with one row per asset."""
    rows = [
        [each["symbol"], each["count"], each["first_day"], each["last_day"], each["age_days"], each["provider"]]
        for each in records
    ]
    return build_table("symbol", "+>bars", "first day", "!last day", "+>days old", "-provider", rows=rows)


def _bars_table(record: BarsView) -> Content:
    """Return a table of the newest bars of one asset."""
    title = f"{record['symbol']}  {record['count']} bars since {record['first_day']}  {record['provider']}"
    rows = [[bar["day"], *map(_number_cell, _numbers(bar))] for bar in record["bars"]]
    return build_table("day", ">open", ">high", ">low", "!>close", "->volume", rows=rows, title=title)


def _numbers(bar: BarView) -> tuple[float, ...]:
    return bar["open"], bar["high"], bar["low"], bar["close"], bar["volume"]


def _number_cell(number: float) -> str:
    return f"{number:,.10g}"
