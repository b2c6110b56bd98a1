"""Reads the times that users write into addresses."""

from datetime import UTC, datetime

from financehub_shared.core.durations import parse_duration

_FORMS = "write a day or a time such as 2026-01-05 or 2026-01-05T12:00:00Z"


def read_time(text: str) -> float:
    """Return the Unix seconds of a day or a time in ISO 8601, which is in UTC unless it has an offset.

    Raises:
        ValueError: It is neither of them.
    """
    # a plus sign that was not encoded arrives as a space
    text = text.replace(" ", "+") if "T" in text else text
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise ValueError(_FORMS) from error


def read_since(text: str, now: float) -> float:
    """Return the Unix seconds of a day, of a time, or of the end of a duration before now, such as `1h`.

    Args:
        text: What the user wrote.
        now: The current time in Unix seconds.

    Raises:
        ValueError: It is none of them.
    """
    try:
        # Whole seconds, so that requests within a second share a reading.
        return float(int(now - parse_duration(text)))
    except (ValueError, OverflowError):
        pass
    try:
        return read_time(text)
    except ValueError as error:
        raise ValueError(f"{_FORMS}, or how long ago, such as 1h") from error
