"""The `financehub` command: inspects and operates the fleet from a terminal or a script."""

import logging
import sys

import structlog

from financehub_cli.app import app


def main() -> None:
    """Run the command line. The process exits with a code of `exit_codes.ExitCode`."""
    # Library warnings go to stderr, so that stdout contains only the result.
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    )
    app(prog_name="financehub")
