"""Arguments and options that several commands share."""

from typing import Annotated

import typer

from financehub_cli.completion import complete_symbols

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
