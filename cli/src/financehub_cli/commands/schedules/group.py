"""The group of the commands, and the argument that several of them share."""

from typing import Annotated

import typer

from financehub_cli.completion import complete_schedules
from financehub_cli.groups import new_group

app = new_group("List, show, run, backfill, pause and resume schedules, and check files of schedules.")

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="The schedule, as namespace/name. The name is enough if it is unique.",
        autocompletion=complete_schedules,
    ),
]
