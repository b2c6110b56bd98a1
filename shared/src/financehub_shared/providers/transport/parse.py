"""Reads untrusted JSON values: each function returns the right type or raises MalformedError. Pure."""

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from financehub_shared.core.errors import MalformedError

#: Decimal also accepts underscores, digits of other scripts and NaN. Upstreams send plain decimals.
_DECIMAL = re.compile(r"[+-]?(\d{1,60}(\.\d{0,60})?|\.\d{1,60})([eE][+-]?\d{1,4})?", re.ASCII)
#: Larger exponents make Decimal arithmetic raise errors. A price of 1e308 passes here and is left to validation.
EXPONENT_MAX = 400


def mapping(provider: str, value: Any, what: str) -> dict[str, Any]:
    """Return `value` as a JSON object."""
    if not isinstance(value, dict):
        raise MalformedError(provider, f"{what}: expected an object, got {type(value).__name__}")
    return value


def sequence(provider: str, value: Any, what: str, at_least: int = 0) -> list[Any]:
    """Return `value` as a JSON array of at least `at_least` items."""
    if not isinstance(value, list) or len(value) < at_least:
        found = f"{len(value)} items" if isinstance(value, list) else type(value).__name__
        raise MalformedError(provider, f"{what}: expected an array of {at_least} or more items, got {found}")
    return value


def text(provider: str, value: Any, what: str) -> str:
    """Return `value` as a non-empty string."""
    if not isinstance(value, str) or not value:
        raise MalformedError(provider, f"{what}: expected a string that is not empty, got {type(value).__name__}")
    return value


def number(provider: str, value: Any, what: str) -> Decimal:
    """Return `value`, a JSON number or a decimal string, as a finite Decimal.

    Validation decides later whether the number is plausible as a price.
    """
    try:
        if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
            raise MalformedError(provider, f"{what}: expected a number, got {type(value).__name__}")
        if isinstance(value, str) and not _DECIMAL.fullmatch(value):
            raise MalformedError(provider, f"{what}: {value[:40]!r} is not a number")
        parsed = Decimal(value)
    except InvalidOperation:
        raise MalformedError(provider, f"{what}: {str(value)[:40]!r} is not a number") from None
    if not parsed.is_finite() or abs(parsed.adjusted()) > EXPONENT_MAX:
        raise MalformedError(provider, f"{what}: {str(value)[:40]} is out of range")
    return parsed


def optional_number(provider: str, value: Any, what: str) -> Decimal | None:
    """Return `value` as `number` does, or None if it is null or missing."""
    return None if value is None else number(provider, value, what)


def figure(provider: str, value: Any, what: str) -> Decimal:
    """Return `value` as `number` does, but accept NaN and infinity in a string, which validation will quarantine."""
    if isinstance(value, str) and value.lstrip("+-").lower() in {"nan", "inf", "infinity"}:
        return Decimal(value)
    return number(provider, value, what)


def optional_figure(provider: str, value: Any, what: str) -> Decimal | None:
    """Return `value` as `figure` does, or None if it is null or missing."""
    return None if value is None else figure(provider, value, what)


def reals(provider: str, values: Sequence[Any], what: str) -> list[float]:
    """Return JSON numbers or decimal strings as finite floats, ten times as fast as `number`, for thousands of bars."""
    try:
        floats = [float(value) for value in values]
    except (TypeError, ValueError):
        raise MalformedError(provider, f"{what}: some values are not numbers") from None
    if not all(map(math.isfinite, floats)):
        raise MalformedError(provider, f"{what}: some values are not finite")
    return floats


def seconds(provider: str, value: Any, what: str, per_second: int = 1) -> float:
    """Return a Unix time in seconds. `per_second` is 1,000 for a time in milliseconds."""
    parsed = number(provider, value, what) / per_second
    if not 0 <= parsed < 10_000_000_000:
        raise MalformedError(provider, f"{what}: {str(value)[:40]} is not a Unix time")
    return float(parsed)


def iso_seconds(provider: str, value: Any, what: str) -> float:
    """Return an ISO 8601 time (`2024-02-16T02:17:05.566Z`) in Unix seconds. A time without a zone is UTC."""
    try:
        parsed = datetime.fromisoformat(text(provider, value, what))
    except ValueError:
        raise MalformedError(provider, f"{what}: {str(value)[:40]!r} is not an ISO 8601 time") from None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
