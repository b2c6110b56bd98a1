"""Arguments and options that several commands share, and how they are parsed."""

from datetime import UTC
from typing import Annotated

import typer

from financehub_cli.completion import complete_symbols
from financehub_shared.core.errors import ConfigError
from financehub_shared.core.moments import parse_moment

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


def parse_time(option: str, text: str, now: float) -> float:
    """Parse a day or a time, in UTC unless it has an offset, or how long ago, and return its Unix seconds.

    Args:
        option: The option, for the error message.
        text: What the user wrote, such as 2026-01-05, 2026-01-05T12:00 or -1d.
        now: The current time in Unix seconds.

    Raises:
        ConfigError: It is none of them.
    """
    try:
        return parse_moment(text, UTC, now=now)
    except ValueError as error:
        raise ConfigError(f"{option}: {error}") from error
