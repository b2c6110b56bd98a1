"""Fixed intervals, such as `@every 1h30m` and `@every 1h offset 7m`."""

import re
from dataclasses import dataclass

from financehub_shared.core.durations import DAY_SECONDS, UNIT_SECONDS

_DURATION = r"(?=[0-9])(?:[0-9]+d)?(?:[0-9]+h)?(?:[0-9]+m)?(?:[0-9]+s)?"
_EVERY = re.compile(rf"@every\s+({_DURATION})(?:\s+offset\s+({_DURATION}))?")
_PART = re.compile(r"([0-9]+)([dhms])")
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
