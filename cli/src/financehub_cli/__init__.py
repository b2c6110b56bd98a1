"""The `financehub` command: inspects and operates the fleet from a terminal or a script."""

import errno
import logging
import os
import sys

import structlog

from financehub_cli.app import app
from financehub_cli.exit_codes import ExitCode, print_message
from financehub_cli.output.terminal import prepare_streams
from financehub_shared.logging.console import ConsoleRenderer

#: Errors of a write to the output: a full disk or quota, a broken disk, and a reader that has gone.
_OUTPUT_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EPIPE)


def main() -> None:
    """Run the command line. The process exits with a code of `exit_codes.ExitCode`."""
    prepare_streams()
    # Library warnings go to stderr, so that stdout contains only the result.
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            ConsoleRenderer(colored=sys.stderr.isatty()),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    )
    try:
        app(prog_name="financehub")
    except OSError as error:
        if error.errno not in _OUTPUT_ERRORS:
            raise
        print_message(f"the output cannot be written: {error.strerror or error}")
        # Python would try again to write the rest when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(ExitCode.FAILED) from None
