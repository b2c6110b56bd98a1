"""Reading untrusted JSON values: the right type or MalformedError, never a stray KeyError. Pure."""

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from financehub_shared.core.errors import MalformedError

#: Python's Decimal also takes underscores, other scripts' digits and NaN; upstreams' prices are plain.
_DECIMAL = re.compile(r"[+-]?(\d{1,60}(\.\d{0,60})?|\.\d{1,60})([eE][+-]?\d{1,4})?", re.ASCII)
#: Larger exponents make arithmetic on Decimals raise; 1e308 still gets through to the validation.
EXPONENT_MAX = 400


def mapping(provider: str, value: Any, what: str) -> dict[str, Any]:
    """`value` as a JSON object."""
    if not isinstance(value, dict):
        raise MalformedError(provider, f"{what}: an object was due, not {type(value).__name__}")
    return value


def sequence(provider: str, value: Any, what: str, at_least: int = 0) -> list[Any]:
    """`value` as a JSON array of at least `at_least` items."""
    if not isinstance(value, list) or len(value) < at_least:
        raise MalformedError(provider, f"{what}: an array of {at_least} or more was due")
    return value


def text(provider: str, value: Any, what: str) -> str:
    """`value` as a non-empty string."""
    if not isinstance(value, str) or not value:
        raise MalformedError(provider, f"{what}: a string was due")
    return value


def number(provider: str, value: Any, what: str) -> Decimal:
    """`value`, a JSON number or a decimal string, as a finite Decimal.

    Whether it makes sense as a price is for the validation to say.
    """
    try:
        if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
            raise MalformedError(provider, f"{what}: a number was due, not {type(value).__name__}")
        if isinstance(value, str) and not _DECIMAL.fullmatch(value):
            raise MalformedError(provider, f"{what}: {value[:40]!r} is no number")
        parsed = Decimal(value)
    except InvalidOperation:
        raise MalformedError(provider, f"{what}: {str(value)[:40]!r} is no number") from None
    if not parsed.is_finite() or abs(parsed.adjusted()) > EXPONENT_MAX:
        raise MalformedError(provider, f"{what}: {str(value)[:40]} is out of any range")
    return parsed


def optional_number(provider: str, value: Any, what: str) -> Decimal | None:
    """As `number`; None for null or absent."""
    return None if value is None else number(provider, value, what)


def figure(provider: str, value: Any, what: str) -> Decimal:
    """As `number`, and a string that says NaN or infinity comes through, for the validation to put into quarantine."""
    if isinstance(value, str) and value.lstrip("+-").lower() in {"nan", "inf", "infinity"}:
        return Decimal(value)
    return number(provider, value, what)


def optional_figure(provider: str, value: Any, what: str) -> Decimal | None:
    """As `figure`; None for null or absent."""
    return None if value is None else figure(provider, value, what)


def reals(provider: str, values: Sequence[Any], what: str) -> list[float]:
    """JSON numbers or decimal strings as finite floats; ten times as fast as `number`, for thousands of bars."""
    try:
        floats = [float(value) for value in values]
    except (TypeError, ValueError):
        raise MalformedError(provider, f"{what}: not all are numbers") from None
    if not all(map(math.isfinite, floats)):
        raise MalformedError(provider, f"{what}: not all are finite")
    return floats


def seconds(provider: str, value: Any, what: str, per_second: int = 1) -> float:
    """A Unix time as seconds; `per_second` is 1,000 for one in milliseconds."""
    parsed = number(provider, value, what) / per_second
    if not 0 <= parsed < 10_000_000_000:
        raise MalformedError(provider, f"{what}: {str(value)[:40]} is no Unix time")
    return float(parsed)


def iso_seconds(provider: str, value: Any, what: str) -> float:
    """An ISO 8601 time (`2024-02-16T02:17:05.566Z`) as Unix seconds; without a zone it is UTC."""
    try:
        parsed = datetime.fromisoformat(text(provider, value, what))
    except ValueError:
        raise MalformedError(provider, f"{what}: {str(value)[:40]!r} is no time") from None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
