"""Tests that every row of the tables in docs/data-quality.md has a test."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
_ROW = re.compile(r"^\| ([A-Z]\d+) \|", re.MULTILINE)
#: A row, or the first and last row of a range, such as `L5 to L13`.
_NAMED = re.compile(r"\b([A-Z])(\d+)(?: to \1(\d+))?\b")


def test_rows_of_data_quality_are_named_in_tests() -> None:
    """Each row of each table is named where it is tested: in a docstring, a case, or the comment of a list of cases."""
    rows = _ROW.findall((ROOT / "docs/data-quality.md").read_text(encoding="utf-8"))
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__)]
    named = {
        f"{letter}{number}"
        for text in texts
        for letter, first, last in _NAMED.findall(text)
        for number in range(int(first), int(last or first) + 1)
    }
    assert len(rows) > 100
    assert [row for row in rows if row not in named] == []
