"""Fixed intervals, such as `@every 1h30m` and `@every 1h offset 7m`."""

import re
from dataclasses import dataclass
from fractions import Fraction

from financehub_shared.core.durations import DAY_SECONDS, UNIT_SECONDS

_DURATION = r"(?=[0-9])(?:[0-9]+d)?(?:[0-9]+h)?(?:[0-9]+m)?(?:[0-9]+s)?"
_EVERY = re.compile(rf"@every\s+({_DURATION})(?:\s+offset\s+({_DURATION}))?")
_PART = re.compile(r"([0-9]+)([dhms])")
#: Durations as other programs write them: fractions, spaces, weeks, milliseconds and the names of units.
_LOOSE = re.compile(r"(?:@?every)?\s*([0-9].*?)(?:\s*\b(?:offset|at|phase)\s+([0-9].*))?", re.IGNORECASE)
_LOOSE_PART = re.compile(
    r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*"
    r"(milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|w|$)\s*(?:,|and\b)?",
    re.IGNORECASE,
)
_LONGEST = 366 * DAY_SECONDS
#: Digits of the longest number in a duration. Longer ones are out of range, and Python refuses to read very long ones.
_DIGITS = 100


@dataclass(frozen=True, slots=True)
class Interval:
    """A fixed interval, counted from an anchor so that all schedulers compute the same times without coordination.

    Args:
        seconds: Length of the interval.
        anchor: One due time, Unix seconds.
        text: The interval as written.
    """

    seconds: int
    anchor: int = 0
    text: str = ""

    def next_after(self, time: float) -> int:
        return self.anchor + (int((time - self.anchor) // self.seconds) + 1) * self.seconds


def parse_interval(text: str, anchor: int) -> Interval:
    """Parse an interval.

    Args:
        text: The interval, `@every 1h` or `@every 1h offset 7m`.
        anchor: Time from which it is counted, Unix seconds. The offset is added to it.

    Raises:
        ValueError: The interval is invalid. The message says what is wrong and what to write.
    """
    match = _EVERY.fullmatch(text)
    if not match:
        if near := near_interval(text):
            why = ", the shortest interval" if near == "@every 1s" else ""
            raise ValueError(f"{text!r} is not an interval; write {near!r}{why}")
        raise ValueError(
            f"{text!r} is not an interval; write it like '@every 90s', "
            "'@every 1h30m' or '@every 1h offset 7m', with the units d, h, m and s in this order"
        )
    seconds, offset = _seconds(match[1]), _seconds(match[2] or "0s")
    if not 1 <= seconds <= _LONGEST:
        raise ValueError(
            f"{text!r} is too {'short' if seconds < 1 else 'long'}; an interval must be between 1 s and "
            f"{_LONGEST // DAY_SECONDS} days, such as '@every 90s'"
        )
    if offset >= seconds:
        raise ValueError(
            f"{text!r}: the offset is not shorter than the interval; write one below {match[1]}, such as "
            f"'@every {match[1]} offset {seconds // 2}s'"
        )
    return Interval(seconds, anchor + offset, text)


def _seconds(text: str) -> int:
    return sum(
        (int(number) if len(number.lstrip("0")) < _DIGITS else 10**_DIGITS) * UNIT_SECONDS[unit]
        for number, unit in _PART.findall(text)
    )


def seconds_of_duration(text: str) -> int:
    """Return the seconds of a duration such as `1h30m`, or 0 if the text is not a duration."""
    return _seconds(text) if re.fullmatch(_DURATION, text) else 0


def near_interval(text: str) -> str:
    """Return the interval that a text probably means, such as `@every 1h30m` for `@every 1.5h`, or an empty text.

    Args:
        text: A text that is not an interval.
    """
    match = _LOOSE.fullmatch(text.strip())
    if match is None:
        return ""
    duration, offset = _near_duration(match[1]), _near_duration(match[2]) if match[2] else None
    if not duration or offset == "":
        return ""
    found = f"@every {duration}" + (f" offset {offset}" if offset else "")
    try:
        parse_interval(found, 0)
    except ValueError:
        return ""
    return found


def _near_duration(text: str) -> str:
    """Return a duration in the units d, h, m and s, or an empty text if it is not a duration of whole seconds."""
    parts = _loose_parts(text)
    if len(parts) == 1 and (number := parts.get(unit := next(iter(parts)), "")).isdigit() and unit in UNIT_SECONDS:
        return number + unit
    units = {**UNIT_SECONDS, "w": 7 * DAY_SECONDS}
    # A millisecond is the only unit below a second.
    milliseconds = sum((Fraction(number) * 1_000 * units.get(unit, 0) for unit, number in parts.items()), Fraction())
    milliseconds += Fraction(parts.get("ms", "0"))
    if 0 < milliseconds < 1_000:
        return "1s"
    return "" if milliseconds % 1_000 else duration_of(int(milliseconds // 1_000))


def duration_of(seconds: int) -> str:
    """Return seconds as a duration such as `1h30m`, or an empty text for 0."""
    found = ""
    for unit, size in sorted(UNIT_SECONDS.items(), key=lambda item: -item[1]):
        amount, seconds = divmod(seconds, size)
        found += f"{amount}{unit}" if amount else ""
    return found


def _loose_parts(text: str) -> dict[str, str]:
    """Return the units of a duration with their numbers, or nothing if it is not a duration or a unit is repeated."""
    place, found = 0, {}
    while place < len(text):
        match = _LOOSE_PART.match(text, place)
        # Only a number that is alone means seconds: `1h30` may mean 30 minutes.
        if match is None or (not match[2] and text.strip() != match[1]):
            return {}
        place = match.end()
        unit = "ms" if match[2].lower().startswith(("ms", "milli")) else match[2][:1].lower() or "s"
        if unit in found:
            return {}
        found[unit] = match[1]
    return found
