"""Reads untrusted JSON values: each function returns the right type or raises MalformedError. Pure.

The argument `what` of every function describes the value in the error (`BTCUSDT: lastPrice`).
"""

import re
from datetime import UTC, datetime
from decimal import Context, Decimal, InvalidOperation
from typing import Any

from financehub_shared.core.errors import MalformedError
from financehub_shared.providers.transport.damaged_json import Damaged

#: Numbers are rounded to 28 digits. More digits are noise, and the store does not accept more than 40.
_CONTEXT = Context(prec=28)
#: The form of nearly all numbers that upstreams send. It needs neither further checks nor rounding.
_PLAIN = re.compile(r"-?\d{1,14}(\.\d{1,14})?", re.ASCII)
#: Decimal also accepts underscores, digits of other scripts and NaN. Upstreams send plain decimals.
_DECIMAL = re.compile(r"[+-]?(\d{1,60}(\.\d{0,60})?|\.\d{1,60})([eE][+-]?\d{1,4})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Za-z0-9]{2,10}")
#: Larger exponents make Decimal arithmetic raise errors. A price of 1e308 passes here and is left to validation.
EXPONENT_MAX = 400
#: Number of characters of a value that an error quotes.
_SHOWN = 40


def describe(value: Any) -> str:
    """Return a short printable description of a JSON value, for errors."""
    match value:
        case None:
            shown = "null"
        case bool():
            shown = str(value).lower()
        case dict():
            shown = "an object"
        case list():
            shown = f"an array of {len(value)}"
        case str():
            shown = ascii(value[:_SHOWN])
        case Decimal() | int() | float():
            shown = str(value)[:_SHOWN]
        case Damaged():
            shown = f"damaged ({value.problem})"
        case _:
            shown = "not JSON"
    return shown


def mapping(provider: str, value: Any, what: str) -> dict[str, Any]:
    """Return `value` as a JSON object."""
    if not isinstance(value, dict):
        raise MalformedError(provider, f"{what} is {describe(value)}; expected an object")
    return value


def sequence(provider: str, value: Any, what: str, at_least: int = 0) -> list[Any]:
    """Return `value` as a JSON array of at least `at_least` items."""
    if not isinstance(value, list) or len(value) < at_least:
        raise MalformedError(provider, f"{what} is {describe(value)}; expected an array of {at_least} or more")
    return value


def text(provider: str, value: Any, what: str) -> str:
    """Return `value` as a string that is not empty and has only printable characters."""
    if not isinstance(value, str) or not value.isprintable() or not value:
        raise MalformedError(provider, f"{what} is {describe(value)}; expected printable text")
    return value


def currency(provider: str, value: Any, what: str) -> str:
    """Return `value` as the code of a currency or of its minor unit, such as `GBp`."""
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise MalformedError(provider, f"{what} is {describe(value)}; expected the code of a currency")
    return value


def number(provider: str, value: Any, what: str) -> Decimal:
    """Return `value`, a JSON number or a decimal string, as a finite Decimal of at most 28 digits.

    Validation decides later whether the number is plausible as a price.
    """
    if type(value) is str and _PLAIN.fullmatch(value):
        return Decimal(value)
    is_number = not isinstance(value, bool) and isinstance(value, (int, float, Decimal))
    if not is_number and not (isinstance(value, str) and _DECIMAL.fullmatch(value)):
        raise MalformedError(provider, f"{what} is {describe(value)}; expected a number")
    try:
        parsed = Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        raise MalformedError(provider, f"{what} is {describe(value)}; expected a number") from None
    if not parsed.is_finite() or abs(parsed.adjusted()) > EXPONENT_MAX:
        raise MalformedError(provider, f"{what} is {describe(parsed)}, which is out of range")
    return _CONTEXT.plus(parsed)


def optional_number(value: Any) -> Decimal | None:
    """Return `value` as `number` does, or None if `number` would raise an error."""
    try:
        return number("", value, "")
    except MalformedError:
        return None


def seconds(provider: str, value: Any, what: str, per_second: int = 1) -> float:
    """Return a Unix time in seconds. `per_second` is 1,000 if `value` is in milliseconds."""
    parsed = number(provider, value, what) / per_second
    if not 0 <= parsed < 10_000_000_000:
        raise MalformedError(provider, f"{what} is {describe(value)}, which is not a Unix time")
    return float(parsed)


def iso_seconds(provider: str, value: Any, what: str) -> float:
    """Return an ISO 8601 time (`2024-02-16T02:17:05.566Z`) in Unix seconds. A time without a zone is in UTC."""
    try:
        parsed = datetime.fromisoformat(text(provider, value, what))
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise MalformedError(provider, f"{what} is {describe(value)}, which is not an ISO 8601 time") from None
