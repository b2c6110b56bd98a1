"""Finds and reads single elements of an answer, so that a damaged element does not affect the others. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from financehub_shared.core.errors import MalformedError
from financehub_shared.core.models import Quality
from financehub_shared.providers.transport import parse
from financehub_shared.providers.transport.damaged_json import Damaged


class Elements:
    """The elements of an answer by their upstream names.

    Args:
        provider: Name of the provider, for errors.
        values: The array of the answer, which may contain anything.
        key: Key under which each element has its name.
    """

    def __init__(self, provider: str, values: Sequence[Any], key: str) -> None:
        self._provider = provider
        self._key = key
        self._by_name: dict[str, list[dict[str, Any]]] = {}
        self._nameless: list[Any] = []
        for value in values:
            name = value.get(key) if isinstance(value, dict) else None
            if isinstance(name, str):
                self._by_name.setdefault(name.strip().upper(), []).append(value)
            else:
                self._nameless.append(value)

    def find(self, name: str) -> dict[str, Any] | None:
        """Return the element with this name in any case, or None if the answer does not contain it.

        Raises:
            MalformedError: The element is damaged, or several elements have this name and differ.
        """
        found = self._by_name.get(name.upper(), [])
        if any(other != found[0] for other in found[1:]):
            raise MalformedError(self._provider, f"{name}: the answer has {len(found)} different entries for it")
        if found:
            return found[0]
        for value in self._nameless:
            if isinstance(value, Damaged) and f'"{name}"' in value.text:
                raise MalformedError(self._provider, f"{name}: its entry is not JSON ({value.problem})")
        if self._nameless:
            raise MalformedError(
                self._provider,
                f"{name} is not in the answer, or its {self._key} cannot be read; entries without a readable "
                f"{self._key}: {len(self._nameless)} (the first is {parse.describe(self._nameless[0])})",
            )
        return None


class Fields:
    """Reads the fields of one element.

    The methods for required fields raise MalformedError if the field is missing or damaged.

    Args:
        provider: Name of the provider, for errors.
        name: The upstream's name for the element, for errors (`BTCUSDT`).
        values: Field → JSON value.
    """

    def __init__(self, provider: str, name: str, values: Mapping[str, Any]) -> None:
        self.name = name
        self.values = values
        self._provider = provider
        self._dropped: list[str] = []

    @property
    def note(self) -> str:
        """The optional fields that were dropped because they are damaged, for the note of the quote."""
        return f"dropped: {', '.join(self._dropped)}" if self._dropped else ""

    @property
    def quality(self) -> Quality:
        """The quality of the quote: corrected if an optional field was dropped, and good otherwise."""
        return Quality.CORRECTED if self._dropped else Quality.GOOD

    def number(self, field: str) -> Decimal:
        """Return a number; see `parse.number`."""
        return parse.number(self._provider, self.values.get(field), self._what(field))

    def optional_number(self, field: str) -> Decimal | None:
        """Return a number, or None if it is null, missing or damaged. A damaged one is noted."""
        value = self.values.get(field)
        found = parse.optional_number(value)
        if found is None and value is not None:
            self._dropped.append(f"{field} {parse.describe(value)}")
        return found

    def currency(self, field: str) -> str:
        """Return the code of a currency; see `parse.currency`."""
        return parse.currency(self._provider, self.values.get(field), self._what(field))

    def seconds(self, field: str, per_second: int = 1) -> float:
        """Return a time in Unix seconds; see `parse.seconds`."""
        return parse.seconds(self._provider, self.values.get(field), self._what(field), per_second)

    def iso_seconds(self, field: str) -> float:
        """Return a time in Unix seconds; see `parse.iso_seconds`."""
        return parse.iso_seconds(self._provider, self.values.get(field), self._what(field))

    def _what(self, field: str) -> str:
        return f"{self.name}: {field}"
