"""Tests of docs/dramatiq.md: each difference from dramatiq names a test that exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "dramatiq.md").read_text(encoding="utf-8")
DIFFERENCES = ROOT / "tests" / "integration" / "broker" / "compatibility" / "test_differences.py"


def test_each_difference_names_a_test_that_exists() -> None:
    """The last column of every row names a test of the differences, the module of a test, or the row above."""
    rows = [row.strip("|").split("|") for row in PAGE.splitlines() if row.startswith("| ")][1:]
    assert len(rows) > 10
    modules = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    tests = set(re.findall(r"^def (test_\w+)", DIFFERENCES.read_text(encoding="utf-8"), re.MULTILINE))
    for row in rows:
        named = re.findall(r"`(test_[\w.]+)`", row[-1])
        assert named or row[-1].strip() == "the same", row[0]
        assert set(named) <= tests | modules, row[0]


def test_each_test_of_a_difference_is_in_the_table() -> None:
    """No difference is tested without being explained."""
    tests = re.findall(r"^def (test_\w+)", DIFFERENCES.read_text(encoding="utf-8"), re.MULTILINE)
    assert [test for test in tests if f"`{test}`" not in PAGE] == []
