"""The form of a case in which the chart refuses its values."""

from dataclasses import dataclass
from typing import Any

from support.chart import RELEASE

Values = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """Values that the chart refuses.

    Args:
        values: The refused combination.
        message_parts: Strings that the message must contain: the value, the problem and the fix.
        fixes: Alternative changes to the values, each of which makes them valid, as the message says.
        release: The name of the release.
    """

    values: Values
    message_parts: tuple[str, ...]
    fixes: tuple[Values, ...]
    release: str = RELEASE
