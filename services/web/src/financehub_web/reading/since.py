"""Reads the times that users write into addresses."""

from datetime import UTC

from financehub_shared.core.moments import parse_moment


def read_time(text: str) -> float:
    """Return the Unix seconds of a day or a time in ISO 8601, which is in UTC unless it has an offset.

    Raises:
        ValueError: It is neither of them.
    """
    return parse_moment(_with_plus(text), UTC)


def read_since(text: str, now: float) -> float:
    """Return the Unix seconds of a day, of a time, or of the end of a duration before now, such as `1h`.

    Args:
        text: What the user wrote.
        now: The current time in Unix seconds.

    Raises:
        ValueError: It is none of them.
    """
    # Whole seconds, so that requests within a second share a reading.
    return parse_moment(_with_plus(text), UTC, now=float(int(now)))


def _with_plus(text: str) -> str:
    """Return a text in which the sign of an offset is a plus again, which arrives as a space if it was not encoded."""
    return text.replace(" ", "+") if "T" in text else text
