"""Fits a table into a number of columns: nothing but sentences is wrapped, and nothing is cut.

If a table is too wide, its sentences are wrapped. If that is not enough, the least important columns are left out, and
the last line names the option that shows them. If not even the essential columns fit, each record is a block with one
line per value.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from financehub_cli.output.table import Column, Table
from financehub_cli.output.text import Styled, colored, text_width, wrap_words

#: Spaces between two columns.
GAP = 2
#: Smallest width of a column of sentences, which still shows a few words per line.
PROSE_WIDTH = 24
#: Smallest width of the sentences in a block, below which the terminal wraps them.
BLOCK_PROSE_WIDTH = 12


@dataclass(frozen=True, slots=True)
class Terminal:
    """What is known about the place where a table is shown.

    Args:
        width: Its width in columns, or None if lines may have any length: in a file or a pipe, or with --wide.
        color: Whether it shows colors.
        unicode: Whether it shows all characters.
    """

    width: int | None = None
    color: bool = False
    unicode: bool = True

    @property
    def mark(self) -> str:
        """The mark at the end of a part of a word that is longer than its column."""
        return "…" if self.unicode else "~"


def table_lines(table: Table, terminal: Terminal) -> list[str]:
    """Return the lines of a table.

    Args:
        table: The table.
        terminal: Where it is shown.
    """
    cells = table.cells()
    widths = _full_widths(table.columns, cells)
    title = [_show(table.title, "bold", terminal)] if table.title else []
    shown = list(range(len(widths)))
    if table.pairs:
        width = max([text_width(row[0].text) for row in cells], default=0)
        return title + [line for row in cells for line in pair_lines(row[0].text, row[1], width, terminal, prose=True)]
    if terminal.width is not None:
        fitting = _choose(table.columns, cells, widths, terminal.width)
        if fitting is None:
            return title + _blocks(table.columns, cells, terminal)
        shown, widths = fitting
    lines = title + _rows(table.columns, cells, shown, widths, terminal)
    hidden = [
        table.columns[index].heading
        for index in range(len(table.columns))
        if index not in shown and any(row[index].text for row in cells)
    ]
    return lines + _hint(hidden, terminal)


def _hint(hidden: Sequence[str], terminal: Terminal) -> list[str]:
    if not hidden:
        return []
    text = f"({', '.join(hidden)}: not shown, because the terminal is too narrow; --wide shows all columns)"
    return [_show(line, "dim", terminal) for line in wrap_words(text, max(terminal.width or 80, 4), terminal.mark)]


def _full_widths(columns: Sequence[Column], cells: Sequence[Sequence[Styled]]) -> list[int]:
    """Return the width of each column in which nothing is wrapped."""
    return [
        max([text_width(column.heading), *(text_width(row[index].text) for row in cells)])
        for index, column in enumerate(columns)
    ]


def _choose(
    columns: Sequence[Column], cells: Sequence[Sequence[Styled]], full: Sequence[int], width: int
) -> tuple[list[int], list[int]] | None:
    """Return the columns to show and the widths of all columns, or None if the essential columns do not fit."""
    smallest = [
        min(wanted, max(PROSE_WIDTH, text_width(column.heading))) if column.prose else wanted
        for column, wanted in zip(columns, full, strict=True)
    ]
    empty = {index for index in range(len(columns)) if not any(row[index].text for row in cells)}
    order = sorted(range(len(columns)), key=lambda index: (index not in empty, columns[index].weight, -index))
    shown = list(range(len(columns)))
    for index in order:
        if _total(smallest, shown) <= width:
            break
        if columns[index].weight < max(column.weight for column in columns):
            shown.remove(index)
    if _total(smallest, shown) > width:
        return None
    widths = list(smallest)
    spare = width - _total(smallest, shown)
    for index in shown:  # the first column of sentences gets the space that is left
        more = min(spare, full[index] - widths[index])
        widths[index] += more
        spare -= more
    return shown, widths


def _total(widths: Sequence[int], shown: Sequence[int]) -> int:
    return sum(widths[index] for index in shown) + GAP * (len(shown) - 1)


def _rows(
    columns: Sequence[Column],
    cells: Sequence[Sequence[Styled]],
    shown: Sequence[int],
    widths: Sequence[int],
    terminal: Terminal,
) -> list[str]:
    lines = []
    for row in [[Styled(column.heading, "bold") for column in columns], *cells]:
        parts = {index: _wrapped(row[index].text, widths[index], terminal.mark) for index in shown}
        for number in range(max(map(len, parts.values()))):
            fields = []
            for index in shown:
                text = parts[index][number] if number < len(parts[index]) else ""
                space = " " * (widths[index] - text_width(text))
                text = _show(text, row[index].style, terminal)
                fields.append(space + text if columns[index].right else text + space)
            lines.append((" " * GAP).join(fields).rstrip())
    return lines


def _wrapped(text: str, width: int, mark: str) -> list[str]:
    return [text] if text_width(text) <= width else wrap_words(text, width, mark)


def _blocks(columns: Sequence[Column], cells: Sequence[Sequence[Styled]], terminal: Terminal) -> list[str]:
    """Return one block per record, with a line for each value that is not empty."""
    lines: list[str] = []
    for row in cells:
        lines += [""] if lines else []
        for column, cell in zip(columns, row, strict=True):
            if cell.text:
                lines += pair_lines(column.heading, cell, 0, terminal, prose=column.prose)
    return lines


def pair_lines(name: str, value: Styled, width: int, terminal: Terminal, *, prose: bool) -> list[str]:
    """Return the lines of a name and its value.

    Args:
        name: The name.
        value: The value. Words that are longer than a line are left to the terminal, so that they can be copied.
        width: Columns of the longest name, to align the values; 0 to write them directly after the names.
        terminal: Where the lines are shown.
        prose: Whether the value may be wrapped between words.
    """
    start = f"{name}:".ljust(width + 2) if width else f"{name}: "
    indent = width + 2 if width else GAP
    if terminal.width is None or not prose or text_width(start + value.text) <= terminal.width:
        return [(start + _show(value.text, value.style, terminal)).rstrip()]
    room = max(terminal.width - max(indent, text_width(start)), BLOCK_PROSE_WIDTH)
    first, *others = wrap_words(value.text, room, "")
    return [
        start + _show(first, value.style, terminal),
        *(" " * indent + _show(line, value.style, terminal) for line in others),
    ]


def _show(text: str, style: str, terminal: Terminal) -> str:
    return colored(text, style) if terminal.color else text
