"""The due times of the simulated schedules, by arithmetic alone. It shares no code with the product."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_EVERY = re.compile(r"@every (\d+)s(?: offset (\d+)s)?")


@dataclass(frozen=True, slots=True)
class DueTimes:
    """All multiples of an interval, moved by a phase, between two limits, both inclusive. In Unix milliseconds."""

    interval: int
    phase: int = 0
    first: int = 0
    last: int = 1 << 60

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> "DueTimes | None":
        """Return those of a spec; None if it follows another schedule."""
        if spec.get("after"):
            return None
        start, end = (_milliseconds(spec.get(name)) for name in ("startTime", "endTime"))
        limits = {name: value for name, value in (("first", start), ("last", end)) if value is not None}
        text = spec["schedule"]
        if text == "* * * * *":
            return cls(60_000, **limits)
        found = _EVERY.fullmatch(text)
        assert found, f"the model does not know the expression {text!r}"
        # An interval counts from startTime, or from 1970.
        return cls(int(found[1]) * 1000, (start or 0) + int(found[2] or 0) * 1000, **limits)

    def between(self, after: int, until: int) -> range:
        """Return the due times in (after, until], ascending."""
        after, until = max(after, self.first - 1), min(until, self.last)
        begin = self.phase + ((after - self.phase) // self.interval + 1) * self.interval
        return range(begin, until + 1, self.interval)


def _milliseconds(text: str | None) -> int | None:
    return None if text is None else round(datetime.fromisoformat(text).timestamp() * 1000)
