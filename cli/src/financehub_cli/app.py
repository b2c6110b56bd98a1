"""The command line. Each of its commands is imported when it runs, so that none waits for the imports of the others."""

from importlib import import_module
from typing import Annotated, Any

import typer

from financehub_cli.groups import CommandEntry, RootGroup


def _entry(section: str, name: str, summary: str) -> CommandEntry:
    """Return the entry of a command, whose module has its name. A group is the variable `app` of its module."""
    module_name = name.replace("-", "_")

    def load() -> Any:
        module = import_module(f"financehub_cli.commands.{module_name}")
        return getattr(module, "app", None) or getattr(module, module_name)

    return CommandEntry(name, section, summary, load)


#: The commands, in the order in which `financehub --help` lists them. A test compares the summaries with the commands.
COMMANDS = (
    _entry("Fleet", "status", "Show the state of the fleet and of its data."),
    _entry("Fleet", "workers", "List the live workers and schedulers with their versions and the runs in progress."),
    _entry("Fleet", "stats", "Show how often the tasks succeeded and failed, and how long they took."),
    _entry("Fleet", "run", "Run a task now and follow the run until it ends."),
    _entry("Fleet", "runs", "List runs, show one with its arguments and steps, or start one again."),
    _entry(
        "Fleet", "schedules", "List, show, run, backfill, pause and resume schedules, and check files of schedules."
    ),
    _entry("Fleet", "dead-letters", "List, show, requeue and delete messages that failed permanently."),
    _entry("Fleet", "breakers", "List, open, close and reset circuit breakers."),
    _entry("Fleet", "config", "Show the settings that are in force in this environment, and where each comes from."),
    _entry(
        "Fleet", "version", "Show the releases of the command line, of the live processes, and of the Redis servers."
    ),
    _entry("Fleet", "redis", "Copy the data to another Redis server."),
    _entry("Data", "quotes", "Show the latest prices with their age and provider."),
    _entry("Data", "history", "Show the intraday prices of one asset as open, high, low and close of each interval."),
    _entry("Data", "indicators", "Show the newest technical indicators with their age and engine."),
    _entry("Data", "bars", "Show the daily bars with their first and last day, age and provider."),
    _entry("Data", "news", "Show the newest news items about the given symbols."),
    _entry("Data", "quarantine", "Show data that was rejected, and why."),
    _entry("Data", "assets", "List, add, remove, export and import the assets that FinanceHub tracks."),
)


class FinanceHubGroup(RootGroup):
    """The root group with all commands."""

    entries = COMMANDS


app = typer.Typer(
    cls=FinanceHubGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="""Inspect and operate FinanceHub.

    Set REDIS_URL, or REDIS_HOST, REDIS_PORT and REDIS_DB, to choose the Redis server. Every command accepts --json
    and then prints JSON with stable keys and ISO 8601 times. The --help of each command documents the keys. Listings
    also accept --format csv: a header with the same keys, and one record per line (RFC 4180). Values are written as
    they are stored, so a spreadsheet may run a text that begins with = as a formula. Errors and notes go to stderr.

    If a terminal is too narrow for a table, the least important columns are left out, and --wide shows them. In a file
    or a pipe, each record is one line with all columns and without colors.

    Exit codes:

    - 0: The command succeeded, and everything is healthy.
    - 1: The command failed, the fleet is unhealthy, the requested data does not exist, a stored record cannot be read,
      or the output cannot be written. A note names each record that cannot be read, and all others are shown.
    - 2: An argument, a file or a setting is invalid.
    - 3: Redis does not answer, or it refused a command.
    """,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from financehub_cli.output.terminal import write
        from financehub_cli.version import version_line

        write(f"{version_line()}\n")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option("--version", help="Print the version of the command line.", callback=_print_version, is_eager=True),
]


@app.callback()
def _options(version: Version = False) -> None:
    """Take the options that stand before the command."""
