"""What commands print: tables for people, JSON for scripts, once or again and again."""

import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import redis
import typer
from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from financehub_cli.outcome import ExitCode, explain, say
from financehub_shared.core.errors import FinanceHubError

#: Columns of a table that goes into a file or pipe, where nobody knows the width.
PIPE_WIDTH = 180

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON (ISO 8601 times) instead of tables.")]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Refresh until Ctrl-C; with --json one line each time.")]
Every = Annotated[float, typer.Option("--every", metavar="SECONDS", min=0.2, help="Time between two refreshes.")]


@dataclass(frozen=True, slots=True)
class View:
    """What a command found.

    Args:
        data: JSON-able, documented in the command's help.
        shown: the same for people.
        notes: lines for stderr.
        code: how the command ends.
    """

    data: Any
    shown: RenderableType
    notes: Sequence[str] = field(default_factory=list)
    code: ExitCode = ExitCode.OK


def console(*, stderr: bool = False) -> Console:
    """A console on the present stdout or stderr, wide where it is no terminal."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else PIPE_WIDTH, highlight=False, emoji=False)


def present(view: View, *, as_json: bool) -> None:
    """Print a view and end the command with its code."""
    _print(view, as_json=as_json, indent=2)
    if view.code:
        raise typer.Exit(view.code)


def present_or_watch(look: Callable[[], View], *, as_json: bool, watch: bool, every: float) -> None:
    """Print what `look` finds, once or until Ctrl-C; a Redis that goes away meanwhile is told and waited for."""
    if not watch:
        present(look(), as_json=as_json)
        return
    live = Live(console=console(), auto_refresh=False) if sys.stdout.isatty() and not as_json else None
    try:
        if live:
            live.start()
        while True:
            _refresh(look, live, as_json=as_json)
            time.sleep(every)
    except KeyboardInterrupt:
        return
    finally:
        if live:
            live.stop()


def _refresh(look: Callable[[], View], live: Live | None, *, as_json: bool) -> None:
    try:
        view = look()
    except (FinanceHubError, redis.RedisError) as error:
        code, line = explain(error)
        if code is not ExitCode.UNREACHABLE:
            raise
        say(line)
        return
    if live:
        live.update(view.shown, refresh=True)
    else:
        _print(view, as_json=as_json, indent=None)


def _print(view: View, *, as_json: bool, indent: int | None) -> None:
    for note in view.notes:
        say(note)
    if as_json:
        sys.stdout.write(json.dumps(view.data, indent=indent, ensure_ascii=False, allow_nan=False) + "\n")
        sys.stdout.flush()
    else:
        console().print(plain(view.shown) if isinstance(view.shown, str) else view.shown)


def plain(value: object) -> Text:
    """Text as it is: no markup, and no control characters that a headline could steer a terminal with."""
    return Text("".join(letter if letter.isprintable() or letter == "\n" else " " for letter in str(value)))


def table(*columns: str, rows: Iterable[Sequence[object]], title: str = "") -> Table:
    """A plain table; a column whose name begins with `>` is aligned right, and a `Text` is shown in its style."""
    made = Table(box=None, title=title or None, title_justify="left", title_style="bold", pad_edge=False)
    for column in columns:
        right = column.startswith(">")
        made.add_column(column.lstrip(">"), justify="right" if right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else plain("" if cell is None else cell) for cell in row))
    return made


def iso(at: float | None) -> str | None:
    """A time for JSON: UTC, milliseconds, `Z`."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_day(day: int) -> str:
    """A day (since 1970-01-01) as ISO 8601."""
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()


def clock_time(at: float | None) -> str:
    """A time for people: UTC, seconds."""
    return "" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def span(seconds: float | None) -> str:
    """A length of time in its two largest units: `3m 12s`, `2d 4h`; finer below ten seconds."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{max(0.0, seconds) * 1_000:.0f}ms"
    if seconds < 10:
        return f"{seconds:.1f}s"
    parts: list[str] = []
    rest = math.floor(seconds)
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        amount, rest = divmod(rest, length)
        if amount or parts:
            parts.append(f"{amount}{unit}")
    return " ".join(parts[:2])


def ago(at: float | None, now: float) -> str:
    """How long ago, for people."""
    return "" if at is None else f"{span(now - at)} ago"
