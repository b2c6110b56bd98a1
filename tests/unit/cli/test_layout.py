"""Tables in terminals of any width."""

import re
from itertools import groupby
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_cli.output.layout import Terminal, table_lines
from financehub_cli.output.table import Column, Table, Weight, build_details, build_table
from financehub_cli.output.text import Styled, plain_text, text_width, wrap_words

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
#: Values that must never look like others: long numbers, names and ids, times, wide letters, and forged rows.
VALUES = st.one_of(
    st.sampled_from(
        [
            "",
            "83,777.51",
            "12,345,678,901,234.00",
            "-0.00000000000012345678",
            "BRK-B",
            "fetch_crypto_prices_task",
            "2f4f7a4e-3c1b-4a3e-9a53-0f5dd8f0a1c7",
            "2026-01-05 08:00:00Z",
            "x" * 300,
            "東京証券取引所の株価",
            "\x1b[2J\nforged  row",
            "two  spaces",
            "naïve é",
        ]
    ),
    st.text(st.characters(exclude_categories=()), max_size=30),
)
SENTENCES = st.one_of(VALUES, st.lists(VALUES, max_size=30).map(" ".join))
COLUMNS = st.builds(
    Column, st.sampled_from(["price", "last success", "id"]), st.sampled_from(Weight), st.booleans(), st.booleans()
)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    columns = draw(st.lists(COLUMNS, min_size=1, max_size=8))
    cells = [SENTENCES if column.prose else VALUES for column in columns]
    rows = draw(st.lists(st.tuples(*cells), max_size=5))
    return build_table(*columns, rows=rows, title=draw(st.sampled_from(["", "newest runs"])))


def words_of(table: Table, *, prose: bool) -> set[str]:
    """Return the words of all cells in columns with or without sentences."""
    rows = table.cells()
    cells = [
        cell.text for row in rows for column, cell in zip(table.columns, row, strict=True) if column.prose is prose
    ]
    return {word for text in cells for word in text.split()}


@settings(deadline=None, max_examples=400)
@given(table=tables(), width=st.integers(20, 250), color=st.booleans())
def test_table_of_any_width_shows_words_whole_or_not_at_all(table: Table, width: int, color: bool) -> None:
    """Each shown word is a whole word of the table. Only a word of a sentence that is longer than its column is broken,
    and then a mark shows it. A line is longer than the terminal only in a block, because of a single long word.
    """
    lines = [_ANSI.sub("", line) for line in table_lines(table, Terminal(width, color=color))]
    headings = {
        word for column in table.columns for word in (*column.heading.split(), f"{column.heading.split()[-1]}:")
    }
    whole = words_of(table, prose=False) | headings | set(table.title.split())
    sentences = words_of(table, prose=True)
    shown = lines[: next((index for index, line in enumerate(lines) if line.startswith("(")), len(lines))]
    for word in (word for line in shown for word in line.split()):
        assert word in whole | sentences or any(word.removesuffix("…") in sentence for sentence in sentences), word
    is_block = any(line.split(":")[0] in {column.heading for column in table.columns} and ":" in line for line in lines)
    assert is_block or all(text_width(line) <= width for line in lines)
    if not any("not shown" in " ".join(lines[index : index + 3]) for index in range(len(lines))):
        assert whole - headings - set(table.title.split()) <= {word for line in lines for word in line.split()}


@settings(deadline=None)
@given(table=tables())
def test_table_in_a_pipe_has_one_line_per_record_with_all_values(table: Table) -> None:
    """In a file or a pipe, nothing is wrapped or left out, so that each record can be found with grep."""
    lines = table_lines(table, Terminal())
    assert len(lines) == bool(table.title) + 1 + len(table.rows)
    assert "\x1b" not in "".join(lines)
    for line, row in zip(lines[-len(table.rows) :] if table.rows else [], table.cells(), strict=True):
        position = 0
        for cell in row:
            position = line.find(cell.text.strip(), position)
            assert position >= 0


def test_narrow_table_leaves_out_the_least_important_columns_first() -> None:
    """The more a column weighs, the longer it is shown, and the hint names each column that is left out."""
    row = ["BTC-USD", "n" * 20, "37s", "71,416.56", "binance"]
    table = build_table("symbol", "-note", "+age", "!price", "provider", rows=[row])
    hidden = {}
    for width in range(20, 100):
        first, *others = table_lines(table, Terminal(width))
        hint = " ".join(others[1:])
        hidden[width] = [name for name in ("note", "provider", "age") if name not in first]
        assert ("--wide" in hint) is bool(hidden[width])
        assert all(name in hint for name in hidden[width])
        assert "71,416.56" in others[0]
    assert [list(group) for group, _ in groupby(hidden.values())] == [
        ["note", "provider", "age"],
        ["note", "provider"],
        ["note"],
        [],
    ]


def test_table_whose_essential_columns_do_not_fit_becomes_blocks() -> None:
    """Each record is a block with a line per value, and the blocks are separated by an empty line."""
    table = build_table("symbol", "!id", "note", rows=[["BTC-USD", "i" * 30, "good"], ["AAPL", "i" * 30, ""]])
    assert table_lines(table, Terminal(25)) == [
        "symbol: BTC-USD",
        f"id: {'i' * 30}",
        "note: good",
        "",
        "symbol: AAPL",
        f"id: {'i' * 30}",
    ]


def test_empty_columns_are_left_out_without_a_hint() -> None:
    """A column without any value takes no space on a narrow terminal."""
    table = build_table("symbol", "!price", "+a long heading", rows=[["BTC-USD", "1", ""]])
    assert table_lines(table, Terminal(20)) == ["symbol   price", "BTC-USD  1"]


@given(st.text(max_size=80).map(plain_text), st.integers(4, 40))
def test_wrapped_words_are_complete_or_marked(text: str, width: int) -> None:
    """Without the marks and the line breaks, the text is unchanged, and every line fits."""
    lines = wrap_words(text, width, "…")
    assert all(text_width(line) <= width for line in lines)
    joined = "".join(line.removesuffix("…") if line.endswith("…") else f"{line} " for line in lines)
    assert "".join(joined.split()).replace("…", "") == "".join(text.split()).replace("…", "")


def test_details_are_one_line_per_property_and_long_values_continue_below() -> None:
    """Names are aligned, words are not broken, and true and false are words."""
    rows: list[tuple[str, Any]] = [
        ("id", "2f4f7a4e-3c1b-4a3e-9a53-0f5dd8f0a1c7"),
        ("last error", "no such host name"),
        ("alive", True),
    ]
    assert table_lines(build_details(rows), Terminal(20)) == [
        "id:         2f4f7a4e-3c1b-4a3e-9a53-0f5dd8f0a1c7",
        "last error: no such host",
        "            name",
        "alive:      yes",
    ]


def test_colors_are_only_codes_around_the_text() -> None:
    """A colored table has the same lines as one without colors."""
    table = build_table(
        "symbol", ">change", rows=[["BTC-USD", Styled("-0.32%", "red")], ["AAPL", Styled("+12%", "green")]]
    )
    colored = table_lines(table, Terminal(80, color=True))
    assert [_ANSI.sub("", line) for line in colored] == table_lines(table, Terminal(80))
    assert "\x1b[31m-0.32%\x1b[0m" in colored[1]
