"""`financehub redis`: copies the data to another Redis server."""

import os
from typing import Annotated

import typer

from financehub_cli.groups import new_group
from financehub_cli.listing import tables
from financehub_cli.options import AsJson
from financehub_cli.output.result import CommandResult, print_result
from financehub_cli.output.table import build_details, build_table
from financehub_cli.output.terminal import Content
from financehub_cli.session import Session

app = new_group("Copy the data to another Redis server.")

#: Variable with the password of the target, so that it need not be in the arguments, which other users can see.
PASSWORD_VARIABLE = "TARGET_REDIS_PASSWORD"  # noqa: S105 — the name of a variable
#: Seconds to wait for a reply. A server with a slow disk may need longer for a batch than for a single command.
_TIMEOUT_SECONDS = 60.0

Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="The URL of an empty database, in any form of REDIS_URL, such as rediss://user@host:6380/0. Its password "
        f"is read from {PASSWORD_VARIABLE} unless the URL has one.",
    ),
]


@app.command("copy")
@tables
def copy_(target: Target, as_json: AsJson = False) -> None:
    """Copy all keys of the Redis of REDIS_URL, with their lifetimes, into an empty database on another server.

    Stop the fleet first. If a process stays alive for 20 seconds, or if the target has keys, nothing is copied.
    Afterward, all values are compared, and the numbers of keys and of their elements are printed. The source is not
    changed. The servers may have different versions, and either may be Redis or Valkey. docs/operations.md has the
    steps before and after the copy.

    JSON: {source, target, keys, expiring, types}. expiring is the number of keys that expire, and types is a list of
    {type, keys, elements}.

    Examples:
    - `financehub redis copy redis://cache.example:6379/0`
    """
    from financehub_shared.core.redis_url_parser import parse_redis_url
    from financehub_shared.operations.redis_copy import copy_database
    from financehub_shared.redis.client import connect
    from financehub_shared.views.redis_copies import redis_copy_view

    session = Session(timeout=_TIMEOUT_SECONDS)
    url = parse_redis_url(target)
    if password := os.environ.get(PASSWORD_VARIABLE):
        url = url.with_password(password)
    settings = session.reader_settings
    new = connect(url, retries=0, timeout=_TIMEOUT_SECONDS)
    copied = copy_database(session.store_client, new, queues=session.broker_client)
    view = redis_copy_view(str(settings.store_url), str(url), copied.keys, copied.elements, copied.expiring)
    notes = []
    if settings.broker_url != settings.store_url:
        notes.append("the queues are in the Redis of DRAMATIQ_BROKER_URL; copy it too, with its URL as REDIS_URL")
    rows = [[each["type"], each["keys"], each["elements"]] for each in view["types"]]
    details = build_details(
        [("source", view["source"]), ("target", view["target"]), ("keys", view["keys"]), ("expiring", view["expiring"])]
    )
    page: Content = [details, "", build_table("type", "->keys", "->elements", rows=rows)]
    print_result(CommandResult(view, page, notes), as_json=as_json)
