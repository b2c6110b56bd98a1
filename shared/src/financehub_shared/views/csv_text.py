"""Writes records as CSV (RFC 4180)."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from financehub_shared.core.text import dump_json, printable

MEDIA_TYPE = "text/csv"
#: Text that begins with one of these could be run as a formula by a spreadsheet.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")


def to_csv(records: Sequence[Mapping[str, Any]], names: Sequence[str], *, for_spreadsheets: bool) -> str:
    """Return records as CSV with a header. Nested values are JSON, and what has no value is empty.

    Args:
        records: The records.
        names: The keys that become columns.
        for_spreadsheets: Whether text that a spreadsheet could run as a formula gets an apostrophe in front of it.
            Numbers never change.
    """
    output = io.StringIO()
    writer = csv.writer(output)
    writer.writerow(names)
    writer.writerows(
        [_cell(record.get(name), for_spreadsheets=for_spreadsheets) for name in names] for record in records
    )
    return output.getvalue()


def _cell(value: Any, *, for_spreadsheets: bool) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = printable(value, keep_lines=True)
        is_formula = for_spreadsheets and value.startswith(_FORMULAS) and not _is_number(value)
        return f"'{text}" if is_formula else text
    return dump_json(value) if isinstance(value, Mapping | list | tuple) else value


def _is_number(text: str) -> bool:
    """Whether a text is a plain decimal number, such as `-0.35`."""
    digits = text.removeprefix("-").removeprefix("+")
    return digits.replace(".", "", 1).isdecimal() and digits.isascii()
