"""Sorts the rows of a table by a column that the address names."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

#: Columns whose texts are decimal numbers.
_DECIMALS = {"price", "change_percent", "volume"}


def sort_rows(rows: Iterable[Mapping[str, Any]], sort: str) -> list[Mapping[str, Any]]:
    """Return rows in the order of a column. Rows without a value come last in both directions.

    Args:
        rows: The rows.
        sort: Name of the column. A minus means descending.
    """
    name = sort.removeprefix("-")
    known: list[Mapping[str, Any]] = []
    unknown: list[Mapping[str, Any]] = []
    for row in rows:
        (unknown if row[name] in (None, "") else known).append(row)

    def key(row: Mapping[str, Any]) -> Any:
        value = row[name]
        if name in _DECIMALS:
            return Decimal(value)
        return value.casefold() if isinstance(value, str) else value

    return [*sorted(known, key=key, reverse=sort.startswith("-")), *unknown]
