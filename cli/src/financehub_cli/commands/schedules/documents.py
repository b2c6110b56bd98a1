"""`schedules validate`."""

import time
from typing import Annotated

import typer

from financehub_cli.commands.schedules.group import app
from financehub_cli.listing import listing
from financehub_cli.options import AsJson, parse_time
from financehub_cli.output.result import print_result
from financehub_shared.views.schedule_documents import ScheduleDocumentView

Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE",
        help="Files with documents, folders with files *.yaml and *.yml, or - for the standard input.",
    ),
]
After = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="Show the due times after this time, in the same form as for `backfill --from`. The default is now.",
    ),
]


@app.command()
@listing(ScheduleDocumentView)
def validate(files: Files, start: After = None, as_json: AsJson = False) -> None:
    """Check files of schedules as a scheduler reads them, and say when each one will run.

    The command needs neither Redis nor a cluster, so it does not check whether the assets in the arguments exist. The
    exit code is 2 if a document is refused, a file cannot be read, or no document is found.

    JSON: a list of {file, line, name, valid, mistakes, task, schedule, time_zone, next, warnings}, one for each
    document. mistakes is a list of {line, field, problem}, schedule says in words when it runs, and next holds at most
    three due times without jitter.

    Examples:
    - `financehub schedules validate deploy/local/schedules`
    - `financehub schedules validate schedules.yaml --from 2026-12-24`
    - `kubectl get st fetch-news -o yaml | financehub schedules validate -`
    """
    from financehub_cli.schedule_files import validate_files

    now = time.time()
    shown = now if start is None else parse_time("--from", start, now)
    print_result(validate_files(files, shown), as_json=as_json)
