"""The `financehub` command: see and steer the fleet from a terminal or a script."""

import sys


def main() -> None:
    """Run the command line; the process ends with one of `cli.outcome.ExitCode`."""
    try:
        from financehub_shared.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich"}:
            raise
        sys.stderr.write(f"financehub: {error.name} is missing; install `financehub-shared[cli]`\n")
        raise SystemExit(2) from error
    app(prog_name="financehub")
