"""Formats times, days, ages and prices."""

from datetime import UTC, datetime
from decimal import Decimal

from financehub_cli.output.text import Styled
from financehub_shared.core.durations import format_duration
from financehub_shared.views.formats import is_calendar_time


def readable_time(at: float | None) -> str:
    """Return a time for people: UTC with seconds, such as `2026-01-15 08:00:00Z`. None yields an empty string."""
    return "" if not is_calendar_time(at) else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def readable_price(text: str) -> str:
    """Return a decimal with about six significant digits, or two decimal places from 100 upward."""
    price = Decimal(text)
    digits = 2 if abs(price) >= 100 else max(0, 5 - price.adjusted()) if price else 0
    return f"{round(price, digits):,f}"


def age_cell(age_seconds: float, *, stale: bool) -> Styled:
    """Return the table cell of an age, highlighted if the data is stale."""
    age = format_duration(age_seconds)
    return Styled(f"{age} stale", "yellow") if stale else Styled(age)
