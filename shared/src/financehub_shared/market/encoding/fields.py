"""Reads the fields of stored JSON objects, and refuses every value that the rest of the code does not expect.

A value of the wrong type would otherwise fail later, in code that handles many records at once.
"""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar

from financehub_shared.core.damage import DAMAGED
from financehub_shared.market.encoding.record_names import RecordName

Member = TypeVar("Member", bound=StrEnum)

#: Times beyond these seconds since 1970, and days beyond these days, are outside the years 100 to 3800. `datetime`
#: cannot represent times that are much later.
MAX_SECONDS, MAX_DAY = 59e9, 680_000
#: A finite decimal. Prices and volumes have far fewer digits and far smaller exponents.
_DECIMAL = re.compile(r"[+-]?\d{1,40}(?:\.\d{1,40})?(?:[Ee][+-]?\d{1,2})?", re.ASCII)
#: JSON can spell integers that no float can hold.
_MAX_NUMBER = 1e300


#: One encoder, because `json.dumps` would build one for each record. NaN is refused, because other readers could not
#: parse it.
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
#: `json.loads` would look for the encoding of each record first. All records are UTF-8.
_decode = json.JSONDecoder().decode


def dumps(record: dict[str, Any]) -> str:
    """Encode as compact JSON.

    Half of a surrogate pair, which an upstream's JSON may contain, becomes a question mark, because UTF-8 cannot
    encode it.
    """
    text = _encode(record)
    return text if text.isascii() else text.encode(errors="replace").decode()


class Fields:
    """The fields of a JSON object that `dumps` wrote. Unknown fields, which a newer release may add, are ignored.

    Every method raises `CorruptDataError` if the field is missing, unless it has a default, or if its value is invalid.

    Args:
        name: Name of the record, for error messages.
        raw: The JSON.

    Raises:
        CorruptDataError: The value is not a JSON object.
    """

    def __init__(self, name: RecordName, raw: bytes) -> None:
        try:
            fields = _decode(raw.decode())
        except DAMAGED as error:
            raise name.corrupt(f"is not JSON ({error})") from error
        if not isinstance(fields, dict):
            raise name.corrupt("is not a JSON object")
        self._name = name
        self._fields: dict[str, Any] = fields

    def has(self, field: str) -> bool:
        """Whether the field exists and is not null."""
        return self._fields.get(field) is not None

    def text(self, field: str, default: str | None = None) -> str:
        """Return a string."""
        value = self._fields.get(field)
        if isinstance(value, str) and value.isascii():  # a fast path, because 10,000 quotes have 50,000 strings
            return value
        return str(self._read(field, default, _is_text, "a string"))

    def flag(self, field: str, *, default: bool) -> bool:
        """Return a boolean."""
        return bool(self._read(field, default, _is_flag, "true or false"))

    def time(self, field: str) -> float:
        """Return a time in Unix seconds."""
        return float(self._read(field, None, _is_time, "a time"))

    def count(self, field: str) -> int:
        """Return a count, which is a whole number that is not negative."""
        return int(self._read(field, None, lambda value: _is_integer(value) and 0 <= value < 2**53, "a count"))

    def day(self, field: str) -> int:
        """Return a day since 1970-01-01."""
        return int(self._read(field, None, lambda value: _is_integer(value) and abs(value) < MAX_DAY, "a day"))

    def decimal(self, field: str) -> Decimal:
        """Return a finite decimal, which is stored as a string."""
        text = self.text(field)
        if not _DECIMAL.fullmatch(text):
            raise self._invalid(field, "a decimal number")
        return Decimal(text)

    def texts(self, field: str) -> tuple[str, ...]:
        """Return a list of strings, which is empty by default."""
        return tuple(self._read(field, [], _is_list_of_texts, "a list of strings"))

    def text_by_name(self, field: str) -> dict[str, str]:
        """Return a mapping of strings to strings, which is empty by default."""
        return dict(self._read(field, {}, _is_text_by_name, "a mapping of strings"))

    def number_by_name(self, field: str) -> dict[str, float]:
        """Return a mapping of strings to finite numbers."""
        return dict(self._read(field, None, _is_number_by_name, "a mapping of numbers"))

    def member(self, field: str, members: type[Member]) -> Member:
        """Return a member of an enumeration.

        Raises:
            NewerRecordError: The value is a string that this release does not know.
        """
        value = self.text(field)
        try:
            return members(value)
        except ValueError as error:
            raise self._name.newer(f"has the {field} {value!r}, which this release does not know") from error

    def _read(self, field: str, default: Any, is_valid: Callable[[Any], bool], expected: str) -> Any:
        value = self._fields.get(field, default)
        if value is None and field not in self._fields:
            raise self._name.corrupt(f"has no field {field!r}")
        if not is_valid(value):
            raise self._invalid(field, expected)
        return value

    def _invalid(self, field: str, expected: str) -> Exception:
        shown = repr(self._fields[field])
        return self._name.corrupt(f"has {shown[:60]} in the field {field!r}, which is not {expected}")


def _is_text(value: Any) -> bool:
    # JSON can spell half of a surrogate pair, which neither a terminal nor Redis accepts.
    return isinstance(value, str) and (value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _MAX_NUMBER


def _is_time(value: Any) -> bool:
    return _is_number(value) and abs(value) < MAX_SECONDS


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_text_by_name(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, [*value, *value.values()]))


def _is_number_by_name(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value)) and all(map(_is_number, value.values()))
