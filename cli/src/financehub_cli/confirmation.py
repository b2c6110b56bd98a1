"""Asks users on a terminal whether they want what they cannot undo."""

import sys

import typer

from financehub_cli.exit_codes import ExitCode, print_message


def confirm(question: str) -> None:
    """Ask a question on stderr, and end the command unless the answer is yes.

    Args:
        question: The question, which ends with a question mark.

    Raises:
        Exit: The user does not want it. The exit code is 1.
    """
    if not typer.confirm(question, err=True):
        print_message("canceled; nothing was changed")
        raise typer.Exit(ExitCode.FAILED)


def is_interactive() -> bool:
    """Whether a user can answer a question, because stdin is a terminal."""
    return sys.stdin.isatty()
