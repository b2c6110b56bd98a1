"""The `financehub` command: see and steer the fleet from a terminal or a script."""

import logging
import sys

import structlog


def main() -> None:
    """Run the command line; the process ends with one of `cli.outcome.ExitCode`."""
    try:
        from financehub_shared.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich"}:
            raise
        sys.stderr.write(f"financehub: {error.name} is missing; install `financehub-shared[cli]`\n")
        raise SystemExit(2) from error
    # warnings of the libraries go where errors go: stdout is for what was asked
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    )
    app(prog_name="financehub")
