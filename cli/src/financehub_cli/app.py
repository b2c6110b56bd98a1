"""Registers the commands of the command line. `financehub --help` lists them in this order."""

import typer

from financehub_cli.commands import assets, breakers, dead_letters, runs, schedules
from financehub_cli.commands.bars import bars
from financehub_cli.commands.history import history
from financehub_cli.commands.indicators import indicators
from financehub_cli.commands.news import news
from financehub_cli.commands.quarantine import quarantine
from financehub_cli.commands.quotes import quotes
from financehub_cli.commands.run import run
from financehub_cli.commands.stats import stats
from financehub_cli.commands.status import status
from financehub_cli.commands.workers import workers
from financehub_cli.groups import ErrorHandlingGroup

app = typer.Typer(
    cls=ErrorHandlingGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Inspect and operate FinanceHub.

    Set REDIS_URL, or REDIS_HOST, REDIS_PORT and REDIS_DB, to choose the Redis server. Every command accepts --json
    and then prints JSON with stable keys and ISO 8601 times. The --help of each command documents the keys. Errors and
    notes go to stderr.

    Exit codes:

    - 0: The command succeeded, and everything is healthy.
    - 1: The command failed, the fleet is unhealthy, the requested data does not exist, or a stored record cannot be
      read. A note names each such record, and all others are shown.
    - 2: An argument, a file or a setting is invalid.
    - 3: Redis does not answer, or it refused a command.
    """,
)

app.command(rich_help_panel="Fleet")(status)
app.command(rich_help_panel="Fleet")(workers)
app.command(rich_help_panel="Fleet")(stats)
app.command(rich_help_panel="Fleet")(run)
app.add_typer(runs.app, name="runs", rich_help_panel="Fleet")
app.add_typer(schedules.app, name="schedules", rich_help_panel="Fleet")
app.add_typer(dead_letters.app, name="dead-letters", rich_help_panel="Fleet")
app.add_typer(breakers.app, name="breakers", rich_help_panel="Fleet")
app.command(rich_help_panel="Data")(quotes)
app.command(rich_help_panel="Data")(history)
app.command(rich_help_panel="Data")(indicators)
app.command(rich_help_panel="Data")(bars)
app.command(rich_help_panel="Data")(news)
app.command(rich_help_panel="Data")(quarantine)
app.add_typer(assets.app, name="assets", rich_help_panel="Data")
