"""The formats of values in views: times as ISO 8601, decimal numbers as strings."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, TypeGuard

from financehub_shared.redis.text import LATEST_TIME
from financehub_shared.views.fields import Field

#: A time in ISO 8601 in UTC with milliseconds.
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-01-15T08:00:00.123Z"])]
#: A day in ISO 8601.
Day = Annotated[str, Field(json_schema_extra={"format": "date"}, examples=["2026-01-15"])]
#: A decimal number in plain digits, which is a string so that no digit is lost.
DecimalText = Annotated[str, Field(json_schema_extra={"format": "decimal"}, examples=["71416.56"])]


def is_calendar_time(at: float | None) -> TypeGuard[float]:
    """Whether a calendar can show a time. A record in Redis may contain any number."""
    return at is not None and -1 <= at <= LATEST_TIME


def iso_time(at: float | None) -> str | None:
    """Return a time in ISO 8601 in UTC with milliseconds, such as `2026-01-15T08:00:00.123Z`.

    Args:
        at: The time in Unix seconds. None and times that a calendar cannot show yield None.
    """
    if not is_calendar_time(at):
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def decimal_text(number: Decimal) -> str:
    """Return a decimal number in plain digits, such as `0.000025884550`."""
    return format(number, "f")


def optional_decimal_text(number: Decimal | None) -> str | None:
    """Return a decimal number in plain digits, or None if there is none."""
    return None if number is None else decimal_text(number)
