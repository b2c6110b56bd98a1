"""The `financehub` command: see and steer the fleet from a terminal or a script."""

import logging
import sys

import structlog

from financehub_cli.app import app


def main() -> None:
    """Run the command line; the process ends with one of `cli.outcome.ExitCode`."""
    # warnings of the libraries go where errors go: stdout is for what was asked
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    )
    app(prog_name="financehub")
