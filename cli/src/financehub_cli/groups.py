"""Groups of commands: the root group, which handles the errors of all commands, and the groups below it."""

from typing import Any

import redis
import typer
from typer.core import TyperGroup

from financehub_cli.exit_codes import describe_error, print_message
from financehub_shared.core.errors import FinanceHubError


class ErrorHandlingGroup(TyperGroup):
    """The root group. It converts every command's errors to a message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the context's command."""
        try:
            return super().invoke(ctx)
        except (FinanceHubError, redis.RedisError) as error:
            code, message = describe_error(error)
            print_message(message)
            raise typer.Exit(code) from error


def new_group(description: str) -> typer.Typer:
    """Create a group of commands such as `financehub assets`.

    Args:
        description: The help text in Markdown. Its first sentence is shown in the list of all commands.
    """
    return typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help=description)
