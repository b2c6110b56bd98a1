"""Builds consoles and tables, and makes text safe to print on a terminal."""

import io
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from financehub_shared.core.text import printable, safe_text

#: Width in columns of output to a file or a pipe, where the reader's width is unknown.
PIPE_WIDTH = 180


def build_console(*, stderr: bool = False) -> Console:
    """Return a console on the current stdout or stderr, which is `PIPE_WIDTH` wide if it is not a terminal."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else PIPE_WIDTH, highlight=False, emoji=False)


def prepare_streams() -> None:
    """Make stdout and stderr accept every character. Those that their encoding does not have become escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def is_unicode(stream: TextIO) -> bool:
    """Whether the encoding of a stream has all characters."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "").startswith("utf")


def plain_text(value: object, *, keep_lines: bool = False) -> Text:
    """Return a value as text without markup and with escapes for control characters.

    Untrusted strings, such as headlines, could otherwise send commands to the terminal or look like other lines.

    Args:
        value: Any value.
        keep_lines: Whether the line feeds in the value are ours. Untrusted parts of it are escaped already.
    """
    return Text(printable(safe_text(value), keep_lines=keep_lines))


def build_table(*columns: str, rows: Iterable[Sequence[object]], title: str = "") -> Table:
    """Return a table without borders.

    Args:
        columns: The headings. A heading that begins with `>` aligns its column to the right.
        rows: The cells of each row. A `Text` keeps its style, and None yields an empty cell.
        title: The title, or an empty string for no title.
    """
    result = Table(box=None, title=title or None, title_justify="left", title_style="bold", pad_edge=False)
    for column in columns:
        right_aligned = column.startswith(">")
        result.add_column(column.lstrip(">"), justify="right" if right_aligned else "left", overflow="fold")
    for row in rows:
        result.add_row(*(cell if isinstance(cell, Text) else plain_text("" if cell is None else cell) for cell in row))
    return result
