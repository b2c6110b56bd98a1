"""Arguments and options that several commands share, and how they are parsed."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from financehub_cli.completion import complete_symbols
from financehub_shared.core.errors import ConfigError

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON with ISO 8601 times instead of tables.")]
Watch = Annotated[
    bool, typer.Option("--watch", "-w", help="Refresh until Ctrl-C. With --json, print one line per refresh.")
]
Interval = Annotated[
    float, typer.Option("--every", metavar="SECONDS", min=0.2, help="Time between two refreshes with --watch.")
]
Symbols = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SYMBOL",
        help="The symbols to show, such as BTC-USD AAPL. Without symbols, all active assets are shown.",
        autocompletion=complete_symbols,
    ),
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Return immediately instead of following the progress.")]
Timeout = Annotated[
    float,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        min=0.1,
        help="Time after which the command stops following. The work continues.",
    ),
]


def parse_time(option: str, text: str) -> float:
    """Parse an ISO 8601 day or timestamp, in UTC unless it has an offset, and return its Unix seconds.

    Args:
        option: The option, for the error message.
        text: What the user wrote.

    Raises:
        ConfigError: It is neither a day nor a time.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{option} {text!r}: write a day or time such as 2026-01-05 or 2026-01-05T12:00Z") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
