"""Tables: records with columns, of which some are essential and some contain free text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from financehub_cli.output.text import Styled, plain_text


class Weight(IntEnum):
    """How important a column is. If a terminal is too narrow, columns with the least weight are left out first."""

    EXTRA = 0
    NORMAL = 1
    IMPORTANT = 2
    ESSENTIAL = 3


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Args:
        heading: The heading.
        weight: How important the column is. Of two columns with the same weight, the right one is left out first.
        right: Whether the column is aligned to the right, for numbers and durations.
        prose: Whether the column contains sentences, which may be wrapped between words. All other values, such as
            numbers, names and times, are always on one line.
    """

    heading: str
    weight: Weight = Weight.NORMAL
    right: bool = False
    prose: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table, which `layout` fits into the width of a terminal.

    Args:
        columns: The columns.
        rows: The cells of each row. They are plain values or `Styled`.
        title: The title, or an empty text.
        pairs: Whether each row is the name and the value of a property, which are shown without headings.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[object]] = ()
    title: str = ""
    pairs: bool = False

    def cells(self) -> list[list[Styled]]:
        """Return the cells of all rows as escaped text with a style."""
        return [
            [Styled(plain_text(cell), cell.style if isinstance(cell, Styled) else "") for cell in row]
            for row in self.rows
        ]


def build_table(*columns: str | Column, rows: Iterable[Sequence[object]], title: str = "") -> Table:
    """Return a table without borders.

    Args:
        columns: The columns, or their headings with marks in front of them: `>` aligns to the right, `~` is for
            sentences, `!` makes the column essential, `+` important, and `-` makes it the first to be left out. The
            first column is always essential.
        rows: The cells of each row. A `Styled` keeps its style, and None yields an empty cell.
        title: The title, or an empty string for no title.
    """
    read = [column if isinstance(column, Column) else _read_column(column) for column in columns]
    if read:
        first = read[0]
        read[0] = Column(first.heading, Weight.ESSENTIAL, first.right, first.prose)
    return Table(read, [list(row) for row in rows], title)


def build_details(rows: Iterable[tuple[str, object]], title: str = "") -> Table:
    """Return the properties of one record, with one line for each.

    Args:
        rows: The name and the value of each property. True and False become `yes` and `no`.
        title: The title, or an empty string for no title.
    """
    shown = [(name, {True: "yes", False: "no"}[value] if isinstance(value, bool) else value) for name, value in rows]
    return Table([Column("name"), Column("value", prose=True)], [list(row) for row in shown], title, pairs=True)


def _read_column(text: str) -> Column:
    heading = text.lstrip(">~!+-")
    marks = text[: len(text) - len(heading)]
    weights = {"!": Weight.ESSENTIAL, "+": Weight.IMPORTANT, "-": Weight.EXTRA}
    weight = next((weights[mark] for mark in marks if mark in weights), Weight.NORMAL)
    return Column(heading, weight, right=">" in marks, prose="~" in marks)
