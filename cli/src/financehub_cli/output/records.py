"""Sorts the records of a listing, and writes them as CSV."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from financehub_cli.output.table import Table
from financehub_shared.core.errors import ConfigError, UnknownNameError
from financehub_shared.core.text import dump_json

T = TypeVar("T")


def check_sort_key(sort: str, view: type[Any]) -> None:
    """Check that a listing can be sorted as a user wants.

    Args:
        sort: A key of the records, with a `-` in front of it for the reverse order.
        view: The view of one record.

    Raises:
        ConfigError: The records do not have this key.
    """
    from financehub_shared.core.near_names import require_known

    known = list(view.__annotations__)
    try:
        require_known("key", sort.removeprefix("-"), known)
    except UnknownNameError as error:
        raise ConfigError(f"--sort {sort}: {error}") from None


def sort_records(records: Sequence[Mapping[str, Any]], table: T, sort: str) -> tuple[list[Any], T | Table]:
    """Return the records of a listing and its table in another order. Records without a value come last.

    Args:
        records: The records.
        table: The table, whose rows are those of the records. Anything else is returned as it is.
        sort: A key of the records, with a `-` in front of it for the reverse order.
    """
    key = sort.removeprefix("-")
    values = [record.get(key) for record in records]
    filled = [index for index, value in enumerate(values) if value not in (None, "")]
    numbers = {index: _number(values[index]) for index in filled}
    if None in numbers.values():
        texts = {index: _text(values[index]) for index in filled}
        filled.sort(key=lambda index: texts[index], reverse=sort.startswith("-"))
    else:
        filled.sort(key=lambda index: numbers[index] or 0, reverse=sort.startswith("-"))
    order = [*filled, *(index for index, value in enumerate(values) if value in (None, ""))]
    if isinstance(table, Table) and len(table.rows) == len(records):
        table = replace(table, rows=[table.rows[index] for index in order])
    return [records[index] for index in order], table


def _number(value: Any) -> Decimal | None:
    """Return the number that a value is, or None. A decimal number is a string in a view, so that no digit is lost."""
    try:
        number = Decimal(str(value)) if isinstance(value, str | int | float) else None
    except InvalidOperation:
        return None
    return number if number is not None and number.is_finite() else None


def _text(value: Any) -> str:
    return value.casefold() if isinstance(value, str) else dump_json(value)
