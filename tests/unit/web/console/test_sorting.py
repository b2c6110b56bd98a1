"""The order of the rows of a table."""

from financehub_web.console.sorting import sort_rows


def test_sort_puts_rows_without_a_value_last_in_both_directions() -> None:
    """An unknown change is neither the largest nor the smallest."""
    rows = [{"change_percent": each} for each in ("2", None, "-10", "10.5")]
    assert [row["change_percent"] for row in sort_rows(rows, "change_percent")] == ["-10", "2", "10.5", None]
    assert [row["change_percent"] for row in sort_rows(rows, "-change_percent")] == ["10.5", "2", "-10", None]


def test_sort_of_texts_ignores_case() -> None:
    """Names are in the order that a reader expects."""
    rows = [{"name": each} for each in ("beta", "Alpha", "")]
    assert [row["name"] for row in sort_rows(rows, "name")] == ["Alpha", "beta", ""]
