"""The command line as a whole: which commands there are."""

import typer

from financehub_cli import assets, breakers, dead, schedules
from financehub_cli.bars import bars
from financehub_cli.indicators import indicators
from financehub_cli.news import news
from financehub_cli.outcome import CommandGroup
from financehub_cli.quarantine import quarantine
from financehub_cli.quotes import quotes
from financehub_cli.run import run
from financehub_cli.stats import stats
from financehub_cli.status import status

app = typer.Typer(
    cls=CommandGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""See and steer FinanceHub.

    Redis is found by REDIS_URL, or REDIS_HOST, REDIS_PORT and REDIS_DB. Every listing takes --json: stable keys,
    ISO 8601 times, documented in the command's own --help. Errors go to stderr.

    Exit codes:

    - 0: done, and all is well
    - 1: it failed, the fleet is unhealthy, or what was asked for is not there
    - 2: wrong usage, file or setting
    - 3: Redis does not answer, or refuses
    """,
)

app.command(rich_help_panel="Fleet")(status)
app.command(rich_help_panel="Fleet")(stats)
app.command(rich_help_panel="Fleet")(run)
app.add_typer(schedules.app, name="schedules", rich_help_panel="Fleet")
app.add_typer(dead.app, name="dead", rich_help_panel="Fleet")
app.add_typer(breakers.app, name="breakers", rich_help_panel="Fleet")
app.command(rich_help_panel="Data")(quotes)
app.command(rich_help_panel="Data")(indicators)
app.command(rich_help_panel="Data")(bars)
app.command(rich_help_panel="Data")(news)
app.command(rich_help_panel="Data")(quarantine)
app.add_typer(assets.app, name="assets", rich_help_panel="Data")
