"""How the running command shows its result, as its options say."""

from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Format(StrEnum):
    """The formats of a result."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """The options of the running command.

    Args:
        format: The format.
        wide: Whether tables show all columns, however long the lines are.
        sort: The key by which a listing is sorted, or an empty text. A `-` in front of it reverses the order.
        view: The view of one record of a listing, or None for other commands.
    """

    format: Format = Format.TABLE
    wide: bool = False
    sort: str = ""
    view: type[Any] | None = None


_DEFAULT = OutputOptions()
#: The options of the running command. `financehub_cli.listing` sets them.
OUTPUT: ContextVar[OutputOptions] = ContextVar("OUTPUT", default=_DEFAULT)
