"""Tests of CSV."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.text import printable
from financehub_shared.views.csv_text import to_csv


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        (True, "true"),
        (1.5, "1.5"),
        ("-0.35", "-0.35"),
        ("+1", "+1"),
        ("=1+1", "'=1+1"),
        ("-1+1", "'-1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+49 30 1234", "'+49 30 1234"),
        ("\t=1", "'\t=1"),
        ('say "hi", please', 'say "hi", please'),
        (["a", "b"], '["a","b"]'),
        ({"a": 1}, '{"a":1}'),
        ("\u202egpj", "\\u202egpj"),
        ("a\nb", "a\nb"),
    ],
)
def test_cell_is_safe_and_readable(value: object, cell: str) -> None:
    """Texts that a spreadsheet would run as formulas are quoted, and numbers are not."""
    assert cells(to_csv([{"x": value}], ["x"], for_spreadsheets=True)) == ([["x"], [cell]] if cell else [["x"], [""]])


@given(rows=st.lists(st.tuples(st.text(), st.text()), max_size=4), for_spreadsheets=st.booleans())
def test_csv_contains_every_text(rows: list[tuple[str, str]], for_spreadsheets: bool) -> None:
    """A parser of RFC 4180 gets each text back, except for escapes and the guard against formulas."""
    found = cells(to_csv([{"a": a, "b": b} for a, b in rows], ["a", "b"], for_spreadsheets=for_spreadsheets))
    assert len(found) == len(rows) + 1
    for row, pair in zip(found[1:], rows, strict=True):
        for cell, text in zip(row, pair, strict=True):
            shown = printable(text, keep_lines=True)
            assert cell == shown or (for_spreadsheets and cell == f"'{shown}")
