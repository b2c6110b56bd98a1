"""The `financehub` command: inspects and operates the fleet from a terminal or a script."""

import gc
import sys

from financehub_cli.app import app
from financehub_cli.exit_codes import ExitCode, discard_stream, print_message
from financehub_cli.output.terminal import OUTPUT_ERRORS, prepare_streams
from financehub_shared.core.log import configure_with_first_line

#: Objects that Python creates before it looks for unused cycles. The modules of a command create fewer, and all of them
#: are used, so that the default of 700 costs a tenth of its CPU time.
_OBJECTS_BEFORE_COLLECTION = 500_000


def main() -> None:
    """Run the command line. The process exits with a code of `exit_codes.ExitCode`."""
    gc.set_threshold(_OBJECTS_BEFORE_COLLECTION)
    if sys.stdout is None:
        # The first connection would get the number of stdout, so nothing may be opened.
        print_message("the output cannot be written: stdout is closed; nothing was done")
        raise SystemExit(ExitCode.FAILED)
    prepare_streams()
    configure_with_first_line(_configure_logging)
    try:
        app(prog_name="financehub")
    except OSError as error:
        if error.errno not in OUTPUT_ERRORS:
            raise
        print_message(f"the output cannot be written: {error.strerror or error}")
        discard_stream(1)
        raise SystemExit(ExitCode.FAILED) from None
    finally:
        # When Python exits, it searches all objects for cycles. That would take a fifth of the CPU time of a command,
        # and the end of the process frees them anyway.
        gc.freeze()


def _configure_logging() -> None:
    """Send the warnings of libraries to stderr, so that stdout contains only the result."""
    import logging

    import structlog

    from financehub_shared.logging.console import ConsoleRenderer

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            ConsoleRenderer(colored=sys.stderr.isatty()),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    )
