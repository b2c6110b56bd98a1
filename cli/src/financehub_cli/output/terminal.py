"""Builds consoles and tables, and makes text safe to print on a terminal."""

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

#: Width in columns of output to a file or a pipe, where the reader's width is unknown.
PIPE_WIDTH = 180


def build_console(*, stderr: bool = False) -> Console:
    """Return a console on the current stdout or stderr, which is `PIPE_WIDTH` wide if it is not a terminal."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else PIPE_WIDTH, highlight=False, emoji=False)


def plain_text(value: object) -> Text:
    """Return a value as text without markup and without control characters.

    Untrusted strings, such as headlines, could otherwise send commands to the terminal.
    """
    return Text("".join(letter if letter.isprintable() or letter == "\n" else " " for letter in str(value)))


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
